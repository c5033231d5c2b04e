package h3test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// TestQPACK holds our field sections against another implementation, both ways.
func TestQPACK(t *testing.T) {
	fields := Fields(":method", "CONNECT", ":protocol", "websocket", ":path", "/a?b=c",
		"cookie", "a=b", "x-"+strings.Repeat("n", 300), strings.Repeat("v", 5000),
		"x-frame-options", "sameorigin", "empty", "")
	for i := range uint64(99) {
		f, ok := staticEntry(i)
		if !ok {
			t.Fatal("no entry", i)
		}
		fields = append(fields, f)
	}
	if _, ok := staticEntry(99); ok {
		t.Error("RFC 9204, Appendix A has 99 entries")
	}
	for name, append := range map[string]func([]byte, ...Field) []byte{
		"plain": AppendSection, "Huffman": AppendHuffman,
	} {
		section := append(nil, fields...)
		if got, err := ParseSection(section); err != nil || !reflect.DeepEqual(got, fields) {
			t.Errorf("%s: we read %v, %v", name, got, err)
		}
		next := qpack.NewDecoder().Decode(section)
		for i, want := range fields {
			if got, err := next(); err != nil || got.Name != want.Name || got.Value != want.Value {
				t.Fatalf("%s: field %d is %v to others, %v; want %v", name, i, got, err, want)
			}
		}
	}
	var b bytes.Buffer
	e := qpack.NewEncoder(&b)
	for _, f := range fields {
		e.WriteField(qpack.HeaderField{Name: f.Name, Value: f.Value})
	}
	if got, err := ParseSection(b.Bytes()); err != nil || !reflect.DeepEqual(got, fields) {
		t.Errorf("of another's section we read %v, %v", got, err)
	}
	for cut := range b.Len() - 1 {
		if got, err := ParseSection(b.Bytes()[:cut]); err == nil && len(got) >= len(fields) {
			t.Errorf("cut at %d it reads as %v", cut, got)
		}
	}
}

// TestPeer holds the peer against the HTTP/3 server of quic-go, over a network that loses packets.
func TestPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(7, Link{Delay: 10 * time.Millisecond, Loss: 0.05, Reorder: 0.02})
		pc := n.Listen()
		tr := &quic.Transport{Conn: pc}
		l, err := tr.Listen(http3.ConfigureTLSConfig(ServerTLS()), &quic.Config{})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		srv := &http3.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/hello":
				w.Header().Set("X-Path", r.URL.Path)
				io.WriteString(w, "hello")
			case "/echo":
				w.WriteHeader(200)
				s, err := w.(http3.HTTPStreamer).HTTPStream()
				if err != nil {
					t.Error(err)
					return
				}
				io.Copy(s, s)
				s.Close()
			case "/stop":
				w.WriteHeader(200)
				s, err := w.(http3.HTTPStreamer).HTTPStream()
				if err != nil {
					t.Error(err)
					return
				}
				s.Read(make([]byte, 1)) // the answer has arrived by then
				s.CancelRead(quic.StreamErrorCode(RequestCancelled))
				s.CancelWrite(quic.StreamErrorCode(InternalError))
			case "/reset":
				w.WriteHeader(200)
				w.(http.Flusher).Flush()
				_, err := io.ReadAll(r.Body)
				ended <- err
			}
		})}
		go func() { // ends with Close
			for {
				c, err := l.Accept(t.Context())
				if err != nil {
					return
				}
				go srv.ServeQUICConn(c) // ends with the connection
			}
		}()
		p, err := Dial(t.Context(), n.Listen(), pc.LocalAddr(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if s, err := p.Settings(); err != nil || s[SettingEnableConnectProtocol] != 1 {
			t.Errorf("SETTINGS %v, %v", s, err)
		}
		if status, body, err := p.Get("/hello"); status != 200 || string(body) != "hello" || err != nil {
			t.Errorf("%d %q %v", status, body, err)
		}

		echo, err := p.Connect("/echo")
		if err != nil || echo.Status != 200 {
			t.Fatal(echo, err)
		}
		sent := bytes.Repeat([]byte("0123456789"), 50_000)
		go func() { // ends when all is written
			for b := sent; len(b) > 0; b = b[min(len(b), 7000):] {
				echo.Write(b[:min(len(b), 7000)])
			}
			echo.CloseWrite()
		}()
		if got, err := echo.Rest(time.Minute); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("%d of %d octets came back, %v", len(got), len(sent), err)
		}

		stop, err := p.Connect("/stop")
		if err != nil {
			t.Fatal(err)
		}
		stop.Write([]byte("x"))
		_, err = stop.Read(make([]byte, 1))
		if code, _ := CloseCode(err); code != InternalError {
			t.Errorf("reading a stream that was reset: %v", err)
		}
		if code, err := stop.Stopped(time.Minute); code != RequestCancelled {
			t.Errorf("STOP_SENDING %v, %v", code, err)
		}

		reset, err := p.Connect("/reset")
		if err != nil {
			t.Fatal(err)
		}
		reset.Cancel(RequestCancelled)
		var se *http3.Error
		if err := <-ended; !errors.As(err, &se) || Code(se.ErrorCode) != RequestCancelled {
			t.Errorf("the server reads %v of a stream that we reset", err)
		}

		if err := p.Control(AppendSettings(nil)); err != nil { // RFC 9114, 7.2.4
			t.Fatal(err)
		}
		err = p.Wait(time.Minute)
		if code, _ := CloseCode(err); code != FrameUnexpected {
			t.Errorf("a second SETTINGS: %v", err)
		}
		p.Close()
		srv.Close()
		tr.Close()
		if err := pc.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if c := n.Counts(); c.Lost == 0 || c.Reordered == 0 {
			t.Errorf("the network was too good: %+v", c)
		}
	})
}
