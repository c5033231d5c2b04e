package h2_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"

	"weir/h2"
	"weir/stream"
)

// TestUpgradeTokens (RFC 8441, 4; RFC 9110, 7.8): an extended CONNECT whose token is in
// Config.UpgradeTokens is a GET with Connection and Upgrade to handlers, any other a CONNECT with
// :protocol; the token is in the context of both. The answer does not know of it.
func TestUpgradeTokens(t *testing.T) {
	const key = "dGhlIHNhbXBsZSBub25jZQ=="
	get := []string{"END_STREAM", "", ":method", "GET", ":protocol", "-"}
	for _, c := range []struct {
		name   string
		tokens []string
		fields []string
		want   string // method, Connection, Upgrade, key, :protocol, token
	}{
		{"websocket", nil, nil, `GET ["Upgrade"] ["websocket"] made [] websocket`},
		{"any_case", nil, []string{":protocol", "WebSocket"},
			`GET ["Upgrade"] ["websocket"] made [] WebSocket`},
		{"key_of_the_client", nil, []string{"sec-websocket-key", key},
			`GET ["Upgrade"] ["websocket"] the client's [] websocket`},
		{"two_keys", nil, []string{"sec-websocket-key", key, "sec-websocket-key", key},
			`GET ["Upgrade"] ["websocket"] made [] websocket`},
		{"key_that_is_none", nil, []string{"sec-websocket-key", "nonsense"},
			`GET ["Upgrade"] ["websocket"] made [] websocket`},
		{"other", nil, []string{":protocol", "connect-udp"},
			`CONNECT [] [] none ["connect-udp"] connect-udp`},
		{"none_listed", []string{}, nil, `CONNECT [] [] none ["websocket"] websocket`},
		{"other_listed", []string{"x", "connect-udp"}, []string{":protocol", "connect-udp"},
			`GET ["Upgrade"] ["connect-udp"] none [] connect-udp`},
		{"GET", nil, get, `GET [] [] none [] `},
		{"GET_with_fields_of_one", nil,
			append(get[:6:6], "sec-websocket-version", "13", "sec-websocket-key", key),
			`GET [] [] the client's [] `},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := func(w http.ResponseWriter, r *http.Request) {
				made := "none"
				switch keys := r.Header["Sec-Websocket-Key"]; {
				case len(keys) == 1 && keys[0] == key:
					made = "the client's"
				case len(keys) == 1:
					made = "made"
					if b, err := base64.StdEncoding.DecodeString(keys[0]); err != nil || len(b) != 16 {
						made = keys[0]
					}
				}
				got := fmt.Sprintf("%s %q %q %s %q %s", r.Method, r.Header["Connection"],
					r.Header["Upgrade"], made, r.Header[":protocol"], stream.Token(r.Context()))
				if got != c.want {
					t.Errorf("got  %s\nwant %s", got, c.want)
				}
				if r.Proto != "HTTP/2.0" || r.ProtoMajor != 2 || r.URL.Path != "/a" ||
					r.Host != "example.test" || r.Body != http.NoBody || r.ContentLength != 0 {
					t.Errorf("request %+v", r)
				}
				if err := sendOn(r); r.Method == "GET" && err != errNoDial {
					t.Errorf("net/http does not send it on: %v", err)
				}
				if st, err := w.(stream.Opener).OpenStream(nil); err == nil {
					st.Send(nil, true)
				}
			}
			bubble(t, &h2.Config{UpgradeTokens: c.tokens}, h, func(s *site) {
				tn, err := s.dial().Connect("/a", c.fields...)
				if err != nil {
					t.Fatal(err)
				}
				for _, name := range []string{"connection", "upgrade", "sec-websocket-accept"} {
					if v := tn.Field(name); tn.Status != 200 || v != "" {
						t.Errorf("status %d, %s: %q", tn.Status, name, v)
					}
				}
			})
		})
	}
}

var errNoDial = errors.New("no server")

// sendOn gives r to net/http's client, as a proxy does.
func sendOn(r *http.Request) error {
	out := r.Clone(context.Background())
	out.URL.Scheme, out.URL.Host, out.RequestURI = "http", "example.test", ""
	tr := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, errNoDial
	}}
	_, err := tr.RoundTrip(out)
	return err
}

// TestUpgradeOfGET (RFC 8441, 4): a GET is none, whatever its header says by the time that the
// stream is to be opened.
func TestUpgradeOfGET(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "websocket")
		if _, err := w.(stream.Opener).OpenStream(nil); err == nil {
			t.Error("a GET became a stream")
		}
	}
	bubble(t, nil, h, func(s *site) {
		p := s.dial()
		if res, err := p.Get("/"); err != nil || res.Status != 200 {
			t.Errorf("%+v, %v", res, err)
		}
		for _, field := range []string{"connection", "upgrade"} {
			tn, err := p.Connect("/", ":method", "GET", ":protocol", "-", field, "Upgrade")
			if err != nil || tn.Status != 400 {
				t.Errorf("a GET with %s: %d, %v, want 400 (RFC 9113, 8.2.2)", field, tn.Status, err)
			}
		}
	})
}
