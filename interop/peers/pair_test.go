package peers

import (
	"context"
	"fmt"
	"testing"
)

// eachPair runs body for every library as a server with every library as a client.
func eachPair(t *testing.T, body func(t *testing.T, server *stage, serving, dialling library)) {
	for _, serving := range libraries {
		for _, dialling := range libraries {
			t.Run(dialling.name+"_to_"+serving.name, func(t *testing.T) {
				body(t, newStage(t, serving), serving, dialling)
			})
		}
	}
}

// bothWays plays every script, once with the client speaking and once with the server.
func bothWays(t *testing.T, s *stage, dialling library, url string) {
	for _, script := range scripts {
		t.Run(script.name, func(t *testing.T) {
			ctx := bounded(t)
			speak := func(e end) error {
				if err := script.play(ctx, e); err != nil {
					return err
				}
				return e.close(ctx, script.code, script.text)
			}
			answer := echo(ctx, script.code, script.text)
			if _, err := s.play(ctx, dialling, url, setup{}, setup{}, answer, speak); err != nil {
				t.Errorf("the client speaks: %v", err)
			}
			if _, err := s.play(ctx, dialling, url, setup{}, setup{}, speak, answer); err != nil {
				t.Errorf("the server speaks: %v", err)
			}
		})
	}
}

func TestPairs(t *testing.T) {
	eachPair(t, func(t *testing.T, s *stage, _, dialling library) { bothWays(t, s, dialling, s.url) })
}

func TestPairsSubprotocol(t *testing.T) {
	eachPair(t, func(t *testing.T, s *stage, _, dialling library) {
		ctx := bounded(t)
		for _, row := range []struct {
			server, client []string
			want           string
		}{
			{[]string{"b", "c"}, []string{"a", "b"}, "b"},
			{[]string{"c"}, []string{"a", "b"}, ""},
			{nil, []string{"a"}, ""},
			{[]string{"a"}, nil, ""},
		} {
			chosen := func(e end) error {
				if got := e.subprotocol(); got != row.want {
					return fmt.Errorf("subprotocol %q", got)
				}
				return nil
			}
			_, err := s.play(ctx, dialling, s.url, setup{subprotocols: row.server}, setup{subprotocols: row.client}, func(e end) error {
				if err := chosen(e); err != nil {
					return err
				}
				return echo(ctx, 1000, "")(e)
			}, func(e end) error {
				if err := chosen(e); err != nil {
					return err
				}
				return e.close(ctx, 1000, "")
			})
			if err != nil {
				t.Errorf("%v of %v: %v", row.server, row.client, err)
			}
		}
	})
}

// TestPairsDeflate: permessage-deflate (RFC 7692) in all combinations of what the ends want of context takeover.
func TestPairsDeflate(t *testing.T) {
	eachPair(t, func(t *testing.T, s *stage, serving, dialling library) {
		ctx := bounded(t)
		for _, onServer := range append([]setup{{}}, serving.modes...) {
			for _, onClient := range append([]setup{{}}, dialling.modes...) {
				resp, err := s.play(ctx, dialling, s.url, onServer, onClient, echo(ctx, 1000, ""), func(e end) error {
					if err := compressible(ctx, e); err != nil {
						return err
					}
					return e.close(ctx, 1000, "")
				})
				if err != nil {
					t.Errorf("server %+v, client %+v: %v", onServer, onClient, err)
					continue
				}
				if agreed := resp.Header.Get("Sec-Websocket-Extensions"); (agreed != "") != (onServer.compress && onClient.compress) {
					t.Errorf("server %+v, client %+v: they agreed on %q", onServer, onClient, agreed)
				}
			}
		}
	})
}

// compressible sends messages that refer back to those before, of lengths up to many windows, and in fragments.
func compressible(ctx context.Context, e end) error {
	for i, size := range []int{10, 0, 200, 200, 5000, 5000, 100_000, 40_000, 1} {
		p := pattern(size)
		if err := e.send(ctx, i%2 == 0, p); err != nil {
			return err
		}
		if err := expect(ctx, e, i%2 == 0, p); err != nil {
			return err
		}
	}
	return fragments(ctx, e)
}

// TestPairsMany: many WebSockets at once.
func TestPairsMany(t *testing.T) {
	eachPair(t, func(t *testing.T, s *stage, _, dialling library) { many(t, s, dialling, s.url) })
}

func many(t *testing.T, s *stage, dialling library, url string) {
	ctx := bounded(t)
	const sockets = 50
	outcome := make(chan error, sockets)
	for range sockets {
		go func() { // ends with its WebSocket
			_, err := s.play(ctx, dialling, url, setup{}, setup{}, echo(ctx, 1000, ""), func(e end) error {
				for n := range 20 {
					p := pattern(n * 50)
					if err := e.send(ctx, true, p); err != nil {
						return err
					}
					if err := expect(ctx, e, true, p); err != nil {
						return err
					}
				}
				return e.close(ctx, 1000, "")
			})
			outcome <- err
		}()
	}
	for range sockets {
		if err := <-outcome; err != nil {
			t.Error(err)
		}
	}
}
