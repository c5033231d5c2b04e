// Package agent drives weir's WebSocket client through a fuzzing server: it visits every case, and
// echoes what it gets.
package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"weir/websocket"
)

// Options say how.
type Options struct {
	Agent    string                // the name in the reports
	Dialer   *websocket.Dialer     // nil: a new one
	Dial     websocket.DialOptions // of each WebSocket; MaxFrameSize 0: none
	Blocking bool                  // with a websocket.Conn, in place of a handler
	Jobs     int                   // cases at a time; 0: 1
	Limit    time.Duration         // for one case; 0: 20 minutes
	Shutdown bool                  // the server is asked to end, when all is done; it need not answer that

	// Visited is told of each case that has been visited, from 1, one at a time. It may be nil.
	Visited func(n, of int)
}

// Echo visits the cases of a fuzzing server, whose URL is that of its root, and has it write its
// reports. What comes of the cases is known to the server: an error is a server that cannot be
// reached, or the end of ctx.
func Echo(ctx context.Context, root string, o Options) error {
	if o.Dialer == nil {
		o.Dialer = new(websocket.Dialer)
		defer o.Dialer.CloseIdle()
	}
	if o.Dial.MaxFrameSize == 0 {
		o.Dial.MaxFrameSize = -1
	}
	if o.Limit == 0 {
		o.Limit = 20 * time.Minute
	}
	root = strings.TrimSuffix(root, "/")
	count, err := count(ctx, root, &o)
	if err != nil {
		return err
	}
	name := url.QueryEscape(o.Agent)
	var wg sync.WaitGroup
	var mu sync.Mutex
	next := make(chan int)
	for range max(o.Jobs, 1) {
		wg.Go(func() { // ends when no case is left
			for n := range next {
				visit(ctx, fmt.Sprintf("%s/runCase?case=%d&agent=%s", root, n, name), &o)
				if o.Visited != nil {
					mu.Lock()
					o.Visited(n, count)
					mu.Unlock()
				}
			}
		})
	}
	for n := 1; n <= count && ctx.Err() == nil; n++ {
		next <- n
	}
	close(next)
	wg.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	reports := root + "/updateReports?agent=" + name
	if o.Shutdown {
		reports += "&shutdownOnComplete=true"
	}
	_, err = read(ctx, reports, &o)
	_, closed := errors.AsType[*websocket.CloseError](err)
	switch {
	case closed: // with nothing to say
		return nil
	case o.Shutdown && gone(err): // it has ended, as it was asked to: Autobahn's does so before it answers
		return nil
	}
	return err
}

// gone says whether a connection that had been made ended without an answer.
func gone(err error) bool {
	if e, ok := errors.AsType[*websocket.DialError](err); ok && e.Response != nil {
		return false
	}
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// count asks how many cases there are.
func count(ctx context.Context, root string, o *Options) (int, error) {
	p, err := read(ctx, root+"/getCaseCount", o)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(string(p))
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s/getCaseCount said %.100q", root, p)
	}
	return n, nil
}

// read opens a WebSocket and reads one message.
func read(ctx context.Context, url string, o *Options) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	c, _, err := o.Dialer.Dial(ctx, url, &o.Dial)
	if err != nil {
		return nil, err
	}
	defer c.CloseNow()
	_, p, err := c.Read(ctx)
	if err != nil {
		return nil, err
	}
	_, _, _ = c.Read(ctx) // the server closes
	return p, nil
}

// visit plays one case. However it goes, the server knows.
func visit(ctx context.Context, url string, o *Options) {
	ctx, cancel := context.WithTimeout(ctx, o.Limit)
	defer cancel()
	if o.Blocking {
		c, _, err := o.Dialer.Dial(ctx, url, &o.Dial)
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			kind, p, err := c.Read(ctx)
			if err != nil {
				return
			}
			if c.Write(ctx, kind, p) != nil {
				return
			}
		}
	}
	e := &echo{done: make(chan struct{})}
	s, _, err := o.Dialer.DialHandler(ctx, url, e, &o.Dial)
	if err != nil {
		return
	}
	select {
	case <-e.done:
	case <-ctx.Done():
		s.Cut()
		<-e.done
	}
}

// echo sends back what comes.
type echo struct{ done chan struct{} }

func (e *echo) Handle(f websocket.Frame, out websocket.Commands) websocket.Commands {
	if f.IsData() {
		out = append(out, f.Reply())
	}
	return out
}

func (e *echo) Terminate(websocket.Reason, *websocket.PartialRequest) { close(e.done) }
