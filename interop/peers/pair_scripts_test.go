package peers

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// stage is a server that serves each WebSocket as the next role says.
type stage struct {
	url   string // of the server itself
	roles chan role
}

// role is what one end does.
type role struct {
	setup
	play func(e end) error
	done chan error // its outcome
}

func newStage(t *testing.T, l library) *stage {
	s := &stage{roles: make(chan role, 100)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		role := <-s.roles
		e, err := l.serve(w, r, role.setup)
		if err == nil {
			err = role.play(e)
			e.done(err)
		}
		role.done <- err
	}))
	t.Cleanup(srv.Close)
	s.url = "ws" + strings.TrimPrefix(srv.URL, "http")
	return s
}

// play opens one WebSocket to url, which leads to the stage, and has both ends play.
func (s *stage) play(ctx context.Context, l library, url string, onServer, onClient setup, server, client func(e end) error) (*http.Response, error) {
	r := role{onServer, server, make(chan error, 1)}
	s.roles <- r
	e, resp, err := l.dial(ctx, url, onClient)
	if err != nil {
		select { // nobody may be there to play it
		case <-s.roles:
		default:
		}
		return resp, fmt.Errorf("dial: %w", err)
	}
	err = client(e)
	e.done(err)
	if err != nil {
		return resp, fmt.Errorf("client: %w", err)
	}
	if err := <-r.done; err != nil {
		return resp, fmt.Errorf("server: %w", err)
	}
	return resp, nil
}

// echo sends back what it receives, until the close frame that it expects.
func echo(ctx context.Context, code int, text string) func(e end) error {
	return func(e end) error {
		for {
			kind, p, err := e.receive(ctx)
			if err != nil {
				if gotCode, gotText := e.closed(err); gotCode != code || gotText != text {
					return fmt.Errorf("want close %d %q: %w", code, text, err)
				}
				return nil
			}
			if err := e.send(ctx, kind, p); err != nil {
				return err
			}
		}
	}
}

// scripts are what the end does that does not echo.
var scripts = []struct {
	name string
	code int // of the close frame at its end
	text string
	play func(ctx context.Context, e end) error
}{
	{"messages", 1000, "bye", messages},
	{"fragments", 4999, "grüße", fragments},
	{"ping", 3000, "", pings},
	{"concurrent", 1000, "", concurrent},
	{"at_once", 1001, "", func(context.Context, end) error { return nil }},
}

func messages(ctx context.Context, e end) error {
	for _, size := range sizes {
		for _, text := range []bool{true, false} {
			want := pattern(size)
			if err := e.send(ctx, text, want); err != nil {
				return err
			}
			if err := expect(ctx, e, text, want); err != nil {
				return err
			}
		}
	}
	return nil
}

func expect(ctx context.Context, e end, text bool, want []byte) error {
	kind, got, err := e.receive(ctx)
	if err != nil || kind != text || !bytes.Equal(got, want) {
		return fmt.Errorf("%d octets (text: %v) came back for %d octets (text: %v): %w", len(got), kind, len(want), text, err)
	}
	return nil
}

func fragments(ctx context.Context, e end) error {
	parts := [][]byte{pattern(3000), nil, pattern(1), pattern(70000), nil}
	for _, text := range []bool{true, false} {
		if err := e.sendParts(ctx, text, parts...); err != nil {
			return err
		}
		if err := expect(ctx, e, text, bytes.Join(parts, nil)); err != nil {
			return err
		}
	}
	return nil
}

func pings(ctx context.Context, e end) error {
	received := make(chan error, 1)
	go func() { received <- expect(ctx, e, true, []byte("after")) }() // ends with the message
	for range 3 {
		if err := e.ping(ctx); err != nil {
			return fmt.Errorf("ping: %w", err)
		}
	}
	if err := e.send(ctx, true, []byte("after")); err != nil {
		return err
	}
	return <-received
}

// concurrent has several write at once. In all it is less than a window: HAProxy 2.6 stalls on more in both directions.
func concurrent(ctx context.Context, e end) error {
	const writers, each = 8, 20
	failed := make(chan error, writers)
	for i := range writers {
		go func() { // ends when all is written
			for k := range each {
				if err := e.send(ctx, true, fmt.Appendf(nil, "%d %d %s", i, k, pattern(10*k))); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	var next [writers]int
	for range writers * each {
		_, p, err := e.receive(ctx)
		if err != nil {
			return err
		}
		var i, k int
		var rest string
		fmt.Sscan(string(p), &i, &k, &rest)
		if k != next[i] || rest != string(pattern(10*k)) {
			return fmt.Errorf("message %d of writer %d is %q", next[i], i, p)
		}
		next[i]++
	}
	for range writers {
		if err := <-failed; err != nil {
			return err
		}
	}
	return nil
}
