package h2_test

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
	"maps"
	"math/big"
	"net"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/h2"
	"weir/h2/h2test"
	"weir/stream/memnet"
)

// parityCase is one behaviour of ordinary requests. It runs against net/http's own HTTP/2 and against this package's, in
// cleartext and over TLS; what is seen is want on both, or else nethttp and weir, and why weir differs.
type parityCase struct {
	name    string // the section of an RFC, or "net/http", and the behaviour
	secure  bool   // over TLS only
	server  func(*play, *http.Server)
	handler func(*play, http.ResponseWriter, *http.Request)
	client  func(*play)

	want string

	what          string // what a documented difference is about
	nethttp, weir string
	go127         string // what net/http shows from Go 1.27 on; empty: nethttp
	why           string
}

// go127 says that net/http is that of Go 1.27, or later.
var go127 = !strings.HasPrefix(runtime.Version(), "go1.26")

// differs says whether the two servers are meant to differ.
func (c *parityCase) differs() bool { return c.why != "" }

// parityCases are all of them; each file has its own.
func parityCases() []parityCase {
	return slices.Concat(
		parityRequests,
		parityBodies,
		parityResponses,
		parityHeaders,
		parityControls,
		parityFaults,
		parityLives,
		parityServers,
		parityProxies,
		parityArrivals,
		parityPauses,
		parityMalformed,
		parityFields,
		parityForms,
		parityFiles,
		parityMuxes,
		parityWrites,
		parityTrailers,
		parityCalls,
		parityReads,
		parityContexts,
		parityFrames,
		parityTimeouts,
		parityServerLives,
		parityClients,
		parityGateways,
		parityLimits,
		parityTransports,
		parityTraffics,
	)
}

func TestParity(t *testing.T) {
	cert := parityCert(t)
	for _, c := range parityCases() {
		for _, secure := range []bool{false, true} {
			if c.secure && !secure {
				continue
			}
			for _, weir := range []bool{false, true} {
				want, mode := c.want, "nethttp"
				if c.differs() && !weir {
					if want = c.nethttp; go127 && c.go127 != "" {
						want = c.go127
					}
				}
				if weir {
					mode = "weir"
					if c.differs() {
						want = c.weir
					}
				}
				if mode += "/h2c"; secure {
					mode = strings.TrimSuffix(mode, "c")
				}
				t.Run(c.name+"/"+mode, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						p := newPlay(t, &c, cert, weir, secure)
						defer p.close()
						c.client(p)
						p.close()
						if got := p.seen(); got != want {
							t.Errorf("\n got %s\nwant %s\nErrorLog: %s", got, want, p.log.text()[:min(len(p.log.text()), 200)])
						}
					})
				})
			}
		}
	}
}

// parityName is what a case may be called: the section of an RFC, or net/http, and the behaviour.
var parityName = regexp.MustCompile(`^(\d{4}-\d+(\.\d+)*|net/http)/[0-9A-Za-z_-]+$`)

// TestParityCases holds the cases to their form, so that none passes without having looked at something.
func TestParityCases(t *testing.T) {
	cases := parityCases()
	if len(cases) < 220 {
		t.Errorf("there are %d behaviours, and should be 220 or more", len(cases))
	}
	names, whys := map[string]bool{}, map[string]string{}
	for _, c := range cases {
		if names[c.name] {
			t.Errorf("two cases are called %s", c.name)
		}
		names[c.name] = true
		if !parityName.MatchString(c.name) {
			t.Errorf("%s: the name is no section of an RFC or net/http, and a behaviour", c.name)
		}
		if c.client == nil || c.handler == nil && c.server == nil {
			t.Errorf("%s: nobody asks, or nobody answers", c.name)
		}
		if !c.differs() {
			if c.want == "" || c.what != "" || c.nethttp != "" || c.weir != "" || c.go127 != "" {
				t.Errorf("%s: want is empty, or there is a difference without a reason", c.name)
			}
			continue
		}
		if c.want != "" || c.what == "" || c.nethttp == "" || c.weir == "" || c.nethttp == c.weir {
			t.Errorf("%s: a difference needs what it is about, and two texts that differ", c.name)
		}
		if why, ok := whys[c.what]; ok && why != c.why {
			t.Errorf("%s: %s has two reasons", c.name, c.what)
		}
		whys[c.what] = c.why
	}
}

// withoutHTTP3 takes the last column off the table of docs/nethttp.md. False: a row has none.
func withoutHTTP3(doc []byte) (rest []byte, ok bool) {
	ok = true
	for line := range bytes.Lines(doc) {
		if bytes.HasPrefix(line, []byte("|")) {
			cells := bytes.Split(bytes.TrimSpace(line), []byte("|"))
			if len(cells) != 5 || len(bytes.TrimSpace(cells[3])) == 0 {
				ok = false
			}
			line = append(bytes.Join(cells[:min(3, len(cells))], []byte("|")), "|\n"...)
		}
		rest = append(rest, line...)
	}
	return rest, ok
}

