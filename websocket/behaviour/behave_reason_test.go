package behaviour_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/upgrade"
	"weir/websocket"
	"weir/wsframe"
)

// What a Reason says of who closed, and with what.

// sentWith is a SentClose.
func sentWith(code websocket.CloseCode, text string) websocket.SentClose {
	return websocket.SentClose{Frame: true, Code: code, Text: text}
}

func TestReasonSent(t *testing.T) {
	none := websocket.SentClose{}
	row(t, "4.sent", all, func(h *house) {
		for _, r := range []struct {
			name, reason string
			sent         websocket.SentClose
			do           func(c *client, s *websocket.Session)
		}{
			{"peer", "remote", sentWith(4000, ""), func(c *client, _ *websocket.Session) { c.send(closing(4000, "theirs")) }},
			{"peer, empty", "remote", sentWith(0, ""), func(c *client, _ *websocket.Session) { c.send(closing(0, "")) }},
			{"close", "stop", sentWith(4001, "ours"), func(_ *client, s *websocket.Session) { s.Send(websocket.Close(4001, "ours")) }},
			{"close, empty", "stop", sentWith(0, ""), func(_ *client, s *websocket.Session) { s.Send(websocket.Close(0, "")) }},
			{"stop", "stop", sentWith(1000, ""), func(_ *client, s *websocket.Session) { s.Send(websocket.Stop()) }},
			{"idle", "timeout", sentWith(1000, ""), func(*client, *websocket.Session) { time.Sleep(websocket.DefaultIdleTimeout) }},
			{"bad frame", "error:badframe", sentWith(1002, ""), func(c *client, _ *websocket.Session) { c.send([]byte{0x83, 0x80, 0, 0, 0, 0}) }},
			{"bad text", "error:badencoding", sentWith(1007, ""), func(c *client, _ *websocket.Session) { c.send(text("\xff")) }},
			{"bad size", "error:badsize", sentWith(1009, ""), func(c *client, _ *websocket.Session) {
				c.send([]byte{0x82, 0xff, 0, 0, 0, 0, 0, 0x20, 0, 0}) // 2 MiB are announced
			}},
			{"crash", "crash:throw", sentWith(1011, ""), func(_ *client, s *websocket.Session) { s.Post("crash") }},
			{"no close frame", "error:closed", none, func(c *client, _ *websocket.Session) { c.wire.CloseWrite() }},
			{"reset", "error:closed", none, func(c *client, _ *websocket.Session) { c.reset() }},
			{"cut", "error:closed", none, func(_ *client, s *websocket.Session) { s.Cut() }},
		} {
			a := &actor{onInfo: func(any, websocket.Commands) websocket.Commands { panic("crash") }}
			c := h.open(a, nil)
			r.do(c, a.session())
			if got := h.wantReason(a, r.reason); got.Sent != r.sent || got.Drain {
				h.Errorf("%s: sent %+v, drain %v; want %+v", r.name, got.Sent, got.Drain, r.sent)
			}
		}
	})
}

// A close frame that could not be handed to the transport was not sent: the stream had gone.
func TestReasonSentNowhere(t *testing.T) {
	row(t, "4.sent.gone", all, func(h *house) {
		inside, leave := make(chan struct{}), make(chan struct{})
		a := &actor{onHandle: func(_ websocket.Frame, out websocket.Commands) websocket.Commands {
			close(inside)
			<-leave
			return append(out, websocket.Close(1000, "too late"))
		}}
		c := h.open(a, nil)
		c.send(text("x"))
		<-inside
		a.s.Cut()
		synctest.Wait()
		close(leave)
		if r := h.wantReason(a, "stop"); r.Sent != (websocket.SentClose{}) {
			h.Errorf("sent %+v, to nobody", r.Sent)
		}
	})
}

// Drain says that the server had asked the session to end, whoever ended it.
func TestReasonDrain(t *testing.T) {
	row(t, "8.reason", overHTTP, func(h *house) {
		type drained struct {
			*actor
			websocket.Drainer
		}
		plain, asked, busy := new(actor), new(actor), new(actor)
		p := h.open(plain, nil)
		c := h.open(drained{asked, drainFunc(func(out websocket.Commands) websocket.Commands {
			return append(out, websocket.Close(4002, "moved"))
		})}, nil)
		b := h.open(drained{busy, drainFunc(func(out websocket.Commands) websocket.Commands {
			return append(out, websocket.Text("bring it to an end"))
		})}, nil)
		done := h.shutdown(10 * time.Second)
		p.wantCloseFrame("without Drain", 1001, "")
		c.wantCloseFrame("what Drain returned", 4002, "moved")
		b.wantText("what Drain returned", "bring it to an end")
		b.send(closing(1000, "done"))
		b.wantCloseFrame("the answer", 1000, "")
		for _, c := range []*client{p, c, b} {
			c.wire.CloseWrite()
		}
		for _, r := range []struct {
			a      *actor
			reason string
			sent   websocket.SentClose
		}{{plain, "stop", sentWith(1001, "")}, {asked, "stop", sentWith(4002, "moved")}, {busy, "remote", sentWith(1000, "")}} {
			if got := h.wantReason(r.a, r.reason); !got.Drain || got.Sent != r.sent {
				h.Errorf("%+v, want a drain, and %+v sent", got, r.sent)
			}
		}
		if err := <-done; err != nil {
			h.Error(err)
		}
	})
}

type drainFunc func(out websocket.Commands) websocket.Commands

func (f drainFunc) Drain(out websocket.Commands) websocket.Commands { return f(out) }

