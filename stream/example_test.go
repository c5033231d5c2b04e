package stream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"weir/h2"
	"weir/stream"
)

// upper is a Sink that sends back what it gets, in capitals.
type upper struct {
	st   stream.Stream
	over chan error
}

func (u *upper) Data(b []byte, fin bool) {
	_, err := u.st.Send([][]byte{[]byte(strings.ToUpper(string(b)))}, fin) // b is lent until Data returns
	if err != nil {
		fmt.Println(err)
	}
	u.st.Release(len(b)) // the peer may send as much again
}

func (u *upper) Drained() {} // little enough is queued to send on

func (u *upper) Closed(err error) { u.over <- err }

// What runs over a stream is a Sink. Pipe is a stream in memory, both its ends.
func ExamplePipe() {
	a, b := stream.Pipe()
	u := &upper{st: a, over: make(chan error, 1)}
	a.Attach(u, stream.Limits{Window: 1000, Low: 100})

	c := stream.NewConn(b, 0) // the other end as a net.Conn
	io.WriteString(c, "hello")
	c.CloseWrite()
	answer, err := io.ReadAll(c)
	fmt.Printf("%s %v\n", answer, err)
	fmt.Println(<-u.over, a.Info().Transport)
	// Output:
	// HELLO <nil>
	// <nil> pipe
}

// A stream that is given up says why, on both sides.
func ExampleConn() {
	a, b := stream.Pipe()
	c, peer := stream.NewConn(a, 0), stream.NewConn(b, 0)
	defer c.Close()
	c.Write([]byte("half a"))
	half := make([]byte, 6)
	io.ReadFull(peer, half)
	fmt.Printf("%s, and behind it: %d octets\n", half, peer.Buffered())

	c.Reset(stream.EnhanceYourCalm)
	_, err := peer.Read(half)
	if e, ok := errors.AsType[*stream.ResetError](err); ok {
		fmt.Println(e.Code, "by the peer:", e.Remote)
	}
	fmt.Println(errors.Is(peer.Err(), net.ErrClosed))
	_, err = a.Send(nil, true)
	fmt.Println(err)
	// Output:
	// half a, and behind it: 0 octets
	// ENHANCE_YOUR_CALM by the peer: true
	// true
	// stream: reset: ENHANCE_YOUR_CALM
}

func ExampleLimits() {
	l := stream.Limits{Low: 1 << 10}.WithDefaults()
	fmt.Println(l.Window == stream.DefaultWindow, l.WriteTimeout == stream.DefaultWriteTimeout, l.Low)
	// Output: true true 1024
}

func ExampleTransport() {
	for _, t := range []stream.Transport{stream.H1, stream.H1TLS, stream.H2C, stream.H2, stream.H3} {
		fmt.Println(t, "is HTTP/"+t.HTTPVersion())
	}
	// Output:
	// h1 is HTTP/1.1
	// h1tls is HTTP/1.1
	// h2c is HTTP/2
	// h2 is HTTP/2
	// h3 is HTTP/3
}

// The http.ResponseWriter of an extended CONNECT over HTTP/2 is an Opener.
func ExampleOpener() {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o, ok := w.(stream.Opener)
		if !ok {
			http.Error(w, "an extended CONNECT is wanted", http.StatusNotImplemented)
			return
		}
		fmt.Println("asked for", stream.Token(r.Context()))
		st, err := o.OpenStream(http.Header{"X-Greeting": {"hello"}})
		switch {
		case errors.Is(err, stream.ErrAnswered):
			return // by a middleware
		case errors.Is(err, stream.ErrHalfClosed):
			http.Error(w, "the request has ended", http.StatusBadRequest)
			return
		case err != nil:
			fmt.Println(err)
			return
		}
		st.Send(nil, false) // the answer leaves; otherwise it waits for the first octets
		go func() {         // ends with the stream; ServeHTTP may return before
			c := stream.NewConn(st, 0)
			defer c.Close()
			io.Copy(c, c)
		}()
	}))
	if _, err := h2.ConfigureServer(srv.Config, nil); err != nil {
		fmt.Println(err)
		return
	}
	srv.Start()
	defer srv.Close()

	nc, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	client := h2.NewClient(nc, nil)
	defer client.Close()
	r, err := http.NewRequest(http.MethodConnect, srv.URL+"/echo", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	r.Header[":protocol"] = []string{"echo"}
	st, resp, err := client.Open(context.Background(), r)
	if err != nil {
		fmt.Println(err)
		return
	}
	c := stream.NewConn(st, 0)
	io.WriteString(c, "echo")
	c.CloseWrite()
	answer, _ := io.ReadAll(c)
	fmt.Printf("%s %s %s\n", resp.Status, resp.Header.Get("X-Greeting"), answer)
	_, err = st.Send([][]byte{nil}, false)
	fmt.Println(errors.Is(err, stream.ErrClosed))
	// Output:
	// asked for echo
	// 200 OK hello echo
	// true
}

// A transport says in the request's context what an extended CONNECT asks for.
func ExampleWithToken() {
	ctx := stream.WithToken(context.Background(), "websocket")
	fmt.Println(stream.Token(ctx))
	// Output: websocket
}

// letters is an actor: who posts finds it at rest, and has it work, or leaves the work to who is at
// it.
type letters struct {
	mail stream.Mailbox[[]string]
	wait sync.WaitGroup
}

func (l *letters) post(s string) {
	box := l.mail.Lock()
	if s == "" {
		l.mail.Leave()
		return
	}
	*box = append(*box, s)
	if l.mail.Unlock() {
		l.wait.Go(l.work) // ends when nothing waits
	}
}

func (l *letters) work() {
	for {
		var box []string
		if !l.mail.Take(&box) {
			return
		}
		for _, s := range box {
			fmt.Println(s)
		}
	}
}

// Turn is for who works in turns: it says whether there is another to do.
func (l *letters) Turn(time.Time) (again bool) {
	var box []string
	if l.mail.Take(&box) {
		fmt.Println(len(box), "in this turn")
	}
	return l.mail.Rest()
}

func ExampleMailbox() {
	var l letters
	l.post("")
	for _, s := range []string{"one", "two", "three"} {
		l.post(s)
	}
	l.wait.Wait()
	if l.mail.Claim() { // nobody works: the caller does
		l.post("four") // and need not start anybody
		fmt.Println("again:", l.Turn(time.Now()))
	}
	// Output:
	// one
	// two
	// three
	// 1 in this turn
	// again: false
}

// large is a Sink that has room for a large message where it belongs.
type large struct {
	*upper
	room []byte
}

func (l *large) Fill() []byte { return l.room }

// Of some streams more may be asked: credit for what is to come of a large message, at once.
func ExampleExpecter() {
	a, _ := stream.Pipe()
	l := &large{&upper{st: a}, make([]byte, 100_000)}
	a.Attach(l, stream.Limits{})
	if e, ok := a.(stream.Expecter); ok {
		e.Expect(0, len(l.room))
	} else {
		fmt.Println("a pipe gives credit by Release alone")
	}
	a.Reset(stream.Cancel)
	// Output: a pipe gives credit by Release alone
}
