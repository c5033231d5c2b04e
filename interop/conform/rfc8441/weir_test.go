package rfc8441

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"weir/interop/conform"
	"weir/websocket"
)

// echoes sends every message back.
type echoes struct{}

func (echoes) Handle(f websocket.Frame, out websocket.Commands) websocket.Commands {
	if f.IsData() {
		return append(out, f.Reply())
	}
	return out
}

// weir is a server of this module, on loopback, in cleartext or over TLS.
func weir(t testing.TB, secure bool) *conform.Target {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/echo", websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return echoes{}, &websocket.Options{Compress: true}
	}))
	srv := httptest.NewUnstartedServer(mux)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	if _, err := websocket.ConfigureServer(srv.Config, nil); err != nil {
		t.Fatal(err)
	}
	if secure {
		srv.EnableHTTP2 = true
		srv.TLS = &tls.Config{NextProtos: []string{"h2", "http/1.1"}}
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(srv.CloseClientConnections)
	t.Cleanup(srv.Close)
	var cfg *tls.Config
	if secure {
		cfg = srv.Client().Transport.(*http.Transport).TLSClientConfig
	}
	target, err := conform.NewTarget(srv.URL+"/echo", "2", cfg)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// TestWeir: weir does the best in every case, over both transports.
func TestWeir(t *testing.T) {
	for name, secure := range map[string]bool{"h2c": false, "h2": true} {
		t.Run(name, func(t *testing.T) {
			r := conform.Run{Cases: Cases(), Target: weir(t, secure)}
			for i := range r.Cases {
				r.Cases[i].Limit = 2 * time.Minute // for a machine that has much else to do
			}
			for _, res := range r.Do(t.Context()) {
				if res.Body != conform.OK || res.Bad() {
					t.Errorf("%s (%s): %s: %s\n%s", res.Case.ID, res.Case.Section, res.Body, res.Why, dialogue(res))
				}
			}
		})
	}
}

// dialogue is the wire log of a result, to read.
func dialogue(res conform.Result) string {
	var b strings.Builder
	log := res.Log
	if len(log) > 40 {
		log = log[len(log)-40:]
	}
	for _, e := range log {
		b.WriteString("\t" + string(e.Dir) + ": " + e.Text + "\n")
	}
	return b.String()
}
