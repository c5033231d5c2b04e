package h2_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2/h2test"
	"weir/stream"

	"golang.org/x/net/http2"
)

func TestTunnelEcho(t *testing.T) {
	ts := newTunnels()
	bubble(t, nil, ts.ServeHTTP, func(s *site) {
		ts.open()
		p := s.dial()
		a, b := s.connect(p, "/echo/a"), s.connect(p, "/echo/b")
		if got := a.Field("x-path"); got != "/echo/a" {
			t.Errorf("x-path %q", got)
		}
		a.Write([]byte("one"))
		b.Write([]byte("two"))
		if got := readN(t, a, 3) + readN(t, b, 3); got != "onetwo" {
			t.Errorf("echo %q", got)
		}
		big := strings.Repeat("0123456789", 30_000) // many windows
		go a.Write([]byte(big))                     // ends with the tunnel
		if readN(t, a, len(big)) != big {
			t.Error("the large echo differs")
		}
		a.CloseWrite()
		if _, err := a.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("after both END_STREAM: %v", err)
		}
		sink := <-ts.sinks
		<-sink.closed
		if sink.err != nil || !sink.fin {
			t.Errorf("Closed(%v), fin %v", sink.err, sink.fin)
		}
		info := sink.st.Info()
		if info.Transport != stream.H2C || info.ID != uint64(a.ID) || info.Own || info.TLS != nil || info.Remote == nil {
			t.Errorf("info %+v", info)
		}
		if _, err := sink.st.Send([][]byte{{1}}, false); !errors.Is(err, stream.ErrClosed) {
			t.Errorf("Send after the end: %v", err)
		}
		res, err := p.Get("/")
		if err != nil || string(res.Body) != "plain" {
			t.Errorf("GET beside tunnels: %+v, %v", res, err)
		}
		b.Write([]byte("still"))
		readN(t, b, 5)
	})
}

// TestAnswerTravels: the 200 and the first octets leave in one write.
func TestAnswerTravels(t *testing.T) {
	bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
		st, err := w.(stream.Opener).OpenStream(nil)
		if err != nil {
			panic(err)
		}
		time.Sleep(time.Second) // fake: nothing may leave meanwhile
		st.Attach(newSink(st, false), stream.Limits{})
		st.Send([][]byte{[]byte("he"), []byte("llo")}, false)
	}, func(s *site) {
		p := s.dial()
		synctest.Wait()
		before := s.writes.Load()
		tn := s.connect(p, "/")
		readN(t, tn, 5)
		if n := s.writes.Load() - before; n != 1 {
			t.Errorf("%d writes, want 1", n)
		}
	})
}

// TestPausedTunnel is ATTACKS.md, S23: sockets that are not read fill their own windows, never the connection's.
func TestPausedTunnel(t *testing.T) {
	ts := newTunnels()
	bubble(t, nil, ts.ServeHTTP, func(s *site) {
		ts.open()
		p := s.dial()
		for range 20 { // 20 windows are more than the connection's
			tn := s.connect(p, "/paused")
			if n, err := tn.Write(make([]byte, 65535)); n != 65535 || err != nil {
				t.Fatal(n, err)
			}
			tn.SetReadDeadline(time.Now().Add(time.Second))
			if n, err := tn.Write([]byte("more")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("wrote %d over the stream's window, %v", n, err)
			}
		}
		first := <-ts.sinks
		e := s.connect(p, "/echo")
		e.Write([]byte("free"))
		if readN(t, e, 4) != "free" {
			t.Error("no echo")
		}
		if n := len(first.text()); n != 65535 {
			t.Errorf("the paused sink has %d octets", n)
		}
		first.st.Release(65535)
		synctest.Wait()
	})
}

// TestDataBeforeAttach: what comes before Attach is kept within the stream's window and told first, then the end.
func TestDataBeforeAttach(t *testing.T) {
	var sink *fakeSink
	var attached chan struct{}
	bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Second)
		st, err := w.(stream.Opener).OpenStream(nil)
		if err != nil {
			panic(err)
		}
		st.Send(nil, false)
		time.Sleep(time.Second)
		sink = newSink(st, false)
		st.Attach(sink, stream.Limits{})
		close(attached)
	}, func(s *site) {
		attached = make(chan struct{})
		p := s.dial()
		tn, err := p.Open(false, ":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":authority", "a", ":path", "/")
		if err != nil {
			t.Fatal(err)
		}
		tn.Write([]byte("with the CONNECT, "))
		if err := tn.Answer(5 * time.Second); err != nil {
			t.Fatal(err)
		}
		tn.Write([]byte("before Attach"))
		tn.CloseWrite()
		<-attached
		synctest.Wait()
		if got := sink.text(); got != "with the CONNECT, before Attach" || !sink.fin {
			t.Errorf("got %q, fin %v", got, sink.fin)
		}
		sink.st.Send(nil, true)
		<-sink.closed
		if sink.err != nil {
			t.Errorf("Closed(%v)", sink.err)
		}
	})
}

