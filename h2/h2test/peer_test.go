package h2test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"reflect"
	"testing"

	"golang.org/x/net/http2"
)

func TestTextRoundTrip(t *testing.T) {
	for _, line := range []string{
		"SETTINGS", "SETTINGS ACK", "SETTINGS INITIAL_WINDOW_SIZE=100 ENABLE_CONNECT_PROTOCOL=1", "PING ACK 0102030405060708",
		"HEADERS 1 END_STREAM :method=GET :path=/a=b", `HEADERS 1 x=y "a=b c"`, `DATA 3 END_STREAM "he said"`, "DATA 1 LEN=1000",
		"RST_STREAM 5 CANCEL", "GOAWAY 7 ENHANCE_YOUR_CALM", "WINDOW_UPDATE 0 70000",
	} {
		var e Encoder
		b, err := e.Append(nil, line)
		if err != nil {
			t.Fatal(err)
		}
		var whole, cut Decoder
		fs, err := whole.Feed(b)
		if err != nil || len(fs) != 1 || fs[0].String() != line {
			t.Errorf("%s: got %v, %v", line, fs, err)
		}
		var bits []Frame
		for i := range b {
			f, err := cut.Feed(b[i : i+1])
			if err != nil {
				t.Fatal(err)
			}
			bits = append(bits, f...)
		}
		if !reflect.DeepEqual(bits, fs) {
			t.Errorf("%s: cut into octets it became %v", line, bits)
		}
	}
}

// TestPeerAgainstNetHTTP checks the peer against the HTTP/2 server of net/http, over loopback.
func TestPeerAgainstNetHTTP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Path", r.URL.Path)
		w.Header().Set("Trailer", "X-End")
		b, _ := io.ReadAll(r.Body)
		w.Write(append([]byte(r.Method+":"), b...))
		w.Header().Set("X-End", "yes")
	}), TLSConfig: &tls.Config{}}
	srv.Protocols.SetUnencryptedHTTP2(true)
	go srv.Serve(l) // ends with srv.Close
	defer srv.Close()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	p, err := Dial(nc)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	res, err := p.Get("/hello")
	if err != nil || res.Status != 200 || string(res.Body) != "GET:" || res.Header["x-path"] != "/hello" || res.Trailer["x-end"] != "yes" {
		t.Errorf("GET: %+v, %v", res, err)
	}
	put, err := p.Open(false, ":method", "PUT", ":scheme", "http", ":authority", "a", ":path", "/")
	if err != nil {
		t.Fatal(err)
	}
	body := make([]byte, 300_000) // more than any window
	if n, err := put.Write(body); n != len(body) || err != nil {
		t.Fatal(n, err)
	}
	put.CloseWrite()
	if res, err := put.Response(patience); err != nil || len(res.Body) != len(body)+4 {
		t.Errorf("PUT: %v", err)
	}
	bad, err := p.Connect("/x")
	if re, ok := err.(*ResetError); !ok || re.Code != http2.ErrCodeProtocol {
		t.Errorf("extended CONNECT without the setting: %+v, %v", bad, err)
	}
}
