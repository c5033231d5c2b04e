package websocket_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/stream/memnet"
	"weir/websocket"
)

// userCode is one place where a user's code is called. The table in docs/architecture.md has the
// same rows.
type userCode struct {
	id      string
	modes   []string
	prepare func(k *crash, srv *http.Server, cfg *websocket.Config)
	// run brings the crash about. It is on a goroutine of its own, for it may be blocked.
	run func(s *stage)
	// unless says why there is nothing to hold in a mode: by mode and kind, or by kind.
	unless map[string]string
}

// crashKinds are what a user's code may do in the place of returning.
var crashKinds = []string{"panic", "goexit", "block"}

// crash is a user's code that does one of them, once it is armed.
type crash struct {
	kind  string
	armed atomic.Bool
	hits  atomic.Int32
	gate  chan struct{}
}

// do is called where the user's code is.
func (k *crash) do() {
	if !k.armed.Load() {
		return
	}
	k.hits.Add(1)
	switch k.kind {
	case "panic":
		panic("a user's code")
	case "goexit":
		runtime.Goexit()
	}
	<-k.gate
}

func (k *crash) blocks() bool { return k.kind == "block" }

// stage is a house with a crash, and a WebSocket beside it.
type stage struct {
	*house
	*crash
	server, client opened // connections
}

// opened counts connections that have not been closed.
type opened struct {
	mu    sync.Mutex
	conns []*ownConn
}

func (o *opened) add(c *ownConn) net.Conn {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.conns = append(o.conns, c)
	return c
}

func (o *opened) left() (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range o.conns {
		if !c.closed.Load() {
			n++
		}
	}
	return n
}

// ownConn is a user's net.Conn: any of its methods may crash.
type ownConn struct {
	*memnet.Conn
	crash  map[string]func() // by method
	closed atomic.Bool
}

func (c *ownConn) at(method string) {
	if f := c.crash[method]; f != nil {
		f()
	}
}

func (c *ownConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.at("Read")
	return n, err
}

func (c *ownConn) Write(b []byte) (int, error) {
	c.at("Write")
	return c.Conn.Write(b)
}

func (c *ownConn) SetWriteDeadline(t time.Time) error {
	c.at("SetWriteDeadline")
	return c.Conn.SetWriteDeadline(t)
}

func (c *ownConn) CloseWrite() error {
	c.at("CloseWrite")
	return c.Conn.CloseWrite()
}

// Close closes before it crashes: nobody else could.
func (c *ownConn) Close() error {
	c.closed.Store(true)
	defer c.at("Close")
	return c.Conn.Close()
}

// TestUserCode holds that a user's code that panics, calls runtime.Goexit or blocks costs what it
// belongs to and nothing else: a WebSocket beside it goes on, on the same connection where there is
// one, and when all has ended no connection, stream, session or goroutine is left.
func TestUserCode(t *testing.T) {
	log.SetOutput(io.Discard) // what h1 logs of a net.Conn or a Sink
	defer log.SetOutput(os.Stderr)
	for i := range userCodes {
		u := &userCodes[i]
		for _, mode := range u.modes {
			if mode == "h3" && mode3 == nil {
				continue
			}
			for _, kind := range crashKinds {
				if u.unless[kind] != "" || u.unless[mode+" "+kind] != "" {
					continue
				}
				t.Run(u.id+"/"+mode+"/"+kind, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { u.play(t, mode, kind) })
				})
			}
		}
	}
}

