package main

import (
	"context"
	"errors"
	"net/http/httptrace"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/stream/memnet"
	"weir/websocket"
)

// TestFaultsContext ends the context of a Dial at each hop of every way, in each manner: errors.Is
// finds the cause, and what the context itself says.
func TestFaultsContext(t *testing.T) {
	faultsCert()
	gone := errors.New("gone home")
	const after = 3 * time.Second
	for _, c := range []struct {
		name  string
		ctx   func(context.Context) (context.Context, context.CancelFunc)
		is    []error
		isNot error
		code  int
	}{
		{"deadline", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, after)
		},
			[]error{context.DeadlineExceeded}, context.Canceled, exitTimeout},
		{"deadline with cause", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeoutCause(ctx, after, gone)
		}, []error{context.DeadlineExceeded, gone}, context.Canceled, exitTimeout},
		{"cancel", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(after, cancel)
			return ctx, cancel
		}, []error{context.Canceled}, context.DeadlineExceeded, exitConnect},
		{"cancel with cause", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(after, func() { cancel(gone) })
			return ctx, func() { cancel(nil) }
		}, []error{context.Canceled, gone}, context.DeadlineExceeded, exitConnect},
		{"interrupted", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(after, func() { cancel(errInterrupted) })
			return ctx, func() { cancel(nil) }
		}, []error{context.Canceled, errInterrupted}, context.DeadlineExceeded, exitConnect},
	} {
		everyHop(func(w way, hop string) {
			t.Run(w.proxy+"/"+w.transport+"/"+hop+"/"+c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := &network{way: w, bad: hop, fault: silent, ln: memnet.Listen()}
					go n.serve() // ends with the listener
					d := n.dialer()
					ctx, stop := c.ctx(t.Context())
					defer stop()
					var connected atomic.Bool
					start := time.Now()
					_, res, err := d.Dial(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
						GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
					}), w.url(), nil)
					if took := time.Since(start); took != after || res != nil {
						t.Errorf("after %v, with response %v", took, res)
					}
					for _, is := range c.is {
						if !errors.Is(err, is) {
							t.Errorf("errors.Is does not find %q in %v", is, err)
						}
					}
					if errors.Is(err, c.isNot) {
						t.Errorf("errors.Is finds %q in %v", c.isNot, err)
					}
					if _, ok := errors.AsType[*websocket.DialError](err); !ok {
						t.Errorf("%T", err)
					}
					if ee, _ := errors.AsType[*exitError](dialExit(err, connected.Load())); ee == nil || ee.code != c.code {
						t.Errorf("`weir connect` ends with %v, want %d", ee, c.code)
					}
					n.leave(t, d)
				})
			})
		})
	}
}

// everyHop calls f for each hop of each way.
func everyHop(f func(w way, hop string)) {
	for _, proxy := range proxiesOfWays {
		for _, transport := range transportsOfWays {
			w := way{proxy, transport}
			for _, hop := range w.hops() {
				f(w, hop)
			}
		}
	}
}
