package h2_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2"
	"weir/h2/h2test"
	"weir/stream"
	"weir/stream/memnet"

	"golang.org/x/net/http2"
)

// raw is a client whose server says what the test wants, frame by frame.
type raw struct {
	t  *testing.T
	cl *h2.Client
	p  *h2test.Peer
}

// offering are the SETTINGS of a server that offers extended CONNECT.
var offering = []http2.Setting{{ID: http2.SettingEnableConnectProtocol, Val: 1}}

// withRaw runs f in a bubble. The server says its SETTINGS, and nothing at all if they are nil.
func withRaw(t *testing.T, cfg *h2.ClientConfig, settings []http2.Setting, f func(r *raw)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a, b := memnet.Pair(1 << 20)
		r := &raw{t: t, p: h2test.New(b, h2test.Options{Server: true, NoPreface: settings == nil, Settings: settings})}
		r.cl = h2.NewClient(a, cfg)
		defer func() {
			r.cl.Close()
			r.p.Close()
			<-r.cl.Done()
			synctest.Wait()
		}()
		r.p.Want(t, "9113-3.4, our SETTINGS come first", "SETTINGS ENABLE_PUSH=0 INITIAL_WINDOW_SIZE=65535 MAX_FRAME_SIZE=16384 MAX_HEADER_LIST_SIZE=65536")
		r.p.Want(t, "and the connection's window", "WINDOW_UPDATE 0 983041")
		if settings != nil {
			r.p.Want(t, "9113-6.5.3", "SETTINGS ACK")
			r.p.Send("SETTINGS ACK")
		}
		f(r)
	})
}

// opening is an Open under way.
type opening struct {
	st   stream.Stream
	res  *http.Response
	err  error
	done chan struct{}
}

// open begins an Open, and takes its HEADERS.
func (r *raw) open(ctx context.Context) *opening {
	r.t.Helper()
	o := r.start(ctx)
	f := r.p.Want(r.t, "8441-4", "HEADERS")
	if f.Fin() || len(f.Fields) < 5 || f.Fields[0].Name != ":method" || f.Fields[1].Name != ":protocol" {
		r.t.Errorf("the CONNECT is %v", f)
	}
	return o
}

func (r *raw) start(ctx context.Context) *opening {
	o := &opening{done: make(chan struct{})}
	go func() { // ends with Open
		defer close(o.done)
		o.st, o.res, o.err = r.cl.Open(ctx, extended("/"))
	}()
	return o
}

