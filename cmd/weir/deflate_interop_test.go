package main

//lint:file-ignore SA1019 the module lives on under another path; it is a peer here, whatever its name

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"nhooyr.io/websocket"
)

// deflateRun is what a peer of testdata/deflate.* saw with one combination of parameters.
type deflateRun struct {
	Options struct {
		ServerNoContextTakeover, ClientNoContextTakeover bool
		ServerMaxWindowBits                              int
		ClientMaxWindowBits                              any
	}
	Agreed          string
	Sent, Same      int
	Close           int
	Octets          int
	WireIn, WireOut int // 0 where the peer cannot tell
}

// deflateServers are the server's own wishes.
var deflateServers = []struct{ name, flag string }{
	{"default", "level=6"},
	{"no_takeover", "server-no-context-takeover,client-no-context-takeover"},
	{"small_windows", "server-max-window-bits=9,client-max-window-bits=9,level=9"},
	{"mixed", "server-max-window-bits=12,client-no-context-takeover,level=1"},
}

// overDeflate runs a peer against each of them.
func overDeflate(t *testing.T, combinations int, peer func(t *testing.T, url string) []deflateRun) {
	for _, s := range deflateServers {
		t.Run(s.name, func(t *testing.T) {
			p := start(t, "--compress", "--deflate", s.flag)
			runs := peer(t, strings.Replace(p.http, "http", "ws", 1)+"/echo")
			if len(runs) != combinations {
				t.Fatalf("%d combinations, want %d", len(runs), combinations)
			}
			for _, r := range runs {
				r.check(t, s.flag)
				if e := p.event("open", "/echo"); r.Agreed != "" && !sameParams(e["extensions"].(string), r.Agreed) {
					t.Errorf("the peer agreed on %q, the open event has %q", r.Agreed, e["extensions"])
				}
				p.wantEnd("/echo", event{"reason": "remote", "code": 1000})
			}
		})
	}
}

// check sees that all came back, and that what was asked for holds.
func (r deflateRun) check(t *testing.T, flag string) {
	t.Helper()
	name := fmt.Sprintf("%+v", r.Options)
	if r.Sent == 0 || r.Same != r.Sent || r.Close != 1000 {
		t.Errorf("%s, %s: %d of %d messages came back the same, closed with %d", name, r.Agreed, r.Same, r.Sent, r.Close)
	}
	p := paramsOf(r.Agreed)
	if _, ok := p["permessage-deflate"]; !ok {
		if strings.Contains(flag, "client-max-window-bits=9") && r.Options.ClientMaxWindowBits == nil {
			return // a client that cannot keep to a smaller window is not compressed with (RFC 7692, 7.1.2.2)
		}
		t.Errorf("%s: agreed on %q", name, r.Agreed)
	}
	for param, asked := range map[string]bool{"server_no_context_takeover": r.Options.ServerNoContextTakeover || strings.Contains(flag, "server-no"),
		"client_no_context_takeover": strings.Contains(flag, "client-no")} {
		if _, ok := p[param]; asked && !ok {
			t.Errorf("%s: agreed on %q, without %s", name, r.Agreed, param)
		}
	}
	for param, most := range map[string]int{"server_max_window_bits": r.Options.ServerMaxWindowBits, "client_max_window_bits": bitsOf(r.Options.ClientMaxWindowBits)} {
		if got, ok := p[param]; ok || most != 0 && most < 15 && param[0] == 's' {
			if n, err := strconv.Atoi(got); err != nil || n < 8 || most != 0 && n > most {
				t.Errorf("%s: agreed on %q", name, r.Agreed)
			}
		}
	}
	if r.Octets > 0 && (r.WireIn > r.Octets*2/3 || r.WireOut > r.Octets*2/3) {
		t.Errorf("%s, %s: %d octets of messages took %d on the wire in, %d out", name, r.Agreed, r.Octets, r.WireIn, r.WireOut)
	}
}

// bitsOf is a peer's client_max_window_bits: a number, true for no value, or nothing.
func bitsOf(v any) int {
	n, _ := v.(float64)
	return int(n)
}

func paramsOf(extension string) map[string]string {
	m := map[string]string{}
	for p := range strings.SplitSeq(extension, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		m[name] = value
	}
	return m
}

