package peers

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"testing"

	"nhooyr.io/websocket"
)

// socket is the client's end of one WebSocket.
type socket interface {
	echo(text bool, size int) string           // sends a message and wants it back; what is wrong, or ""
	close(code int, text string) (int, string) // says goodbye, and what the answer was
	closing() (int, string)                    // waits for the server's goodbye
	cut()                                      // drops the connection
}

type opener func(t *testing.T, addr, path string) socket

// h1Socket is a WebSocket by Upgrade (RFC 6455) of another library.
type h1Socket struct {
	ctx  context.Context
	conn net.Conn
	c    *websocket.Conn
}

func openH1(t *testing.T, addr, path string) socket {
	t.Helper()
	w := &h1Socket{ctx: bounded(t)}
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", addr)
		w.conn = c
		return c, err
	}}
	t.Cleanup(tr.CloseIdleConnections)
	c, _, err := websocket.Dial(w.ctx, "ws://"+addr+path, &websocket.DialOptions{HTTPClient: &http.Client{Transport: tr}})
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(-1)
	w.c = c
	return w
}

func (w *h1Socket) echo(text bool, size int) string {
	kind := websocket.MessageBinary
	if text {
		kind = websocket.MessageText
	}
	sent := pattern(size)
	if err := w.c.Write(w.ctx, kind, sent); err != nil {
		return err.Error()
	}
	back, got, err := w.c.Read(w.ctx)
	if err != nil || back != kind || !bytes.Equal(got, sent) {
		return fmt.Sprintf("%d octets of %v came back, %v", len(got), back, err)
	}
	return ""
}

func (w *h1Socket) close(code int, text string) (int, string) {
	// The library reads the answer, and gives no error if the code is ours.
	if err := w.c.Close(websocket.StatusCode(code), text); err != nil {
		return int(websocket.CloseStatus(err)), err.Error()
	}
	return code, ""
}

func (w *h1Socket) closing() (int, string) {
	_, _, err := w.c.Read(w.ctx)
	var ce websocket.CloseError
	if !errors.As(err, &ce) {
		return -1, err.Error()
	}
	return int(ce.Code), ce.Reason
}

func (w *h1Socket) cut() { w.conn.Close() }

// h2Socket is a WebSocket by extended CONNECT (RFC 8441) on Node's http2 module: a process of its own that is told what to
// do, line by line.
type h2Socket struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
	cmd *exec.Cmd
}

func openH2(t *testing.T, addr, path string) socket {
	t.Helper()
	cmd := exec.CommandContext(bounded(t), "node", "socket.mjs", "http://"+addr, path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("node: %s", log.Bytes())
		}
	})
	w := &h2Socket{t: t, in: in, out: bufio.NewScanner(out), cmd: cmd}
	if got := w.read(); got.Error != "" || !got.Open {
		t.Fatalf("not opened: %+v\n%s", got, log.Bytes())
	}
	return w
}

// told is a line of socket.mjs.
type told struct {
	Open  bool
	Error string
	Code  int
	Text  string
}

func (w *h2Socket) read() (r told) {
	if !w.out.Scan() {
		return told{Error: "node has ended"}
	}
	if err := json.Unmarshal(w.out.Bytes(), &r); err != nil {
		r.Error = err.Error()
	}
	return r
}

func (w *h2Socket) do(words ...any) told {
	if err := json.NewEncoder(w.in).Encode(words); err != nil {
		return told{Error: err.Error()}
	}
	return w.read()
}

func (w *h2Socket) echo(text bool, size int) string {
	kind := "binary"
	if text {
		kind = "text"
	}
	return w.do("echo", kind, size).Error
}

func (w *h2Socket) close(code int, text string) (int, string) {
	r := w.do("close", code, text)
	return r.Code, r.Text + r.Error
}

func (w *h2Socket) closing() (int, string) {
	r := w.do("closing")
	return r.Code, r.Text + r.Error
}

func (w *h2Socket) cut() { w.do("cut") }

// pattern is size octets of ASCII that differ by place.
func pattern(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = 'a' + byte((i*7+i>>8)%26)
	}
	return b
}
