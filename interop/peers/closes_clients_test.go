package peers

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	weir "weir/websocket"
)

// player is a client that plays endings.
type player struct {
	name   string
	secure bool
	http2  bool
	raw    bool          // it can send octets that are no frames
	end    time.Duration // how long it waits for END_STREAM before it sends its own
	play   playing
}

// playing plays some endings, runs times each, and says what came of each.
type playing func(t *testing.T, p player, url string, play []ending, runs int, say saying)

type saying func(e *ending, r heardEnd)

// once plays one ending.
type once func(ctx context.Context, url string, e *ending) heardEnd

var players = []player{
	{name: "weir_h1", play: playGo(playWeir)},
	{name: "weir_h1tls", secure: true, play: playGo(playWeir)},
	{name: "weir_h2c", http2: true, play: playGo(playWeir)},
	{name: "weir_h2", secure: true, http2: true, play: playGo(playWeir)},
	{name: "gorilla_h1", raw: true, play: playGo(playGorilla)},
	{name: "gorilla_h1tls", secure: true, raw: true, play: playGo(playGorilla)},
	{name: "node_h2c", http2: true, raw: true, end: patient, play: playNode},
	{name: "node_h2", secure: true, http2: true, raw: true, end: patient, play: playNode},
}

const patient = 5 * time.Second // what comes at once comes within that on a busy machine, too

// of are the endings that p can play.
func (p player) of(all []ending) (some []ending) {
	for _, e := range all {
		if e.Octets == "" || p.raw {
			some = append(some, e)
		}
	}
	return some
}

// serial makes the paths that nobody else has.
var serial atomic.Int64

func (e *ending) path() string {
	return strings.ReplaceAll(e.Path, "{n}", fmt.Sprint(serial.Add(1)))
}

// sideBySide is how many WebSockets of one client there are at once. Chromium delays new ones where
// more are being opened.
const sideBySide = 6

// playGo plays the endings with one client of Go's.
func playGo(open func(t *testing.T, p player) once) playing {
	return func(t *testing.T, p player, url string, play []ending, runs int, say saying) {
		one := open(t, p)
		jobs := make(chan *ending)
		var all sync.WaitGroup
		for range sideBySide {
			all.Go(func() { // ends with the jobs
				for e := range jobs {
					ctx, cancel := context.WithTimeout(t.Context(), mostWait)
					begin := time.Now()
					r := one(ctx, url+e.path(), e)
					r.Millis = time.Since(begin).Milliseconds()
					say(e, r)
					cancel()
				}
			})
		}
		for range runs {
			for i := range play {
				jobs <- &play[i]
			}
		}
		close(jobs)
		all.Wait()
	}
}

// playWeir plays on weir's own client. What the answer to its close frame was it does not say: the
// server's terminate event does, and the other clients do.
func playWeir(t *testing.T, p player) once {
	d := &weir.Dialer{HTTP: weir.HTTP1, TLS: &tls.Config{InsecureSkipVerify: true}}
	if p.http2 {
		d.HTTP = weir.HTTP2
	}
	t.Cleanup(d.CloseIdle)
	return func(ctx context.Context, url string, e *ending) (r heardEnd) {
		o := weir.Options{Subprotocols: e.Protocols, Compress: true, MaxFrameSize: 2 << 20}
		c, _, err := d.Dial(ctx, url, &weir.DialOptions{Options: o})
		if err != nil {
			return heardEnd{Error: err.Error()}
		}
		defer c.CloseNow()
		for _, m := range e.Send {
			if err := c.Write(ctx, weir.TextFrame, []byte(m)); err != nil {
				return heardEnd{Error: err.Error()}
			}
		}
		for e.Close == nil || len(r.Messages) < e.Await {
			_, m, err := c.Read(ctx)
			ce, ok := errors.AsType[*weir.CloseError](err)
			switch {
			case err == nil:
				r.Messages = append(r.Messages, brief(m))
				continue
			case !ok || ce.Reason.Kind != weir.ReasonRemote:
				r.Error = err.Error()
				return r
			}
			r.Code, r.Text, r.Clean = int(ce.Reason.Code), ce.Reason.Text, true
			if r.Code == 0 {
				r.Code = 1005
			}
			return r
		}
		code := weir.CloseCode(e.Close.Code)
		if code == 1005 {
			code = 0
		}
		if err := c.Close(code, e.Close.Text); err != nil && !errors.Is(err, weir.ErrEnded) {
			r.Error = err.Error()
			return r
		}
		r.Code, r.Text, r.Clean = e.code, e.text, true
		return r
	}
}

