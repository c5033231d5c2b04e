package h2_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"weir/h2"
	"weir/stream"
	"weir/stream/streamtest"
)

// TestClientNode talks with the HTTP/2 server of Node.js.
func TestClientNode(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no node in the path: ", err)
	}
	for name, secure := range map[string]bool{"h2c": false, "h2": true} {
		t.Run(name, func(t *testing.T) {
			addr := startNode(t, node, secure)
			t.Run("echo", func(t *testing.T) { nodeEchoes(t, nodeClient(t, addr, secure), secure) })
			t.Run("answers", func(t *testing.T) { nodeAnswers(t, nodeClient(t, addr, secure)) })
			t.Run("goaway", func(t *testing.T) { nodeLeaves(t, nodeClient(t, addr, secure)) })
		})
	}
	t.Run("no_offer", func(t *testing.T) {
		cl := nodeClient(t, startNode(t, node, false, "--no-offer"), false)
		if ok, err := cl.ExtendedConnect(t.Context()); ok || err != nil {
			t.Error(ok, err)
		}
	})
}

func startNode(t *testing.T, node string, secure bool, flags ...string) (addr string) {
	t.Helper()
	args := append([]string{"testdata/connect.mjs"}, flags...)
	if secure {
		args = append(args, pemFiles(t)...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), streamtest.Patience(t))
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, node, args...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close() // it ends with it
		_ = cmd.Wait()
	})
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal("node did not start: ", err)
	}
	return net.JoinHostPort("127.0.0.1", strings.TrimSpace(port))
}

// pemFiles are those of a key and its certificate.
func pemFiles(t *testing.T) []string {
	t.Helper()
	c := certificate(t)
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := []string{filepath.Join(dir, "key.pem"), filepath.Join(dir, "cert.pem")}
	for i, b := range []*pem.Block{{Type: "PRIVATE KEY", Bytes: key}, {Type: "CERTIFICATE", Bytes: c.Certificate[0]}} {
		if err := os.WriteFile(files[i], pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func nodeClient(t *testing.T, addr string, secure bool) *h2.Client {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if secure {
		tc := tls.Client(nc, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
		if err := tc.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		nc = tc
	}
	cl := h2.NewClient(nc, nil)
	t.Cleanup(func() {
		cl.Close()
		<-cl.Done()
	})
	return cl
}

// nodeEchoes has 50 streams at once echo more than a window each.
func nodeEchoes(t *testing.T, cl *h2.Client, secure bool) {
	const size = 150_000
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			r := extended("/echo")
			if secure {
				r.URL.Scheme = "https"
			}
			st, res, err := cl.Open(t.Context(), r)
			if err != nil || st == nil {
				t.Errorf("stream %d: %v, %v", i, res, err)
				return
			}
			if res.Header.Get("X-Protocol") != "echo" || res.Header.Get("X-Scheme") != r.URL.Scheme || (st.Info().TLS != nil) != secure {
				t.Errorf("stream %d: %v, %+v", i, res.Header, st.Info())
			}
			sink := &releasing{newSink(st, false)}
			st.Attach(sink, stream.Limits{})
			text := strings.Repeat(fmt.Sprint(i%10), size)
			if _, err := st.Send([][]byte{[]byte(text[:1000]), []byte(text[1000:])}, true); err != nil {
				t.Errorf("stream %d: %v", i, err)
			}
			<-sink.closed
			if sink.err != nil || sink.text() != text {
				t.Errorf("stream %d: Closed(%v), %d octets", i, sink.err, len(sink.text()))
			}
		})
	}
	wg.Wait()
	if n := cl.Streams(); n != 0 || cl.Room() != 200 {
		t.Errorf("%d streams are left, room for %d", n, cl.Room())
	}
}

// releasing gives credit back at once.
type releasing struct{ *fakeSink }

func (s *releasing) Data(b []byte, fin bool) {
	n := len(b)
	s.fakeSink.Data(b, fin)
	s.st.Release(n)
}

func nodeAnswers(t *testing.T, cl *h2.Client) {
	answer := func(ctx context.Context, path string) (*http.Response, string) {
		st, res, err := cl.Open(ctx, extended(path))
		if st != nil || err != nil {
			t.Fatalf("%s: %v, %v", path, st, err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		return res, string(body)
	}
	if res, body := answer(t.Context(), "/"); res.StatusCode != 404 || body != "lost" || res.ContentLength != 4 {
		t.Errorf("%+v, %q", res, body)
	}
	informed := 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
		informed = code
		return nil
	}})
	if res, body := answer(ctx, "/early"); res.StatusCode != 403 || body != "go away" || informed != 103 {
		t.Errorf("%+v, %q, %d", res, body, informed)
	}
	if st, res, err := cl.Open(t.Context(), extended("/refuse")); st != nil || res != nil || !h2.Unprocessed(err) {
		t.Errorf("refused: %v, %v, %v", st, res, err)
	}
	st, _, err := cl.Open(t.Context(), extended("/hello"))
	if err != nil {
		t.Fatal(err)
	}
	sink := newSink(st, false)
	st.Attach(sink, stream.Limits{})
	st.Send(nil, true)
	<-sink.closed
	re, reset := errors.AsType[*stream.ResetError](sink.err) // NO_ERROR, if that comes before our end
	if sink.err != nil && (!reset || re.Code != stream.NoError) || sink.text() != "hello" || !sink.fin {
		t.Errorf("Closed(%v), %q, fin %v", sink.err, sink.text(), sink.fin)
	}
}

func nodeLeaves(t *testing.T, cl *h2.Client) {
	st, _, err := cl.Open(t.Context(), extended("/goaway"))
	if err != nil {
		t.Fatal(err)
	}
	sink := newSink(st, false)
	st.Attach(sink, stream.Limits{})
	if _, err := st.Send([][]byte{[]byte("still")}, true); err != nil {
		t.Error(err)
	}
	<-sink.closed
	<-cl.Done()
	if ce, ok := errors.AsType[*h2.ConnError](cl.Err()); sink.text() != "still" || sink.err != nil || !ok || !ce.Remote {
		t.Errorf("%q, Closed(%v), %v", sink.text(), sink.err, cl.Err())
	}
	if _, _, err := cl.Open(t.Context(), extended("/")); !errors.Is(err, h2.ErrLeaving) {
		t.Error(err)
	}
}
