package behaviour_test

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/websocket"
	"weir/wsframe"
)

// BEHAVIOUR 5: frames, and the ends that what arrives can have (BEHAVIOUR 4).

// endRow is what a peer sends and the end it gets.
type endRow struct {
	id, name string
	send     [][]byte
	code     websocket.CloseCode
	reason   string
	got      websocket.CloseCode // the peer's, in the reason
	text     string
}

func TestWhatEndsIt(t *testing.T) {
	long := strings.Repeat("x", 126)
	unmasked := wsframe.AppendFrame(nil, wsframe.Header{Fin: true, Op: wsframe.Text}, []byte("y"))
	raw := func(h wsframe.Header) [][]byte { return [][]byte{frame(h, "x")} }
	one := func(b []byte) [][]byte { return [][]byte{b} }
	const badframe, badencoding, badsize = "error:badframe", "error:badencoding", "error:badsize"
	rows := []endRow{
		{id: "4.remote.empty", name: "6455-5.5.1/empty", send: one(closing(0, "")), reason: "remote"},
		{id: "4.remote.code", name: "6455-5.5.1/1000", send: one(closing(1000, "")), code: 1000, reason: "remote", got: 1000},
		{id: "4.remote.code", name: "6455-5.5.1/text", send: one(closing(3000, "bye")), code: 3000, reason: "remote", got: 3000, text: "bye"},
		{id: "4.badframe", name: "6455-5.2/opcode", send: raw(wsframe.Header{Fin: true, Op: 4}), code: 1002, reason: badframe},
		{id: "4.badencoding", name: "6455-8.1/text", send: one(text("\xff")), code: 1007, reason: badencoding},
		{id: "4.badencoding", name: "6455-5.5.1/close_text", send: one(closing(1000, "\xff")), code: 1007, reason: badencoding},
		{id: "4.badsize", name: "6455-10.4/frame", send: one([]byte{0x82, 0xff, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x41}), code: 1009, reason: badsize},
		{id: "5.rsv", name: "6455-5.2/rsv2", send: raw(wsframe.Header{Fin: true, RSV2: true, Op: wsframe.Text}), code: 1002, reason: badframe},
		{id: "5.rsv", name: "6455-5.2/rsv3", send: raw(wsframe.Header{Fin: true, RSV3: true, Op: wsframe.Text}), code: 1002, reason: badframe},
		{id: "5.rsv", name: "6455-5.2/rsv3_of_ping", send: raw(wsframe.Header{Fin: true, RSV3: true, Op: wsframe.Ping}), code: 1002, reason: badframe},
		{id: "5.rsv1", name: "6455-5.2/not_agreed", send: raw(wsframe.Header{Fin: true, RSV1: true, Op: wsframe.Text}), code: 1002, reason: badframe},
		{id: "5.opcode", name: "6455-5.2/3", send: raw(wsframe.Header{Fin: true, Op: 3}), code: 1002, reason: badframe},
		{id: "5.opcode", name: "6455-5.2/11", send: raw(wsframe.Header{Fin: true, Op: 11}), code: 1002, reason: badframe},
		{id: "5.control_fragmented", name: "6455-5.5/ping", send: raw(wsframe.Header{Op: wsframe.Ping}), code: 1002, reason: badframe},
		{id: "5.control_fragmented", name: "6455-5.5/close", send: raw(wsframe.Header{Op: wsframe.Close}), code: 1002, reason: badframe},
		{id: "5.continuation", name: "6455-5.4/without", send: one(last("x")), code: 1002, reason: badframe},
		{id: "5.continuation", name: "6455-5.4/data_within", send: [][]byte{begin(wsframe.Text, "x"), text("y")}, code: 1002, reason: badframe},
		{id: "5.control_length", name: "6455-5.5/ping_126", send: one(ping(long)), code: 1002, reason: badframe},
		{id: "5.control_length", name: "6455-5.5.1/close_of_1", send: one(frame(wsframe.Header{Fin: true, Op: wsframe.Close}, "x")), code: 1002, reason: badframe},
		{id: "5.length_form", name: "6455-5.2/16_bits", send: one([]byte{0x81, 0xfe, 0, 125}), code: 1002, reason: badframe},
		{id: "5.length_form", name: "6455-5.2/64_bits", send: one([]byte{0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff}), code: 1002, reason: badframe},
		{id: "5.length_form", name: "6455-5.2/top_bit", send: one([]byte{0x81, 0xff, 0x80}), code: 1002, reason: badframe},
		{id: "5.mask", name: "6455-5.1/unmasked", send: one(unmasked), code: 1002, reason: badframe},
		{id: "5.size", name: "6455-10.4/frame", send: one([]byte{0x82, 0xff, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x41}), code: 1009, reason: badsize},
		{id: "5.size", name: "6455-10.4/fragments", send: [][]byte{begin(wsframe.Binary, strings.Repeat("x", 1000)), {0x80, 0xff, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x40}}, code: 1009, reason: badsize},
		{id: "5.before", name: "6455-5/delivered", send: raw(wsframe.Header{Fin: true, Op: 5}), code: 1002, reason: badframe},
		{id: "5.utf8", name: "6455-8.1/surrogate", send: one(text("\xed\xa0\x80")), code: 1007, reason: badencoding},
		{id: "5.utf8", name: "6455-8.1/overlong", send: one(text("\xc0\xaf")), code: 1007, reason: badencoding},
		{id: "5.utf8", name: "6455-8.1/above_10FFFF", send: one(text("\xf4\x90\x80\x80")), code: 1007, reason: badencoding},
		{id: "5.utf8", name: "6455-8.1/ends_inside", send: one(text("\xe2\x82")), code: 1007, reason: badencoding},
		{id: "5.utf8", name: "6455-8.1/fragments", send: [][]byte{begin(wsframe.Text, "\xe2\x82"), more("\xac"), last("\xac")}, code: 1007, reason: badencoding},
		{id: "5.utf8", name: "6455-5.5.1/close_text", send: one(closing(1000, "\xed\xa0\x80")), code: 1007, reason: badencoding},
		{id: "5.close_in_message", name: "6455-5.4/close", send: [][]byte{begin(wsframe.Text, "x"), closing(1001, "")}, code: 1001, reason: "remote", got: 1001},
	}
	for _, code := range []websocket.CloseCode{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		rows = append(rows, endRow{id: "4.codes", name: "6455-7.4/" + strconv.Itoa(int(code)), send: one(closing(code, "")), code: code, reason: "remote", got: code})
	}
	for _, code := range []websocket.CloseCode{1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		rows = append(rows, endRow{id: "4.codes", name: "6455-7.4/" + strconv.Itoa(int(code)), send: one(closing(code, "")), code: 1002, reason: badframe})
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) { row(t, r.id, all, func(h *house) { h.endRow(r) }) })
	}
}

