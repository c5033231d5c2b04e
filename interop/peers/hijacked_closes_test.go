package peers

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	gorilla "github.com/gorilla/websocket"

	weir "weir/websocket"
)

// hijackedEndings are those of a handler that closes and returns at once, without a wait for the
// client's close frame.
var hijackedEndings = []ending{
	{Name: "at once", Path: "/", code: 4401, text: "login failed"},
	{Name: "message", Path: "/message", Send: []string{hello}, code: 4401, text: "login failed"},
}

// hastyServer is that handler, of gorilla's.
func hastyServer(t *testing.T) (addr string) {
	t.Helper()
	up := gorilla.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return // answered
		}
		defer c.Close()
		if r.URL.Path == "/message" {
			c.ReadMessage()
		}
		c.WriteMessage(gorilla.CloseMessage, gorilla.FormatCloseMessage(4401, "login failed"))
	}))
	if _, err := weir.ConfigureServer(s.Config, nil); err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// hijackedFaults are the same with a handler over HTTP/1.1: a proxy that is told of the end of its
// server ends its own stream, and weir's handlers hold their end back for that (docs/behaviour.md,
// 4.linger). A net.Conn's Close means the end.
var hijackedFaults = []proxyFault{{
	proxy: "HAProxy", client: "chromium_h2", says: "1006" + reset,
	why: "HAProxy resets a stream of HTTP/2 whose server ends first, and Chromium drops what came before",
}}

// TestHijackedCloses: what clients behind a proxy are told of the ends of a handler that hijacks,
// over HTTP/1.1 and over HTTP/2.
func TestHijackedCloses(t *testing.T) {
	for _, x := range closesProxies[:2] { // HAProxy and nghttpx: the others speak no HTTP/2 to servers
		for _, b := range []back{h1Backs[0], h2Backs[0]} {
			t.Run(x.name+"/"+b.name, func(t *testing.T) {
				f := newFronts(t)
				x.start(t, f, b, hastyServer(t))
				for _, p := range players {
					t.Run(p.name, func(t *testing.T) {
						t.Parallel()
						url := "ws://" + f.plain
						if p.secure {
							url = "wss://" + f.secure
						}
						var y tally
						p.play(t, p, url, hijackedEndings, *closesRuns, func(e *ending, r heardEnd) {
							r.Clean = true // HAProxy resets the stream at times; the close frame counts
							y.add(e, r, "")
						})
						y.judge(t, hijackedEndings, *closesRuns, nil)
					})
				}
			})
		}
	}
}

// TestHijackedClosesBrowser: the same in Chromium behind HAProxy; what is lost over HTTP/2 is lost
// over HTTP/1.1, too.
func TestHijackedClosesBrowser(t *testing.T) {
	needs(t, "chromium")
	backs := []back{h1Backs[0], h2Backs[0]}
	var fronts []*browserFront
	for _, b := range backs {
		f := newFronts(t)
		closesProxies[0].start(t, f, b, hastyServer(t))
		fronts = append(fronts, &browserFront{URL: "wss://" + f.secure, HTTP2: true})
	}
	browse(t, "closes.html", hijackedEndings, *closesRuns, fronts)
	for i, b := range backs {
		t.Run(b.name, func(t *testing.T) {
			var y tally
			heard(t, fronts[i].said, hijackedEndings, y.saying(""))
			y.judge(t, hijackedEndings, *closesRuns, hijackedFaults)
		})
	}
}