func TestResets(t *testing.T) {
	ts := newTunnels()
	bubble(t, nil, ts.ServeHTTP, func(s *site) {
		ts.open()
		p := s.dial()
		tn := s.connect(p, "/a")
		sink := <-ts.sinks
		tn.Reset(http2.ErrCodeCancel)
		<-sink.closed
		re, ok := errors.AsType[*stream.ResetError](sink.err)
		if !ok || !re.Remote || re.Code != stream.Cancel || !errors.Is(sink.err, net.ErrClosed) {
			t.Errorf("the peer's reset: %v", sink.err)
		}
		if _, err := sink.st.Send([][]byte{{1}}, false); !errors.As(err, &re) || !re.Remote {
			t.Errorf("Send after it: %v", err)
		}
		sink.st.Reset(stream.Cancel) // nothing more to say
		sink.st.Release(5)

		tn = s.connect(p, "/b")
		sink = <-ts.sinks
		sink.st.Reset(stream.EnhanceYourCalm)
		if _, err := tn.Read(make([]byte, 1)); err.Error() != (&h2test.ResetError{Code: http2.ErrCodeEnhanceYourCalm}).Error() {
			t.Errorf("our reset: %v", err)
		}
		<-sink.closed
		if re, ok := errors.AsType[*stream.ResetError](sink.err); !ok || re.Remote {
			t.Errorf("our reset: %v", sink.err)
		}

		tn = s.connect(p, "/c") // the quiet form, the peer has not ended
		sink = <-ts.sinks
		sink.st.Send([][]byte{[]byte("bye")}, true)
		sink.st.Reset(stream.NoError)
		if got, err := io.ReadAll(tn); string(got) != "bye" || err != nil && err.Error() != (&h2test.ResetError{}).Error() {
			t.Errorf("quiet reset: %q, %v", got, err)
		}
		<-sink.closed
		if n := len(sink.calls); n != 1 || sink.err == nil {
			t.Errorf("calls %v", sink.calls)
		}
	})
}

// TestClosedAfterData: a reset while the sink is in Data is told behind it, by one goroutine at a time.
func TestClosedAfterData(t *testing.T) {
	var entered, leave chan struct{}
	var sink *slowSink
	bubble(t, nil, func(w http.ResponseWriter, r *http.Request) {
		st, err := w.(stream.Opener).OpenStream(nil)
		if err != nil {
			panic(err)
		}
		sink = &slowSink{fakeSink: newSink(st, false), entered: entered, leave: leave}
		st.Attach(sink, stream.Limits{})
		st.Send(nil, false)
	}, func(s *site) {
		entered, leave = make(chan struct{}), make(chan struct{})
		p := s.dial()
		tn := s.connect(p, "/")
		tn.Write([]byte("x"))
		<-entered
		sink.st.Reset(stream.Cancel)
		synctest.Wait()
		select {
		case <-sink.closed:
			t.Fatal("Closed while Data ran")
		default:
		}
		close(leave)
		<-sink.closed
	})
}

type slowSink struct {
	*fakeSink
	entered, leave chan struct{}
}

func (s *slowSink) Data(b []byte, fin bool) {
	close(s.entered)
	<-s.leave
	s.fakeSink.Data(b, fin)
}

// TestWindowAtAttach: Limits.Window above the initial window is granted when the stream opens.
func TestWindowAtAttach(t *testing.T) {
	ts := newTunnels()
	ts.limits = stream.Limits{Window: 200_000}
	bubble(t, nil, ts.ServeHTTP, func(s *site) {
		ts.open()
		tn := s.connect(s.dial(), "/")
		if n, err := tn.Write(make([]byte, 200_000)); err != nil {
			t.Fatal(n, err)
		}
		tn.SetReadDeadline(time.Now().Add(time.Second))
		if n, err := tn.Write([]byte("x")); n != 0 || err == nil {
			t.Error("one octet over the window")
		}
	})
}

// TestDrained: what waits for the peer's window is queued, and the sink hears when it falls under the mark.
func TestDrained(t *testing.T) {
	ts := newTunnels()
	ts.limits = stream.Limits{Low: 1000}
	bubble(t, nil, ts.ServeHTTP, func(s *site) {
		ts.open()
		tn := s.connect(s.dial(), "/")
		sink := <-ts.sinks
		tn.Withhold(true)
		synctest.Wait() // nobody writes: octets that find a write under way are all queued at first
		queued, err := sink.st.Send([][]byte{make([]byte, 100_000)}, false)
		if err != nil || queued != 100_000-65535 {
			t.Fatalf("queued %d, %v", queued, err)
		}
		readN(t, tn, 65535)
		synctest.Wait()
		if sink.drain != 0 {
			t.Error("Drained with octets queued")
		}
		tn.Withhold(false)
		readN(t, tn, 100_000-65535)
		synctest.Wait()
		if sink.drain != 1 {
			t.Errorf("Drained %d times", sink.drain)
		}
	})
}