// A CloseError has the whole Reason.
func TestReasonOfConn(t *testing.T) {
	each(t, []string{"h1", "h2"}, func(h *house) {
		conns := make(chan *websocket.Conn, 1)
		h.mux.HandleFunc("/accept", func(w http.ResponseWriter, r *http.Request) {
			c, err := websocket.Accept(w, r, nil)
			if err != nil {
				t.Error(err)
			}
			conns <- c
		})
		peer, _, err := h.dialer().Dial(background, h.url("/accept"), nil)
		if err != nil {
			h.Fatal(err)
		}
		c := <-conns
		go peer.Close(websocket.CloseGoingAway, "bye") // ends with the WebSocket
		_, _, err = c.Read(context.Background())
		e, ok := errors.AsType[*websocket.CloseError](err)
		if !ok {
			h.Fatal(err)
		}
		if r := e.Reason; r.Code != websocket.CloseGoingAway || r.Text != "bye" || r.Sent != sentWith(1001, "") {
			h.Errorf("%+v", r)
		}
	})
}

// A Terminate with package upgrade's types would never be called: the handshake fails, and says so.
type wrongTerminate struct{ websocket.HandlerFunc }

func (wrongTerminate) Terminate(upgrade.Reason, *upgrade.PartialRequest) {}

func TestWrongTerminate(t *testing.T) {
	row(t, "1.wrong_terminate", overHTTP, func(h *house) {
		if _, err := h.tryOpen(wrongTerminate{}, nil); err == nil || !strings.Contains(err.Error(), "500") {
			h.Errorf("%v, want status 500", err)
		}
		if got := h.log.String(); !strings.Contains(got, "Terminate of a behaviour_test.wrongTerminate takes a Reason of package upgrade") {
			h.Errorf("the log says %q", got)
		}
		if _, _, err := new(websocket.Dialer).DialHandler(background, "ws://weir.test/", wrongTerminate{}, nil); !errors.Is(err, websocket.ErrRequest) {
			h.Errorf("a client gets %v", err)
		}
		if _, _, err := new(websocket.Dialer).DialHandler(background, "ws://weir.test/", nil, nil); !errors.Is(err, websocket.ErrRequest) {
			h.Errorf("a client without a handler gets %v", err)
		}
	})
}

// The duplicated types are the same but for their package, and so are their words.
func TestReasonWords(t *testing.T) {
	for _, r := range []struct {
		kind  websocket.ReasonKind
		their upgrade.Kind
		word  string
	}{
		{websocket.ReasonNormal, upgrade.Normal, "normal"}, {websocket.ReasonStop, upgrade.Stop, "stop"}, {websocket.ReasonTimeout, upgrade.Timeout, "timeout"},
		{websocket.ReasonRemote, upgrade.Remote, "remote"}, {websocket.ReasonError, upgrade.Error, "error"}, {websocket.ReasonCrash, upgrade.Crash, "crash"},
	} {
		if r.kind != websocket.ReasonKind(r.their) || r.kind.String() != r.word || r.their.String() != r.word {
			t.Errorf("%d %s is %d %s, want %s", r.kind, r.kind, r.their, r.their, r.word)
		}
	}
	for _, r := range []struct {
		class websocket.CrashClass
		their upgrade.Class
		word  string
	}{
		{websocket.ClassNone, upgrade.ClassNone, ""}, {websocket.ClassError, upgrade.ClassError, "error"},
		{websocket.ClassExit, upgrade.ClassExit, "exit"}, {websocket.ClassThrow, upgrade.ClassThrow, "throw"},
	} {
		if r.class != websocket.CrashClass(r.their) || r.class.String() != r.word || r.their.String() != r.word {
			t.Errorf("%d %s is %d %s, want %s", r.class, r.class, r.their, r.their, r.word)
		}
	}
}

// The codes and the frame types are those of wsframe, which has them from RFC 6455.
func TestCodesAreThose(t *testing.T) {
	for ours, theirs := range map[websocket.CloseCode]wsframe.CloseCode{
		websocket.CloseNormalClosure: wsframe.NormalClosure, websocket.CloseGoingAway: wsframe.GoingAway, websocket.CloseProtocolError: wsframe.ProtocolError,
		websocket.CloseUnsupportedData: wsframe.UnsupportedData, websocket.CloseNoStatusReceived: wsframe.NoStatus, websocket.CloseAbnormalClosure: wsframe.Abnormal,
		websocket.CloseInvalidFramePayloadData: wsframe.InvalidPayload, websocket.ClosePolicyViolation: wsframe.PolicyViolation,
		websocket.CloseMessageTooBig: wsframe.MessageTooBig, websocket.CloseMandatoryExtension: wsframe.MandatoryExtension,
		websocket.CloseInternalError: wsframe.InternalError, websocket.CloseServiceRestart: wsframe.ServiceRestart, websocket.CloseTryAgainLater: wsframe.TryAgainLater,
		websocket.CloseBadGateway: wsframe.BadGateway, websocket.CloseTLSHandshake: wsframe.TLSHandshake,
		websocket.CloseUnauthorized: 3000, websocket.CloseForbidden: 3003, websocket.CloseTimeout: 3008,
	} {
		if ours != websocket.CloseCode(theirs) || ours.Sendable() != theirs.Sendable() {
			t.Errorf("%d is %d", ours, theirs)
		}
	}
	for ours, theirs := range map[websocket.FrameType]wsframe.Opcode{
		websocket.TextFrame: wsframe.Text, websocket.BinaryFrame: wsframe.Binary, websocket.PingFrame: wsframe.Ping, websocket.PongFrame: wsframe.Pong,
		websocket.ContinuationFrame: wsframe.Continuation, websocket.CloseFrame: wsframe.Close,
	} {
		if ours != websocket.FrameType(theirs) || ours.String() != theirs.String() {
			t.Errorf("%s is %s", ours, theirs)
		}
	}
}
