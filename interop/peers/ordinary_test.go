package peers

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/h2"
)

// act is one thing that a client does with an ordinary server. It runs against net/http's own
// HTTP/2 and against weir's; what was seen is to be the same, but for the differences that
// docs/nethttp.md lists.
type act struct {
	name   string
	secure bool               // over TLS only
	serve  func(*http.Server) // how the server is set up, or nil
	do     func(*site) string // what was seen: nothing in it depends on time, ports and stream identifiers

	want string // on both; empty: it only has to be the same

	why           string // the difference, as docs/nethttp.md names it
	nethttp, weir string // what is seen then
}

// site is one server with the handlers of ordinaryMux, over net/http's HTTP/2 or weir's.
type site struct {
	t            *testing.T
	weir, secure bool
	hs           *http.Server
	addr, origin string // host and port, and the URL without a path
	log          siteLog
	notes        chan string // what handlers say of what they saw
	turn         chan struct{}
	handler      http.Handler
}

// siteLog is what ErrorLog wrote.
type siteLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *siteLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *siteLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// sameOnBoth runs each act on a new server of either kind, in cleartext and over TLS.
func sameOnBoth(t *testing.T, acts []act) {
	t.Helper()
	for _, secure := range []bool{false, true} {
		transport := "h2c"
		if secure {
			transport = "h2"
		}
		for _, a := range acts {
			if a.secure && !secure {
				continue
			}
			t.Run(transport+"/"+a.name, func(t *testing.T) {
				t.Parallel()
				a.judge(t, func(weir bool) string {
					s := newSite(t, weir, secure, a.serve)
					defer s.close()
					return s.within(a.do)
				})
			})
		}
	}
}

// within is what do says, if it says it soon.
func (s *site) within(do func(*site) string) string {
	said := make(chan string, 1)
	go func() { said <- do(s) }() // ends with do, the last at the end of the test's context
	select {
	case text := <-said:
		return text
	case <-time.After(2 * mostWait):
		return "(it does not end)"
	}
}

// judge holds what is seen on the two kinds of server against each other, and against what is
// wanted.
func (a *act) judge(t *testing.T, run func(weir bool) string) {
	t.Helper()
	theirs, ours := run(false), run(true)
	if testing.Verbose() {
		t.Logf("net/http: %s", theirs)
	}
	if a.why != "" {
		if theirs != a.nethttp || ours != a.weir {
			t.Errorf("%s\nnet/http: %s\n    want: %s\n    weir: %s\n    want: %s", a.why, theirs, a.nethttp, ours, a.weir)
		}
		return
	}
	if theirs != ours {
		t.Errorf("they differ\nnet/http: %s\n    weir: %s", theirs, ours)
	}
	if a.want != "" && theirs != a.want {
		t.Errorf("net/http: %s\n    want: %s", theirs, a.want)
	}
	if a.want != "" && ours != a.want {
		t.Errorf("weir: %s\nwant: %s", ours, a.want)
	}
	if theirs == "" {
		t.Error("nothing was seen")
	}
}

func newSite(t *testing.T, weir, secure bool, serve func(*http.Server)) *site {
	t.Helper()
	s := &site{t: t, weir: weir, secure: secure, notes: make(chan string, 1000), turn: make(chan struct{})}
	s.handler = ordinaryMux(s)
	s.hs = &http.Server{
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }),
		ErrorLog:  log.New(&s.log, "", 0),
		Protocols: new(http.Protocols),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{siteCert()}},
	}
	s.hs.Protocols.SetHTTP1(true)
	s.hs.Protocols.SetHTTP2(true)
	s.hs.Protocols.SetUnencryptedHTTP2(true)
	if serve != nil {
		serve(s.hs)
	}
	if weir {
		if _, err := h2.ConfigureServer(s.hs, nil); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	s.origin = "http://" + s.addr
	if secure {
		s.origin = "https://" + s.addr
	}
	go func() { // ends with close
		if secure {
			s.hs.ServeTLS(l, "", "")
		} else {
			s.hs.Serve(l)
		}
	}()
	return s
}

func (s *site) close() {
	s.hs.Close()
	if text := s.log.String(); s.t.Failed() && text != "" {
		s.t.Logf("ErrorLog, weir %v: %s", s.weir, text[:min(len(text), 2000)])
	}
}

// note says what a handler saw.
func (s *site) note(format string, args ...any) { s.notes <- fmt.Sprintf(format, args...) }

// noted waits for n notes, which are sorted.
func (s *site) noted(n int) string {
	var all []string
	late := time.After(mostWait)
	for range n {
		select {
		case one := <-s.notes:
			all = append(all, one)
		case <-late:
			all = append(all, "(no note)")
		}
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// step lets the handler, or the client, go on that waits in turned.
func (s *site) step() string {
	select {
	case s.turn <- struct{}{}:
		return ""
	case <-time.After(mostWait):
		return "(nobody waits)"
	}
}

func (s *site) turned(ctx context.Context) {
	select {
	case <-s.turn:
	case <-ctx.Done():
	}
}

// transport is an http.Transport that speaks HTTP/2 only.
func (s *site) transport() *http.Transport {
	tr := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ExpectContinueTimeout: mostWait}
	tr.Protocols.SetHTTP2(s.secure)
	tr.Protocols.SetUnencryptedHTTP2(!s.secure)
	s.t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// siteCert is one certificate for all servers.
var siteCert = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1<<32, 0), DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})