// TestClientAnswers: what a server may say to a CONNECT. frames are its, to stream 1.
func TestClientAnswers(t *testing.T) {
	const part = "DATA 1 LEN=16384"
	long := []string{"HEADERS 1 :status=500", part, part, part, part}
	text := strings.Repeat("x", h2.MaxAnswer)
	for name, c := range map[string]struct {
		frames []string
		status int // 0: an error
		body   string
		end    error  // of the body
		says   string // what the client ends the stream with
		wait   time.Duration
		ends   bool // the server ends the connection
		check  func(err error) bool
	}{
		"8441-5/404_with_a_body":   {frames: []string{"HEADERS 1 :status=404 content-length=4 x=y", "DATA 1 END_STREAM lost"}, status: 404, body: "lost", says: "DATA 1 END_STREAM"},
		"8441-5/403_without":       {frames: []string{"HEADERS 1 END_STREAM :status=403"}, status: 403, says: "DATA 1 END_STREAM"},
		"8441-5/trailers":          {frames: []string{"HEADERS 1 :status=403", "DATA 1 no", "HEADERS 1 END_STREAM a=b"}, status: 403, body: "no", says: "DATA 1 END_STREAM"},
		"9113-8.1/401_and_reset":   {frames: []string{"HEADERS 1 END_STREAM :status=401", "RST_STREAM 1 NO_ERROR"}, status: 401},
		"9113-8.1.1/400_and_reset": {frames: []string{"HEADERS 1 END_STREAM :status=400 content-length=0", "RST_STREAM 1 PROTOCOL_ERROR"}, status: 400},
		"8441-5/exactly_all":       {frames: append(long[:5:5], "DATA 1 END_STREAM"), status: 500, body: text, says: "DATA 1 END_STREAM"},
		"8441-5/too_long":          {frames: append(long[:5:5], "DATA 1 more"), status: 500, body: text, end: io.ErrUnexpectedEOF, says: "RST_STREAM 1 CANCEL"},
		"8441-5/too_slow":          {frames: []string{"HEADERS 1 :status=404", "DATA 1 lo"}, status: 404, body: "lo", end: io.ErrUnexpectedEOF, says: "RST_STREAM 1 CANCEL", wait: 2 * time.Second},
		"8441-5/cut_short":         {frames: []string{"HEADERS 1 :status=404", "DATA 1 lo", "RST_STREAM 1 CANCEL"}, status: 404, body: "lo", end: io.ErrUnexpectedEOF},
		"8441-5/ended_200": {frames: []string{"HEADERS 1 END_STREAM :status=200"}, says: "RST_STREAM 1 CANCEL",
			check: func(err error) bool { return errors.Is(err, stream.ErrHalfClosed) }},
		"9113-8.7/refused": {frames: []string{"RST_STREAM 1 REFUSED_STREAM"}, check: func(err error) bool {
			se, ok := errors.AsType[*h2.StreamError](err)
			return ok && se.Remote && se.Code == h2.RefusedStream && se.ID == 1 && h2.Unprocessed(err)
		}},
		"9113-6.8/goaway_before": {frames: []string{"GOAWAY 0 NO_ERROR"}, check: h2.Unprocessed},
		"9113-6.8/goaway_behind": {frames: []string{"GOAWAY 1 NO_ERROR", "HEADERS 1 END_STREAM :status=503"}, status: 503, says: "DATA 1 END_STREAM"},
		"9113-5.4.2/reset": {frames: []string{"RST_STREAM 1 INTERNAL_ERROR"}, check: func(err error) bool {
			re, ok := errors.AsType[*stream.ResetError](err)
			return ok && re.Remote && re.Code == stream.InternalError && !h2.Unprocessed(err)
		}},
		"9113-8.3.2/no_status": {frames: []string{"HEADERS 1 a=b"}, says: "RST_STREAM 1 PROTOCOL_ERROR", check: func(err error) bool {
			se, ok := errors.AsType[*h2.StreamError](err)
			return ok && !se.Remote && se.Rule == "RFC 9113, 8.3.2" && !h2.Unprocessed(err)
		}},
		"9113-8.2.2/connection": {frames: []string{"HEADERS 1 :status=200 connection=upgrade"}, says: "RST_STREAM 1 PROTOCOL_ERROR", check: func(err error) bool {
			se, ok := errors.AsType[*h2.StreamError](err)
			return ok && !se.Remote && se.Rule == "RFC 9113, 8.2.2"
		}},
		"9113-8.4/push": {frames: []string{"RAW 5 4 1 0000000288"}, says: "GOAWAY 0 PROTOCOL_ERROR", check: func(err error) bool {
			ce, ok := errors.AsType[*h2.ConnError](err)
			return ok && !ce.Remote && ce.Rule == "RFC 9113, 8.4"
		}},
		"9113-5.4.1/the_server's_fault": {frames: []string{"GOAWAY 1 INTERNAL_ERROR"}, ends: true, check: func(err error) bool {
			ce, ok := errors.AsType[*h2.ConnError](err)
			return ok && ce.Remote && ce.Code == h2.InternalError
		}},
		"9113-5.4.1/the_connection_ends": {ends: true, check: func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) && !h2.Unprocessed(err) }},
	} {
		t.Run(name, func(t *testing.T) {
			withRaw(t, nil, offering, func(r *raw) {
				o := r.open(context.Background())
				began := time.Now()
				r.p.Send(c.frames...)
				if c.ends {
					r.p.Close()
				}
				<-o.done
				if o.st != nil || (o.err != nil) != (c.status == 0) {
					r.t.Fatal(o.st, o.res, o.err)
				}
				if d := time.Since(began); d != c.wait {
					r.t.Errorf("it took %v", d)
				}
				if c.says != "" {
					f, err := r.p.Next()
					for ; err == nil && f.Type == http2.FrameWindowUpdate; f, err = r.p.Next() {
					}
					if err != nil || !f.Matches(c.says) {
						r.t.Errorf("the client ends it with %v, %v, want %s", f, err, c.says)
					}
				} else if !c.ends && r.cl.Leaving() == false {
					r.p.WantQuiet(r.t, "nothing to say", time.Second)
				}
				if o.err != nil {
					if !c.check(o.err) {
						r.t.Errorf("error %#v: %v", o.err, o.err)
					}
					return
				}
				body, err := io.ReadAll(o.res.Body)
				if o.res.StatusCode != c.status || string(body) != c.body || err != c.end {
					r.t.Errorf("%d, %d octets, %v", o.res.StatusCode, len(body), err)
				}
				if n := r.cl.Streams(); n != 0 {
					r.t.Errorf("%d streams are open", n)
				}
			})
		})
	}
}