func (u *userCode) play(t *testing.T, mode, kind string) {
	k := &crash{kind: kind, gate: make(chan struct{})}
	free := sync.OnceFunc(func() { close(k.gate) })
	s := &stage{house: &house{T: t, mode: mode, mux: http.NewServeMux(), log: new(lockedBuilder)}, crash: k}
	s.wrap = func(c *memnet.Conn) net.Conn { return s.server.add(&ownConn{Conn: c}) }
	if s.http3() {
		mode3.begin(s.house)
	}
	if mode != "pipe" {
		s.serve(func(srv *http.Server, cfg *websocket.Config) {
			if u.prepare != nil {
				u.prepare(k, srv, cfg)
			}
		})
	}
	defer s.end()
	defer free()
	beside := s.open(new(actor), &websocket.Options{IdleTimeout: -1})
	alive := func(why string) {
		beside.send(text(why))
		beside.wantText(why, why)
	}
	alive("before")
	done := make(chan struct{})
	go func() { // ends when it has run
		defer close(done)
		u.run(s)
	}()
	settle()
	if k.hits.Load() == 0 {
		t.Error("the user's code was not called")
	}
	alive("others do not notice")
	if k.blocks() {
		time.Sleep(time.Minute / 2)
		alive("others do not wait")
		free()
	}
	<-done
	settle()
	alive("behind it")
	beside.send(closing(1000, ""))
	beside.wantClose("an ordinary end", 1000, "")
	beside.wire.CloseWrite()
	k.armed.Store(false)
	for _, f := range s.close {
		f()
	}
	s.close = nil
	time.Sleep(2 * time.Minute) // whatever has a timeout has ended
	synctest.Wait()
	if s.ws != nil {
		if n := s.ws.Group().Len(); n > 0 {
			t.Errorf("%d sessions are left", n)
		}
		if st := s.ws.HTTP2().Stats(); st.Conns+st.Streams+st.Tunnels > 0 {
			t.Errorf("left of HTTP/2: %d connections, %d streams, %d tunnels", st.Conns, st.Streams, st.Tunnels)
		}
	}
	if s.http3() {
		if n := mode3.left(s.house); n > 0 {
			t.Errorf("left of HTTP/3: %d connections, streams and handshakes", n)
		}
	}
	if n := s.server.left(); n > 0 {
		t.Errorf("%d of the server's connections are open", n)
	}
	if n := s.client.left(); n > 0 {
		t.Errorf("%d of the client's connections are open", n)
	}
}

// caught calls f and drops its panic: f is on its caller's goroutine, and so is what it panics
// with.
func caught(f func()) (panicked any) {
	done := make(chan struct{})
	go func() { // ends with f
		defer close(done)
		defer func() { panicked = recover() }()
		f()
	}()
	<-done
	return panicked
}

// ask asks for a WebSocket at path, or for whatever is there, and gives the status of the answer: 0
// where none came.
func (s *stage) ask(path string) (status int, rest io.Reader) {
	if s.http3() {
		t, err := s.connect(path)
		if err != nil {
			return 0, nil
		}
		s.close = append(s.close, func() { mode3.cancel(t.wire) })
		t.SetReadDeadline(time.Now().Add(time.Hour))
		return t.status, t
	}
	if s.http2() {
		t, err := s.peer().Connect(path, "sec-websocket-version", "13")
		if err != nil {
			return 0, nil
		}
		s.close = append(s.close, func() { t.Reset(8) })
		t.SetReadDeadline(time.Now().Add(time.Hour))
		return t.Status, t
	}
	return s.askOn(s.dial(), path)
}

// TestUserCodeDocs holds the table of docs/architecture.md against the rows above, both ways, and
// what it says is not tested against the reasons there.
func TestUserCodeDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "## Where a user's code is called\n")
	if !found {
		t.Fatal("docs/architecture.md has no section of that name")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	rows := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9_.]+)` \\|(.*)\\|$").FindAllStringSubmatch(section, -1) {
		if rows[m[1]] {
			t.Errorf("%s stands twice in the table", m[1])
		}
		if rows[m[1]] = true; strings.Count(m[2], "|") != 3 {
			t.Errorf("%s: the row has not five cells", m[1])
		}
	}
	for _, u := range userCodes {
		if !rows[u.id] {
			t.Errorf("%s is tested, and is not in the table", u.id)
		}
		delete(rows, u.id)
		for where, why := range u.unless {
			f := strings.Fields(where)
			if len(why) < 20 || !slices.Contains(crashKinds, f[len(f)-1]) || len(f) > 1 && !slices.Contains(u.modes, f[0]) {
				t.Errorf("%s: %q is left out, and why is %q", u.id, where, why)
			}
			if !strings.Contains(strings.Join(strings.Fields(section), " "), why) {
				t.Errorf("%s: the page does not say that %s", u.id, why)
			}
		}
	}
	for id := range rows {
		t.Errorf("%s is in the table, and is not tested", id)
	}
}

// brokenContext is a user's context.
type brokenContext struct {
	context.Context
	value, done, deadline func()
}

func (c brokenContext) Value(key any) any {
	if c.value != nil {
		c.value()
	}
	return c.Context.Value(key)
}

func (c brokenContext) Done() <-chan struct{} {
	if c.done != nil {
		c.done()
	}
	return c.Context.Done()
}

func (c brokenContext) Deadline() (time.Time, bool) {
	if c.deadline != nil {
		c.deadline()
	}
	return c.Context.Deadline()
}
