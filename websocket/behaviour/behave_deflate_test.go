package behaviour_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"weir/websocket"
	"weir/wsframe"
)

// BEHAVIOUR 3, 5 and 6: permessage-deflate (RFC 7692). The client's side is compress/flate of the
// standard library.

// agreed opens a WebSocket that agrees on compression by offer.
func (h *house) agreed(handler websocket.Handler, o websocket.Options, offer string) *client {
	h.Helper()
	o.Compress = true
	h.offer = offer
	c := h.open(handler, &o)
	if c.codec == nil {
		h.Fatalf("%q was answered %q", offer, c.answer)
	}
	return c
}

const plainOffer = "permessage-deflate"

// random is text that nothing compresses but a reference to itself.
func random(seed uint32, n int) string {
	b := make([]byte, n)
	for i := range b {
		seed = seed*1664525 + 1013904223
		b[i] = '0' + byte(seed>>24)%75
	}
	return string(b)
}

// The table of offers is in wsframe/deflate; here is that its answers get out, and which offers are
// looked at.
func TestNegotiation(t *testing.T) {
	eight := websocket.Options{Deflate: websocket.DeflateOptions{ServerMaxWindowBits: 8, ClientMaxWindowBits: 8}}
	none := websocket.Options{Deflate: websocket.DeflateOptions{ServerNoContextTakeover: true, ClientNoContextTakeover: true}}
	for _, r := range []struct {
		id, name string
		opts     websocket.Options
		offer    string
		want     string
	}{
		{"6.negotiate", "plain", websocket.Options{}, plainOffer, plainOffer},
		{"6.negotiate", "first_acceptable", websocket.Options{}, "permessage-deflate; unknown, permessage-deflate; server_max_window_bits=10, permessage-deflate", "permessage-deflate; server_max_window_bits=10"},
		{"6.negotiate", "order_of_ours", eight, "permessage-deflate; client_max_window_bits", "permessage-deflate; server_max_window_bits=8; client_max_window_bits=8"},
		{"6.negotiate", "order_of_all", websocket.Options{}, "permessage-deflate; client_max_window_bits=9; server_max_window_bits=10; client_no_context_takeover; server_no_context_takeover",
			"permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; client_max_window_bits=9"},
		{"6.negotiate", "takeover_of_ours", none, plainOffer, "permessage-deflate; client_no_context_takeover; server_no_context_takeover"},
		{"6.negotiate", "takeover_never_twice", none, "permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
		{"6.negotiate", "quoted_value", websocket.Options{}, `permessage-deflate; server_max_window_bits="10"`, "permessage-deflate; server_max_window_bits=10"},
		{"6.negotiate.skipped", "unknown", websocket.Options{}, "permessage-deflate; level=1", ""},
		{"6.negotiate.skipped", "twice", websocket.Options{}, "permessage-deflate; server_no_context_takeover; server_no_context_takeover", ""},
		{"6.negotiate.skipped", "value_where_none_belongs", websocket.Options{}, "permessage-deflate; server_no_context_takeover=1", ""},
		{"6.negotiate.skipped", "none_where_one_belongs", websocket.Options{}, "permessage-deflate; server_max_window_bits", ""},
		{"6.negotiate.skipped", "bits_7", websocket.Options{}, "permessage-deflate; server_max_window_bits=7", ""},
		{"6.negotiate.skipped", "bits_16", websocket.Options{}, "permessage-deflate; client_max_window_bits=16", ""},
		{"6.negotiate.skipped", "bits_08", websocket.Options{}, "permessage-deflate; client_max_window_bits=08", ""},
		{"6.negotiate.skipped", "no_client_bits", eight, plainOffer, ""},
		{"6.negotiate.skipped", "name_in_capitals", websocket.Options{}, "Permessage-Deflate", ""},
		{"6.negotiate.skipped", "parameter_in_capitals", websocket.Options{}, "permessage-deflate; Server_No_Context_Takeover", ""},
		{"6.negotiate.webkit", "alone", websocket.Options{}, "x-webkit-deflate-frame", ""},
		{"6.negotiate.webkit", "before_ours", websocket.Options{}, "x-webkit-deflate-frame, permessage-deflate", plainOffer},
	} {
		t.Run(r.name, func(t *testing.T) {
			row(t, r.id, overHTTP, func(h *house) {
				r.opts.Compress = true
				h.offer = r.offer
				a := new(actor)
				c := h.open(a, &r.opts)
				if c.answer != r.want || a.session().Extensions() != r.want {
					h.Fatalf("%q is answered %q, want %q; Session.Extensions %q", r.offer, c.answer, r.want, a.s.Extensions())
				}
				if r.want == "" {
					c.send(text("plain"))
					c.wantText("uncompressed", "plain")
					return
				}
				for range 3 {
					c.send(c.deflated("hello hello hello"))
					c.wantDeflated("compressed", "hello hello hello")
				}
			})
		})
	}
	row(t, "6.compress", overHTTP, func(h *house) {
		h.offer = plainOffer
		c := h.open(new(actor), nil)
		if c.answer != "" {
			h.Fatalf("by default %q", c.answer)
		}
		c.send(rsv1(wsframe.Header{Fin: true, Op: wsframe.Text}, "x"))
		c.wantClose("not agreed on", 1002, "")
		c = h.agreed(new(actor), websocket.Options{}, plainOffer)
		c.send(c.deflated("hello"))
		c.wantDeflated("agreed on", "hello")
	})
}

// All combinations of the four parameters, both ways. Where the context is taken over a second
// saying costs little, and where it is not it costs what the first did.
func TestTakeoverAndBits(t *testing.T) {
	said := random(1, 200)
	for _, r := range []struct {
		id, offer string
		bits      int
		takeover  bool
	}{
		{"6.takeover", plainOffer, 15, true},
		{"6.takeover", "permessage-deflate; server_no_context_takeover", 15, false},
		{"6.takeover", "permessage-deflate; client_no_context_takeover", 15, true},
		{"6.takeover", "permessage-deflate; client_no_context_takeover; server_no_context_takeover", 15, false},
		{"6.bits", "permessage-deflate; server_max_window_bits=15; client_max_window_bits=15", 15, true},
		{"6.bits", "permessage-deflate; server_max_window_bits=8; client_max_window_bits=8", 8, true},
		{"6.bits", "permessage-deflate; server_max_window_bits=8; server_no_context_takeover", 8, false},
		{"6.bits", "permessage-deflate; server_max_window_bits=12; client_max_window_bits=9; client_no_context_takeover", 12, true},
	} {
		row(t, r.id, all, func(h *house) {
			c := h.agreed(new(actor), websocket.Options{}, r.offer)
			var sizes []int
			for _, m := range []string{said, said, random(2, 5000), said} {
				c.send(c.deflated(m))
				sizes = append(sizes, c.wantDeflated("echo", m))
			}
			if short := sizes[1] < 50; short != r.takeover {
				h.Errorf("the second time %d octets, the first %d", sizes[1], sizes[0])
			}
			if short := sizes[3] < 50; short != (r.takeover && r.bits > 12) {
				h.Errorf("5000 octets later %d octets, at first %d", sizes[3], sizes[0])
			}
			// Of a message longer than the window.
			c.send(c.deflated(random(4, 5000)))
			c.wantDeflated("echo", random(4, 5000))
			long := said + random(3, 300) + said
			c.send(c.deflated(long))
			if n := c.wantDeflated("echo", long); (n < 500) != (r.bits > 8) {
				h.Errorf("%d octets for a saying 300 octets later", n)
			}
		})
	}
}

// A client that refers back beyond the window it agreed on, or beyond its own message without
// takeover, is wrong.
func TestBeyondTheWindow(t *testing.T) {
	for _, r := range []struct {
		id, name, offer string
	}{
		{"6.bits", "window", "permessage-deflate; client_max_window_bits=8"},
		{"6.takeover", "message", "permessage-deflate; client_no_context_takeover"},
	} {
		t.Run(r.name, func(t *testing.T) {
			row(t, r.id, all, func(h *house) {
				a := new(actor)
				c := h.agreed(a, websocket.Options{}, r.offer)
				wrong := newCodec(plainOffer)
				m := random(1, 200)
				for range 2 {
					c.send(rsv1(wsframe.Header{Fin: true, Op: wsframe.Text}, wrong.compress(m+random(2, 400)+m)))
				}
				if r.name == "message" {
					c.wantDeflated("the first is fine", m+random(2, 400)+m)
				}
				c.wantClose("a reference too far", 1002, "")
				h.wantReason(a, "error:badframe")
			})
		})
	}
}

func TestDeflateCommand(t *testing.T) {
	row(t, "3.deflate", all, func(h *house) {
		a := new(actor)
		c := h.agreed(a, websocket.Options{}, plainOffer)
		s := a.session()
		s.Post(fromInfo{websocket.Text("1"), websocket.Deflate(false), websocket.Text("2"), websocket.Ping("p"), websocket.Deflate(true), websocket.Text("3"), websocket.Deflate(false)})
		c.wantDeflated("before it", "1")
		c.wantText("in its list", "2")
		c.want("a control frame", wsframe.Ping, "p")
		c.wantDeflated("on again", "3")
		s.Post(fromInfo{websocket.Text("4")})
		c.wantText("later", "4")
		s.Post(fromInfo{websocket.Text("5"), websocket.Deflate(true)})
		c.wantText("still", "5")
		s.Post(fromInfo{websocket.Text("1 and 3")})
		c.wantDeflated("the window is what was compressed", "1 and 3")
	})
	row(t, "3.deflate.not_agreed", all, func(h *house) {
		a := new(actor)
		c := h.open(a, &websocket.Options{Compress: true})
		a.session().Post(fromInfo{websocket.Deflate(true), websocket.Text("plain")})
		c.wantText("not compressed", "plain")
		c.send(rsv1(wsframe.Header{Fin: true, Op: wsframe.Text}, "\x00"))
		c.wantClose("nor is anything inflated", 1002, "")
	})
	row(t, "3.deflate.incoming", all, func(h *house) {
		a := new(actor)
		c := h.agreed(a, websocket.Options{}, plainOffer)
		a.session().Post(fromInfo{websocket.Deflate(false)})
		synctest.Wait()
		for range 3 {
			c.send(c.deflated("hello hello"))
			c.wantText("inflated, answered plain", "hello hello")
		}
	})
	row(t, "6.threshold", all, func(h *house) {
		c := h.agreed(new(actor), websocket.Options{CompressThreshold: 10}, plainOffer)
		for range 2 {
			c.send(text("123456789"), c.deflated("1234567890"))
			c.wantText("under it", "123456789")
			c.wantDeflated("at it", "1234567890")
		}
	})
}

// What a compressed message may look like (RFC 7692, 6.1 and 7.2.3).
func TestCompressedMessages(t *testing.T) {
	const hello = "\xf2\x48\xcd\xc9\xc9\x07\x00" // RFC 7692, 7.2.3.1
	whole := func(op wsframe.Opcode, p string) []byte { return rsv1(wsframe.Header{Fin: true, Op: op}, p) }
	row(t, "6.messages", all, func(h *house) {
		c := h.agreed(new(actor), websocket.Options{}, plainOffer)
		c.send(c.deflated(""), whole(wsframe.Text, ""))
		c.wantDeflated("an empty one", "")
		c.wantDeflated("without an octet", "")
		c.send(text("plain"))
		c.wantDeflated("an uncompressed one is answered compressed", "plain")
		p := c.compress("fragmented message")
		c.send(rsv1(wsframe.Header{Op: wsframe.Text}, p[:3]), ping("between"), more(""), more(p[3:4]), last(p[4:]))
		c.want("the ping between is answered first", wsframe.Pong, "between")
		c.wantDeflated("one message", "fragmented message")
		c.send(rsv1(wsframe.Header{Op: wsframe.Text}, ""), last(c.compress("all of it later")))
		c.wantDeflated("the first fragment may be empty", "all of it later")
		c.send(begin(wsframe.Text, "plain "), last("fragments"))
		c.wantDeflated("uncompressed fragments", "plain fragments")
		big := strings.Repeat("0123456789", 20_000)
		c.send(c.deflated(big))
		c.wantDeflated("a large one", big)
	})
	for name, payload := range map[string]string{
		"7692-7.2.3.1/one_block":  hello,
		"7692-7.2.3.3/stored":     "\x00\x05\x00\xfa\xffHello\x00",
		"7692-7.2.3.4/final":      "\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
		"7692-7.2.3.5/two_blocks": "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
	} {
		t.Run(name, func(t *testing.T) {
			row(t, "6.messages", all, func(h *house) {
				c := h.agreed(new(actor), websocket.Options{}, plainOffer)
				for range 2 {
					c.send(whole(wsframe.Text, payload))
					c.wantDeflated("inflated", "Hello")
				}
			})
		})
	}
}

// What is wrong once compression was agreed on.
func TestCompressedEnds(t *testing.T) {
	zipped := newCodec(plainOffer)
	for _, r := range []struct {
		id, name string
		frames   [][]byte
		code     websocket.CloseCode
		reason   string
	}{
		{"5.rsv1", "7692-6/continuation", [][]byte{begin(wsframe.Text, "a"), rsv1(wsframe.Header{Fin: true}, "b")}, 1002, "error:badframe"},
		{"5.rsv1", "7692-6/continuation_of_compressed", [][]byte{rsv1(wsframe.Header{Op: wsframe.Text}, "\x00"), rsv1(wsframe.Header{Fin: true}, "")}, 1002, "error:badframe"},
		{"5.rsv1", "7692-6.1/ping", [][]byte{rsv1(wsframe.Header{Fin: true, Op: wsframe.Ping}, "p")}, 1002, "error:badframe"},
		{"5.rsv1", "7692-6.1/pong", [][]byte{rsv1(wsframe.Header{Fin: true, Op: wsframe.Pong}, "p")}, 1002, "error:badframe"},
		{"5.rsv1", "7692-6.1/close", [][]byte{rsv1(wsframe.Header{Fin: true, Op: wsframe.Close}, "\x03\xe8")}, 1002, "error:badframe"},
		{"5.utf8.compressed", "6455-8.1/text", [][]byte{rsv1(wsframe.Header{Fin: true, Op: wsframe.Text}, zipped.compress("bad \xff"))}, 1007, "error:badencoding"},
		{"5.utf8.compressed", "6455-8.1/ends_inside", [][]byte{rsv1(wsframe.Header{Fin: true, Op: wsframe.Text}, newCodec(plainOffer).compress("bad \xe2\x82"))}, 1007, "error:badencoding"},
		{"6.corrupt", "7692-7.2.2/reserved_block", [][]byte{rsv1(wsframe.Header{Fin: true, Op: wsframe.Text}, "\x06")}, 1002, "error:badframe"},
		{"6.corrupt", "7692-7.2.2/ends_inside", [][]byte{rsv1(wsframe.Header{Fin: true, Op: wsframe.Binary}, "\xf2\x48\xcd")}, 1002, "error:badframe"},
		{"6.corrupt", "7692-7.2.2/behind_final", [][]byte{rsv1(wsframe.Header{Fin: true, Op: wsframe.Binary}, "\xf3\x48\xcd\xc9\xc9\x07\x00\xff")}, 1002, "error:badframe"},
		{"6.corrupt", "7692-7.2.2/fragments", [][]byte{rsv1(wsframe.Header{Op: wsframe.Text}, "\x06"), more("xx"), last("yy")}, 1002, "error:badframe"},
	} {
		t.Run(r.name, func(t *testing.T) {
			row(t, r.id, all, func(h *house) {
				for _, cut := range []bool{false, true} {
					a := new(actor)
					c := h.agreed(a, websocket.Options{}, plainOffer)
					for _, f := range r.frames {
						for cut && len(f) > 1 {
							c.send(f[:1])
							synctest.Wait()
							f = f[1:]
						}
						c.send(f)
					}
					c.wantClose("the same whole and cut", r.code, "")
					h.wantReason(a, r.reason)
				}
			})
		})
	}
	// Bad text that is compressed waits for its end, and may be taken as it is.
	row(t, "5.utf8.off", all, func(h *house) {
		c := h.agreed(new(actor), websocket.Options{NoValidateUTF8: true}, plainOffer)
		c.send(c.deflated("bad \xff"))
		c.wantDeflated("as it is", "bad \xff")
	})
}