// TestClientToldFirst: what comes in one write with the 200, and before Attach, is told first, the
// end too.
func TestClientToldFirst(t *testing.T) {
	withRaw(t, nil, offering, func(r *raw) {
		o := r.open(r.t.Context())
		r.p.Send("HEADERS 1 :status=200", "DATA 1 one", "DATA 1 two")
		<-o.done
		if o.err != nil {
			r.t.Fatal(o.err)
		}
		r.p.Send("DATA 1 END_STREAM three")
		synctest.Wait()
		sink := newSink(o.st, false)
		o.st.Attach(sink, stream.Limits{})
		synctest.Wait()
		if sink.text() != "onetwothree" || !sink.fin {
			r.t.Errorf("told %q, fin %v", sink.text(), sink.fin)
		}
		o.st.Send([][]byte{[]byte("bye")}, true)
		<-sink.closed
		r.p.Want(r.t, "our end", `DATA 1 END_STREAM "bye"`)
		if sink.err != nil {
			r.t.Errorf("Closed(%v)", sink.err)
		}
	})
}

// TestClientQuietReset: a reset with NO_ERROR takes nothing back of what came before it (RFC 9113,
// 8.1).
func TestClientQuietReset(t *testing.T) {
	withRaw(t, nil, offering, func(r *raw) {
		o := r.open(r.t.Context())
		r.p.Send("HEADERS 1 :status=200", "DATA 1 END_STREAM hello", "RST_STREAM 1 NO_ERROR")
		<-o.done
		if o.err != nil {
			r.t.Fatal(o.err)
		}
		synctest.Wait()
		sink := newSink(o.st, false)
		o.st.Attach(sink, stream.Limits{})
		<-sink.closed
		re, ok := errors.AsType[*stream.ResetError](sink.err)
		if sink.text() != "hello" || !sink.fin || !ok || !re.Remote || re.Code != stream.NoError {
			r.t.Errorf("told %q, fin %v, Closed(%v)", sink.text(), sink.fin, sink.err)
		}
	})
}

// TestClientInforms: informational responses are passed over, and told to a trace (RFC 9110, 15.2).
func TestClientInforms(t *testing.T) {
	withRaw(t, nil, offering, func(r *raw) {
		var told []int
		first := 0
		stopped := errors.New("stop")
		ctx := httptrace.WithClientTrace(r.t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				if h.Get("Stop") != "" {
					return stopped
				}
				told = append(told, code)
				return nil
			},
			GotFirstResponseByte: func() { first++ },
		})
		o := r.open(ctx)
		r.p.Send("HEADERS 1 :status=100", "HEADERS 1 :status=103 link=a", "HEADERS 1 :status=200")
		<-o.done
		if o.err != nil || o.st == nil || len(told) != 2 || told[1] != 103 || first != 1 {
			r.t.Errorf("%v; told of %v, %d", o.err, told, first)
		}
		o.st.Reset(stream.Cancel)
		r.p.Want(r.t, "given up", "RST_STREAM 1 CANCEL")
		o = r.open(ctx)
		r.p.Send("HEADERS 3 :status=103 stop=a", "HEADERS 3 :status=200")
		<-o.done
		if o.err != stopped || o.st != nil {
			r.t.Error(o.err)
		}
		r.p.Want(r.t, "the hook's error ends it", "RST_STREAM 3 CANCEL")
	})
}

// TestClientCancel: the context ends the wait for a response, with CANCEL, and a late one does no
// harm.
func TestClientCancel(t *testing.T) {
	withRaw(t, nil, offering, func(r *raw) {
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(r.t.Context())
		o := r.open(ctx)
		cancel(cause)
		<-o.done
		if !errors.Is(o.err, cause) || h2.Unprocessed(o.err) {
			r.t.Error(o.err)
		}
		r.p.Want(r.t, "8441-5", "RST_STREAM 1 CANCEL")
		r.p.Send("HEADERS 1 :status=200", "DATA 1 late")
		o = r.open(r.t.Context())
		r.p.Send("HEADERS 3 :status=200")
		<-o.done
		if o.err != nil {
			r.t.Error(o.err)
		}
	})
}