// TestParityDocs holds the table of docs/nethttp.md against the cases.
func TestParityDocs(t *testing.T) {
	doc, err := os.ReadFile("../docs/nethttp.md")
	if err != nil {
		t.Fatal(err)
	}
	doc, cut := withoutHTTP3(doc)
	if !cut {
		t.Error("docs/nethttp.md: a row does not say what holds over HTTP/3")
	}
	var rows []string
	for _, c := range parityCases() {
		if !c.differs() {
			continue
		}
		row := fmt.Sprintf("| %s | %s |", c.what, c.why)
		if !slices.Contains(rows, row) { // several cases may show one difference
			rows = append(rows, row)
		}
	}
	table := "|---|---|\n" + strings.Join(rows, "\n") + "\n"
	if !strings.Contains(string(doc), table) || strings.Count(string(doc), "\n| ") != len(rows)+1 {
		t.Errorf("docs/nethttp.md does not have exactly these rows:\n%s", table)
	}
}

// parityCert is a certificate for the names of the cases.
func parityCert(t *testing.T) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1<<32, 0), DNSNames: []string{"example.test"}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// parityLog is what ErrorLog wrote.
type parityLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *parityLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *parityLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// play is one run of a case.
type play struct {
	t            *testing.T
	weir, secure bool
	l            *memnet.Listener
	hs           *http.Server
	tr           *http.Transport
	log          parityLog
	served       chan error    // what Serve returned
	turn         chan struct{} // for the case: whatever client and handler agree on
	handlers     sync.WaitGroup
	cleanup      func() // of the case

	mu     sync.Mutex
	notes  map[string][]string
	peers  []*h2test.Peer
	closed bool
}

func newPlay(t *testing.T, c *parityCase, cert tls.Certificate, weir, secure bool) *play {
	p := &play{t: t, weir: weir, secure: secure, l: memnet.Listen(), served: make(chan error, 1), turn: make(chan struct{}), notes: map[string][]string{}}
	p.hs = &http.Server{ErrorLog: log.New(&p.log, "", 0), Protocols: new(http.Protocols), TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}}
	p.hs.Protocols.SetHTTP1(true)
	p.hs.Protocols.SetHTTP2(true)
	p.hs.Protocols.SetUnencryptedHTTP2(true)
	p.hs.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.handler(p, w, r) })
	if c.server != nil {
		c.server(p, p.hs)
	}
	h := p.hs.Handler
	p.hs.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.handlers.Add(1)
		defer p.handlers.Done()
		h.ServeHTTP(w, r)
	})
	if weir {
		if _, err := h2.ConfigureServer(p.hs, nil); err != nil {
			t.Fatal(err)
		}
	}
	p.tr = p.transport()
	go func() { // ends with the server
		if secure {
			p.served <- p.hs.ServeTLS(p.l, "", "")
		} else {
			p.served <- p.hs.Serve(p.l)
		}
	}()
	synctest.Wait() // until the server has a listener: Shutdown must find it
	return p
}

// transport is an http.Transport that speaks HTTP/2 to the server, whatever name it is asked for.
func (p *play) transport() *http.Transport {
	tr := &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return p.l.Dial(ctx) },
		Protocols:         new(http.Protocols),
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives: false,
	}
	tr.Protocols.SetHTTP2(p.secure)
	tr.Protocols.SetUnencryptedHTTP2(!p.secure)
	return tr
}

func (p *play) close() {
	p.mu.Lock()
	done, peers := p.closed, p.peers
	p.closed = true
	p.mu.Unlock()
	if done {
		return
	}
	p.tr.CloseIdleConnections()
	for _, peer := range peers {
		peer.Close()
	}
	p.hs.Close()
	p.l.Close()
	p.handlers.Wait()
	if p.cleanup != nil {
		p.cleanup()
	}
	synctest.Wait()
}

// note keeps what who saw: the notes of one are in order, and those of several are sorted by their names.
func (p *play) note(who, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.notes[who] = append(p.notes[who], fmt.Sprintf(format, args...))
}

func (p *play) seen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var parts []string
	for _, who := range slices.Sorted(maps.Keys(p.notes)) {
		parts = append(parts, who+": "+strings.Join(p.notes[who], "; "))
	}
	return strings.Join(parts, " | ")
}

// logged notes how often ErrorLog said what.
func (p *play) logged(what string) {
	synctest.Wait()
	p.note("log", "%d %s", strings.Count(p.log.text(), what), what)
}