// runScript runs a script and decodes what it prints.
func runScript(t *testing.T, name string, args ...string) (runs []deflateRun) {
	t.Helper()
	cmd := exec.CommandContext(testContext(t), name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, stderr.String())
	}
	if err := json.Unmarshal(out, &runs); err != nil {
		t.Fatalf("%v: %v in %s", args, err, out)
	}
	return runs
}

// wsVersion is the version of Node's ws that is the peer.
const wsVersion = "8.18.3"

// nodeWS is the folder of the package, which is kept from one run to the next.
func nodeWS(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed: Node's ws is the peer of this test")
		}
	}
	home := filepath.Join(os.TempDir(), "weir-node-ws-"+wsVersion)
	folder := filepath.Join(home, "node_modules", "ws")
	if _, err := os.Stat(folder); err == nil {
		return folder
	}
	fresh, err := os.MkdirTemp("", "weir-npm-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(fresh)
	cmd := exec.CommandContext(testContext(t), "npm", "install", "--prefix", fresh, "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0", "--fetch-timeout=20000", "ws@"+wsVersion)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("npm does not install ws, the peer of this test: %v\n%s", err, out)
	}
	if err := os.Rename(fresh, home); err != nil {
		if _, serr := os.Stat(folder); serr != nil { // or somebody else was first
			t.Fatal(err)
		}
	}
	return folder
}

func TestDeflateNode(t *testing.T) {
	ws := nodeWS(t)
	overDeflate(t, 64, func(t *testing.T, url string) []deflateRun {
		return runScript(t, "node", "testdata/deflate.mjs", ws, url)
	})
}

func TestDeflatePython(t *testing.T) {
	const python = "/usr/bin/python3" // Debian's, which has Debian's packages
	if out, err := exec.CommandContext(testContext(t), python, "-c", "import websockets").CombinedOutput(); err != nil {
		t.Skipf("python3-websockets is not installed, the peer of this test: %v %s", err, out)
	}
	overDeflate(t, 80, func(t *testing.T, url string) []deflateRun {
		return runScript(t, python, "testdata/deflate.py", url)
	})
}

// nhooyr.io/websocket has takeover both ways or none.
func TestDeflateNhooyr(t *testing.T) {
	for _, s := range deflateServers {
		if strings.Contains(s.flag, "bits") {
			continue // it takes no answer that names a window
		}
		t.Run(s.name, func(t *testing.T) {
			p := start(t, "--compress", "--deflate", s.flag)
			for _, mode := range []websocket.CompressionMode{websocket.CompressionContextTakeover, websocket.CompressionNoContextTakeover} {
				ctx := testContext(t)
				c, res, err := websocket.Dial(ctx, p.http+"/echo", &websocket.DialOptions{HTTPClient: client(t, false), CompressionMode: mode, CompressionThreshold: 1})
				if err != nil {
					t.Fatal(err)
				}
				c.SetReadLimit(1 << 20)
				agreed := res.Header.Get("Sec-WebSocket-Extensions")
				none := mode == websocket.CompressionNoContextTakeover || s.name == "no_takeover"
				if agreed == "" || strings.Contains(agreed, "server_no_context_takeover") != none {
					t.Errorf("mode %v: agreed on %q", mode, agreed)
				}
				for _, size := range []int64{0, 1, 125, 126, 1000, 1000, 65535, 65536, 500_000, 10} {
					for _, kind := range []websocket.MessageType{websocket.MessageText, websocket.MessageBinary} {
						sent := payload(size)
						writeMessage(t, c, kind, sent)
						k, got, err := c.Read(ctx)
						if err != nil || k != kind || string(got) != sent {
							t.Fatalf("mode %v, %d octets: %d came back, %v", mode, size, len(got), err)
						}
					}
				}
				if err := c.Close(1000, ""); err != nil {
					t.Error(err)
				}
				if e := p.event("open", "/echo"); e["extensions"] != agreed {
					t.Errorf("the open event has %q, the answer %q", e["extensions"], agreed)
				}
				p.wantEnd("/echo", event{"reason": "remote", "code": 1000})
			}
		})
	}
}