// TestClientCloseInOpen: Close ends what waits for a response, or for SETTINGS.
func TestClientCloseInOpen(t *testing.T) {
	withRaw(t, nil, offering, func(r *raw) {
		o := r.open(r.t.Context())
		r.cl.Close()
		<-o.done
		if !errors.Is(o.err, net.ErrClosed) || h2.Unprocessed(o.err) {
			r.t.Error(o.err)
		}
		r.p.Want(r.t, "given up", "RST_STREAM 1 CANCEL")
		r.p.Want(r.t, "the last word", "GOAWAY 0 NO_ERROR")
	})
	withRaw(t, nil, nil, func(r *raw) {
		o := r.start(r.t.Context())
		synctest.Wait()
		r.cl.Close()
		<-o.done
		if !errors.Is(o.err, net.ErrClosed) {
			r.t.Error(o.err)
		}
	})
}

// TestClientOffer is INTEROP.md, P1, P3 and P23: the first SETTINGS decide, and a later one may add
// the offer.
func TestClientOffer(t *testing.T) {
	t.Run("8441-3/absent_then_added", func(t *testing.T) {
		withRaw(t, nil, []http2.Setting{}, func(r *raw) {
			if ok, err := r.cl.ExtendedConnect(r.t.Context()); ok || err != nil {
				r.t.Fatal(ok, err)
			}
			if _, _, err := r.cl.Open(r.t.Context(), extended("/")); err != h2.ErrNoExtendedConnect {
				r.t.Fatal(err)
			}
			r.p.Send("SETTINGS ENABLE_CONNECT_PROTOCOL=1")
			r.p.Want(r.t, "nothing but", "SETTINGS ACK")
			if ok, err := r.cl.ExtendedConnect(r.t.Context()); !ok || err != nil {
				r.t.Error(ok, err)
			}
			r.open(r.t.Context())
		})
	})
	t.Run("8441-3/zero", func(t *testing.T) {
		withRaw(t, nil, []http2.Setting{{ID: http2.SettingEnableConnectProtocol}}, func(r *raw) {
			if ok, err := r.cl.ExtendedConnect(r.t.Context()); ok || err != nil {
				r.t.Error(ok, err)
			}
		})
	})
	t.Run("8441-3/taken_back", func(t *testing.T) {
		withRaw(t, nil, offering, func(r *raw) {
			o := r.open(r.t.Context())
			r.p.Send("SETTINGS ENABLE_CONNECT_PROTOCOL=0")
			<-o.done
			if ce, ok := errors.AsType[*h2.ConnError](o.err); !ok || ce.Rule != "RFC 8441, 3" {
				r.t.Error(o.err)
			}
			r.p.Want(r.t, "a fault", "GOAWAY 0 PROTOCOL_ERROR")
		})
	})
	t.Run("9113-3.4/waits_for_SETTINGS", func(t *testing.T) {
		withRaw(t, nil, nil, func(r *raw) {
			if r.cl.Room() != 0 {
				r.t.Error("room before SETTINGS")
			}
			o := r.start(r.t.Context())
			synctest.Wait()
			r.p.WantQuiet(r.t, "no CONNECT before the server's SETTINGS", time.Second)
			r.p.Send("SETTINGS ENABLE_CONNECT_PROTOCOL=1")
			r.p.Want(r.t, "its ACK", "SETTINGS ACK")
			r.p.Want(r.t, "then the CONNECT", "HEADERS 1")
			r.p.Send("HEADERS 1 END_STREAM :status=403")
			<-o.done
		})
	})
	t.Run("9113-3.4/never", func(t *testing.T) {
		withRaw(t, &h2.ClientConfig{HandshakeTimeout: 5 * time.Second}, nil, func(r *raw) {
			ctx, cancel := context.WithTimeout(r.t.Context(), time.Second)
			defer cancel()
			if err := r.cl.Ready(ctx); !errors.Is(err, context.DeadlineExceeded) {
				r.t.Error(err)
			}
			_, err := r.cl.ExtendedConnect(r.t.Context())
			ce, ok := errors.AsType[*h2.ConnError](err)
			if !ok || ce.Limit != h2.LimitHandshake || ce.Rule != "RFC 9113, 3.4" {
				r.t.Error(err)
			}
			r.p.Want(r.t, "a fault", "GOAWAY 0 PROTOCOL_ERROR")
		})
	})
	t.Run("9113-3.4/HTTP/1.1_answers", func(t *testing.T) {
		withRaw(t, nil, nil, func(r *raw) {
			r.p.WriteRaw([]byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"))
			err := r.cl.Ready(r.t.Context())
			if ce, ok := errors.AsType[*h2.ConnError](err); !ok || ce.Remote {
				r.t.Error(err)
			}
			r.p.Want(r.t, "a fault", "GOAWAY 0")
		})
	})
}

// TestClientRoom: the server's number counts, and it may change (RFC 9113, 5.1.2).
func TestClientRoom(t *testing.T) {
	withRaw(t, &h2.ClientConfig{MaxStreams: 3}, append(offering, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1}), func(r *raw) {
		r.open(r.t.Context())
		if _, _, err := r.cl.Open(r.t.Context(), extended("/")); err != h2.ErrNoRoom {
			r.t.Fatal(err)
		}
		r.p.Send("SETTINGS MAX_CONCURRENT_STREAMS=100")
		r.p.Want(r.t, "nothing was opened", "SETTINGS ACK")
		if n := r.cl.Room(); n != 2 {
			r.t.Errorf("room for %d: our own number is 3", n)
		}
		r.open(r.t.Context())
		r.p.Send("RST_STREAM 1 REFUSED_STREAM", "RST_STREAM 3 REFUSED_STREAM")
		synctest.Wait()
		if n := r.cl.Room(); n != 3 {
			r.t.Errorf("room for %d", n)
		}
	})
}

