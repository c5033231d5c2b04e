package agent_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"weir/interop/conform/agent"
	"weir/websocket"
)

// fuzzer is a fuzzing server of two cases, which does with a client that is done what end does.
func fuzzer(end http.HandlerFunc) http.Handler {
	mux := http.NewServeMux()
	open := func(w http.ResponseWriter, r *http.Request, text string) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		if text == "" || c.Write(context.WithoutCancel(r.Context()), websocket.TextFrame, []byte(text)) == nil {
			_ = c.Close(1000, "") // the client may be gone
		}
	}
	mux.HandleFunc("/getCaseCount", func(w http.ResponseWriter, r *http.Request) { open(w, r, "2") })
	mux.HandleFunc("/runCase", func(w http.ResponseWriter, r *http.Request) { open(w, r, "") })
	mux.HandleFunc("/updateReports", end)
	return mux
}

// hijack takes a request's connection.
func hijack(w http.ResponseWriter) net.Conn {
	nc, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	return nc
}

// TestShutdown: a server that is asked to end need not answer. One that says no, and one that was
// not asked and goes, has failed.
func TestShutdown(t *testing.T) {
	drop := func(w http.ResponseWriter, _ *http.Request) { hijack(w).Close() }
	for _, test := range []struct {
		name     string
		end      http.HandlerFunc
		shutdown bool
		ok       bool
	}{
		{"an end without an answer", drop, true, true},
		{"a reset without an answer", func(w http.ResponseWriter, _ *http.Request) {
			nc := hijack(w)
			_ = nc.(*net.TCPConn).SetLinger(0)
			nc.Close()
		}, true, true},
		{"half of an answer", func(w http.ResponseWriter, _ *http.Request) {
			nc := hijack(w)
			_, _ = nc.Write([]byte("HTTP/1.1 101 Switching Protocols\r\n"))
			nc.Close()
		}, true, true},
		{"an end without a close frame", func(w http.ResponseWriter, r *http.Request) {
			if c, err := websocket.Accept(w, r, nil); err == nil {
				c.CloseNow()
			}
		}, true, true},
		{"a refusal", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) }, true, false},
		{"an end that nobody asked for", drop, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := httptest.NewServer(fuzzer(test.end))
			defer s.Close()
			played := 0
			err := agent.Echo(t.Context(), s.URL, agent.Options{Agent: "mine", Shutdown: test.shutdown, Visited: func(int, int) { played++ },
				Dialer: &websocket.Dialer{HTTP: websocket.HTTP1}})
			if (err == nil) != test.ok || played != 2 {
				t.Errorf("%d cases played: %v", played, err)
			}
		})
	}
}
