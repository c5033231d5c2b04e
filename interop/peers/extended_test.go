package peers

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/h2"
	weir "weir/websocket"
)

// extended is a client over RFC 8441, and how many connections it has opened.
type extended struct {
	library
	d     *weir.Dialer
	conns atomic.Int32
	dials atomic.Int32 // that were answered
	trace trace
}

// extendedClients are weir's own, and coder's on a Transport, to which all is HTTP/1.1.
var extendedClients = map[string]func(t *testing.T) *extended{"weir": newExtended, "coder": newTransported}

func newExtended(t *testing.T) *extended {
	x := new(extended)
	x.dialer(t)
	x.library = weirLibrary(x.d)
	x.opens("2.0", http.StatusOK)
	return x
}

func newTransported(t *testing.T) *extended {
	x := new(extended)
	x.dialer(t)
	x.library = coderLibrary
	client := &http.Client{Transport: &weir.Transport{Dialer: x.d, Base: unasked{}}}
	x.library.dial = func(ctx context.Context, url string, o setup) (end, *http.Response, error) {
		return dialCoder(ctx, client, url, o)
	}
	x.opens("1.1", http.StatusSwitchingProtocols)
	return x
}

// unasked is the Base of a Transport that everything is a WebSocket to.
type unasked struct{}

func (unasked) RoundTrip(r *http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("%s %s was no WebSocket to the Transport", r.Method, r.URL)
}

func (x *extended) dialer(t *testing.T) {
	x.d = &weir.Dialer{HTTP: weir.HTTP2, TLS: &tls.Config{InsecureSkipVerify: true}, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		x.conns.Add(1)
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	x.d.HTTP2.Trace = x.trace.logger()
	t.Cleanup(func() {
		x.d.CloseIdle()
		x.wantConnects(t)
	})
}

// wantConnects says that an extended CONNECT left for each answer that came. Frames are told of in
// time, and not at once.
func (x *extended) wantConnects(t *testing.T) {
	for end := time.Now().Add(mostWait); ; time.Sleep(20 * time.Millisecond) {
		got, want := x.trace.connects("out"), int(x.dials.Load())
		if got == want {
			return
		}
		if got > want || time.Now().After(end) {
			t.Errorf("%d extended CONNECTs left for %d WebSockets", got, want)
			return
		}
	}
}

// opens has each dial look at its answer.
func (x *extended) opens(version string, status int) {
	dial := x.library.dial
	x.library.dial = func(ctx context.Context, url string, o setup) (end, *http.Response, error) {
		e, resp, err := dial(ctx, url, o)
		if resp != nil {
			x.dials.Add(1)
		}
		if err == nil && (resp.Proto != "HTTP/"+version || resp.StatusCode != status) {
			err = fmt.Errorf("opened with %s of %s", resp.Status, resp.Proto)
		}
		return e, resp, err
	}
}

// TestExtendedProxies: clients by extended CONNECT through proxies that turn it into an Upgrade, to
// servers of other libraries.
func TestExtendedProxies(t *testing.T) {
	for client, open := range extendedClients {
		t.Run(client, func(t *testing.T) { extendedProxies(t, open) })
	}
}

func extendedProxies(t *testing.T, client func(t *testing.T) *extended) {
	for name, start := range map[string]func(t *testing.T, addr, backend, cert string){"HAProxy": haproxyFront, "nghttpx": nghttpxFront} {
		for scheme, secure := range map[string]bool{"ws": false, "wss": true} {
			for _, serving := range []library{coderLibrary, gorillaLibrary} {
				t.Run(name+"/"+scheme+"/"+serving.name, func(t *testing.T) {
					s, x := newStage(t, serving), client(t)
					addr, cert := unused(t), ""
					if secure {
						cert = certificate(t)
					}
					start(t, addr, strings.TrimPrefix(s.url, "ws://"), cert)
					url := scheme + "://" + addr
					bothWays(t, s, x.library, url)
					t.Run("deflate", func(t *testing.T) { extendedDeflate(t, s, x, url) })
					t.Run("many", func(t *testing.T) { many(t, s, x.library, url) })
					if n := x.conns.Load(); n != 1 {
						t.Errorf("%d connections: all WebSockets fit one", n)
					}
				})
			}
		}
	}
}

func extendedDeflate(t *testing.T, s *stage, x *extended, url string) {
	ctx := bounded(t)
	for _, mode := range x.modes {
		resp, err := s.play(ctx, x.library, url, allModes[0], mode, echo(ctx, 1000, ""), func(e end) error {
			if err := compressible(ctx, e); err != nil {
				return err
			}
			return e.close(ctx, 1000, "")
		})
		if err != nil {
			t.Errorf("%+v: %v", mode, err)
		} else if resp.Header.Get("Sec-Websocket-Extensions") == "" {
			t.Errorf("%+v: nothing was agreed on", mode)
		}
	}
}

// needs skips where a program is not installed; peers.sh installs them all.
func needs(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("%v; see interop/peers.sh for what must be installed", err)
	}
}