// TestClientDead: a server that says nothing is asked, and given up (RFC 9113, 6.7).
func TestClientDead(t *testing.T) {
	cfg := &h2.ClientConfig{PingInterval: 30 * time.Second, PingTimeout: 5 * time.Second}
	withRaw(t, cfg, offering, func(r *raw) {
		o := r.open(r.t.Context())
		r.p.Send("HEADERS 1 :status=200")
		<-o.done
		sink := newSink(o.st, false)
		o.st.Attach(sink, stream.Limits{})
		f := r.next(31 * time.Second)
		if !f.Matches("PING") {
			r.t.Fatal(f)
		}
		r.p.Send("DATA 1 alive")
		synctest.Wait()
		began := time.Now()
		if f := r.next(31 * time.Second); !f.Matches("PING") || time.Since(began) < 29*time.Second {
			r.t.Fatalf("%v after %v", f, time.Since(began))
		}
		<-sink.closed
		if d := time.Since(began); d < 35*time.Second || d > 36*time.Second || !errors.Is(sink.err, os.ErrDeadlineExceeded) {
			r.t.Errorf("Closed(%v) after %v", sink.err, d)
		}
		if !errors.Is(r.cl.Err(), os.ErrDeadlineExceeded) {
			<-r.cl.Done()
			if err := r.cl.Err(); !errors.Is(err, os.ErrDeadlineExceeded) {
				r.t.Error(err)
			}
		}
	})
}

// next is the next frame, waited for longer than the peer does by itself.
func (r *raw) next(d time.Duration) h2test.Frame {
	r.t.Helper()
	for by := time.Now().Add(d); time.Now().Before(by); {
		if f, err := r.p.Next(); err == nil {
			return f
		} else if !errors.Is(err, os.ErrDeadlineExceeded) {
			r.t.Fatal(err)
		}
	}
	r.t.Fatal("no frame")
	return h2test.Frame{}
}

// TestClientPanic: a sink that panics loses its stream; the connection and its other streams live.
func TestClientPanic(t *testing.T) {
	var log lockedBuffer
	withRaw(t, &h2.ClientConfig{Logger: slog.New(slog.NewTextHandler(&log, nil))}, offering, func(r *raw) {
		o := r.open(r.t.Context())
		r.p.Send("HEADERS 1 :status=200")
		<-o.done
		o.st.Attach(boomSink{}, stream.Limits{})
		r.p.Send("DATA 1 boom")
		r.p.Want(r.t, "the stream is given up", "RST_STREAM 1 INTERNAL_ERROR")
		r.p.Send("PING 0102030405060708")
		r.p.Want(r.t, "the connection lives", "PING ACK")
		synctest.Wait() // nobody waits for a log
		if !strings.Contains(log.String(), "ERROR") || !strings.Contains(log.String(), "boom") {
			r.t.Errorf("logged %q", log.String())
		}
	})
}

type boomSink struct{}

func (boomSink) Data(b []byte, _ bool) { panic(string(b)) }
func (boomSink) Drained()              {}
func (boomSink) Closed(error)          {}