func (h *house) endRow(r endRow) {
	a := new(actor)
	c := h.open(a, nil)
	c.send(append([][]byte{text("complete"), ping("answered")}, append(r.send, text("never looked at"))...)...)
	c.wantText("frames before the bad one are delivered", "complete")
	c.want("and answered", wsframe.Pong, "answered")
	c.wantClose("then it ends", r.code, "")
	got := h.wantReason(a, r.reason)
	if got.Code != r.got || got.Text != r.text {
		h.Fatalf("reason %+v", got)
	}
	if strings.Contains(a.told(), "never") {
		h.Fatal(a.told())
	}
}

// The octet that breaks a rule ends it: nothing behind it needs to come.
func TestJudgedAtOnce(t *testing.T) {
	for _, r := range []struct {
		id, name string
		frames   [][]byte
		before   int // octets of the last one that are fine
		code     websocket.CloseCode
	}{
		{"5.at_once", "6455-5.2/rsv", [][]byte{{0xa1}}, 0, 1002},
		{"5.at_once", "6455-5.5/control_length", [][]byte{{0x89, 0xfe}}, 1, 1002},
		{"5.at_once", "6455-5.1/mask", [][]byte{{0x81, 0x05}}, 1, 1002},
		{"5.at_once", "6455-5.2/length_form", [][]byte{{0x81, 0xff, 0, 0, 0, 0, 0, 0}}, 7, 1002},
		{"5.at_once", "6455-10.4/size", [][]byte{{0x82, 0xff, 0, 0, 0, 1}}, 5, 1009},
		{"5.at_once", "6455-7.4/close_code", [][]byte{closing(999, "text")[:8]}, 7, 1002},
		{"5.at_once", "6455-5.5.1/close_text", [][]byte{closing(1000, "\xff and more")[:9]}, 8, 1007},
		{"5.utf8.first_octet", "6455-8.1/in_a_frame", [][]byte{text("ok\xf4\x90 and much more")[:10]}, 9, 1007},
		{"5.utf8.first_octet", "6455-8.1/across_fragments", [][]byte{begin(wsframe.Text, "ok\xe2"), more("\x82\xe2 and more")[:8]}, 7, 1007},
	} {
		t.Run(r.name, func(t *testing.T) {
			row(t, r.id, all, func(h *house) {
				c := h.open(new(actor), nil)
				n := len(r.frames) - 1
				c.send(append(append([][]byte{}, r.frames[:n]...), r.frames[n][:r.before])...)
				c.wantQuiet("what there is, is fine so far")
				c.send(r.frames[n][r.before:])
				c.wantClose("the octet", r.code, "")
			})
		})
	}
}

func TestFragmentsPastTheirNumber(t *testing.T) {
	row(t, "5.fragments", all, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		c.send(begin(wsframe.Text, ""))
		many := []byte(strings.Repeat(string(more("")), 1<<10))
		for range 128 {
			c.send(many)
		}
		c.wantClose("128 Ki fragments are the most", 1008, "")
		h.wantReason(a, "error:badsize")
	})
	row(t, "4.fragments", all, func(h *house) {
		a := new(actor)
		c := h.open(a, nil)
		c.send(begin(wsframe.Binary, "x"))
		c.send([]byte(strings.Repeat(string(more("")), 128<<10-2)))
		c.send(last("y"))
		c.want("so many are a message", wsframe.Binary, "xy")
		c.send(text("next"))
		c.wantText("and the count starts anew", "next")
	})
}

func TestNoValidateUTF8(t *testing.T) {
	row(t, "5.utf8.off", all, func(h *house) {
		a := new(actor)
		c := h.open(a, &websocket.Options{NoValidateUTF8: true})
		c.send(text("\xff"), closing(1000, "\xff"))
		c.wantText("taken as it is", "\xff")
		c.wantClose("taken as it is", 1000, "")
		h.wantReason(a, "remote")
	})
}

// A header may announce what it likes: there is no memory for it before it comes.
func TestAnnouncedLength(t *testing.T) {
	row(t, "5.buffers", all, func(h *house) {
		a := new(actor)
		c := h.open(a, &websocket.Options{MaxFrameSize: -1, IdleTimeout: time.Second})
		c.send([]byte{0x82, 0xff, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 'a', 'b', 'c'}) // 2^55 octets, and then three
		synctest.Wait()
		c.wantClose("it waits for them like any other", 1000, "")
		h.wantReason(a, "timeout")
	})
}