func haproxyFront(t *testing.T, addr, backend, cert string) {
	t.Helper()
	needs(t, "haproxy")
	bind := addr
	if cert != "" {
		bind += " ssl crt " + cert + " alpn h2"
	}
	proxy(t, addr, "haproxy", "-db", "-f", file(t, "haproxy.cfg", fmt.Sprintf(`defaults
	mode http
	timeout connect 10s
	timeout client 60s
	timeout server 60s
	timeout tunnel 60s
frontend clients
	bind %s
	default_backend server
backend server
	server server %s
`, bind, backend)))
}

func nghttpxFront(t *testing.T, addr, backend, cert string) {
	t.Helper()
	needs(t, "nghttpx")
	comma := func(addr string) string { return strings.Replace(addr, ":", ",", 1) }
	args := []string{"--conf=/dev/null", "--workers=1", "--log-level=ERROR", "--backend=" + comma(backend)}
	if cert == "" {
		args = append(args, "--frontend="+comma(addr)+";no-tls")
	} else {
		args = append(args, "--frontend="+comma(addr), cert, cert)
	}
	proxy(t, addr, "nghttpx", args...)
}

// certificate is a file with a certificate for 127.0.0.1 and its key.
func certificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return file(t, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))+
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
}

// node starts node_server.mjs, and gives its URL.
func node(t *testing.T, args ...string) string {
	t.Helper()
	needs(t, "node")
	cmd := exec.CommandContext(bounded(t), "node", append([]string{"node_server.mjs"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("node: %s", log.String())
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// TestExtendedNode: clients by extended CONNECT to Node's http2 server, which has framing of its
// own.
func TestExtendedNode(t *testing.T) {
	for client, open := range extendedClients {
		t.Run(client, func(t *testing.T) { extendedNode(t, open) })
	}
}

func extendedNode(t *testing.T, client func(t *testing.T) *extended) {
	for scheme, secure := range map[string]bool{"ws": false, "wss": true} {
		t.Run(scheme, func(t *testing.T) {
			cert := ""
			if secure {
				cert = certificate(t)
			}
			url, x, ctx := node(t, "connect", cert), client(t), bounded(t)
			dial := func(path string) end {
				t.Helper()
				e, _, err := x.dial(ctx, url+path, setup{})
				if err != nil {
					t.Fatal(err)
				}
				return e
			}
			for _, script := range scripts {
				e := dial("/echo")
				if err := script.play(ctx, e); err != nil {
					t.Errorf("%s: %v", script.name, err)
				}
				if err := e.close(ctx, script.code, script.text); err != nil {
					t.Errorf("%s: close: %v", script.name, err)
				}
				e.done(nil)
			}

			e := dial("/closes") // says it in three frames, with a ping between, then goodbye
			if err := expect(ctx, e, true, []byte("ein Gruß")); err != nil {
				t.Error(err)
			}
			if err := expect(ctx, e, true, []byte("pong: between")); err != nil {
				t.Error(err)
			}
			_, _, err := e.receive(ctx)
			if code, text := e.closed(err); code != 4002 || text != "over" {
				t.Errorf("the server's close 4002 arrived as %d %q: %v", code, text, err)
			}
			e.done(nil)

			e = dial("/resets")
			if _, _, err := e.receive(ctx); err == nil || ctx.Err() != nil {
				t.Errorf("a reset is %v", err)
			} else if code, _ := e.closed(err); code != -1 {
				t.Errorf("a reset arrived as close %d", code)
			}
			e.done(errors.New("reset"))

			_, resp, err := x.dial(ctx, url+"/forbidden", setup{})
			if err == nil || resp == nil || resp.StatusCode != 403 {
				t.Errorf("%v, %v", resp, err)
			}
			if n := x.conns.Load(); n != 1 {
				t.Errorf("%d connections: all WebSockets fit one", n)
			}
		})
	}
}

// TestExtendedNotOffered: a server of HTTP/2 that does not offer extended CONNECT (RFC 8441, 3).
func TestExtendedNotOffered(t *testing.T) {
	url, x := node(t, "plain", ""), newExtended(t)
	if _, _, err := x.dial(bounded(t), url+"/echo", setup{}); !errors.Is(err, h2.ErrNoExtendedConnect) {
		t.Error(err)
	}
}