// playGorilla plays on gorilla/websocket, and reads what is behind the close frame, too.
func playGorilla(*testing.T, player) once {
	return func(ctx context.Context, url string, e *ending) (r heardEnd) {
		d := gorilla.Dialer{
			Subprotocols: e.Protocols, EnableCompression: true,
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		}
		c, _, err := d.DialContext(ctx, url, nil)
		if err != nil {
			return heardEnd{Error: err.Error()}
		}
		defer c.Close()
		by, _ := ctx.Deadline()
		if err := c.NetConn().SetDeadline(by); err != nil {
			return heardEnd{Error: err.Error()}
		}
		if octets, _ := hex.DecodeString(e.Octets); len(octets) > 0 {
			if _, err := c.NetConn().Write(octets); err != nil {
				return heardEnd{Error: err.Error()}
			}
		}
		for _, m := range e.Send {
			if err := c.WriteMessage(gorilla.TextMessage, []byte(m)); err != nil {
				return heardEnd{Error: err.Error()}
			}
		}
		for said := false; ; {
			if e.Close != nil && !said && len(r.Messages) >= e.Await {
				said = true
				p := gorilla.FormatCloseMessage(e.Close.Code, e.Close.Text)
				err := c.WriteControl(gorilla.CloseMessage, p, by)
				if err != nil && !errors.Is(err, gorilla.ErrCloseSent) {
					r.Error = err.Error()
					return r
				}
			}
			_, m, err := c.ReadMessage() // it answers a close frame
			if err == nil {
				r.Messages = append(r.Messages, brief(m))
				continue
			}
			ce, ok := errors.AsType[*gorilla.CloseError](err)
			if !ok || ce.Code == gorilla.CloseAbnormalClosure {
				r.Error = err.Error()
				return r
			}
			r.Code, r.Text = ce.Code, ce.Text
			_, err = io.Copy(io.Discard, c.NetConn()) // the server's end comes first (RFC 6455, 7.1.1)
			if r.Clean = err == nil; err != nil && isTimeout(err) {
				r.Error = "no end behind the close frame"
			}
			return r
		}
	}
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

// playNode plays on Node's http2 module, all WebSockets on one connection, see closes.mjs.
func playNode(t *testing.T, p player, url string, play []ending, runs int, say saying) {
	needs(t, "node")
	spec, err := json.Marshal(play)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "closes.mjs", "http"+strings.TrimPrefix(url, "ws"),
		fmt.Sprint(runs), fmt.Sprint(sideBySide), fmt.Sprint(p.end.Milliseconds()))
	cmd.Stdin = bytes.NewReader(spec)
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("node: %v\n%s", err, log.Bytes())
	}
	heard(t, out, play, say)
}

// saidOf is one line of closes.mjs and of closes.html: what was told of one ending.
type saidOf struct {
	Ending int
	heardEnd
}

func heard(t *testing.T, out []byte, play []ending, say saying) {
	t.Helper()
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var l saidOf
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil || l.Ending < 0 || l.Ending >= len(play) {
			t.Errorf("%v: %s", err, lines.Bytes())
			continue
		}
		say(&play[l.Ending], l.heardEnd)
	}
}
