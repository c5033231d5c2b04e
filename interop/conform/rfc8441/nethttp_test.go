package rfc8441

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"weir/interop/conform"
	"weir/interop/conform/wire"
)

// role is the variable that makes a server of the test program: net/http has extended CONNECT only in a process that was started for it.
const role = "RFC8441_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(role) != "" {
		netHTTP()
		return
	}
	os.Exit(m.Run())
}

// netHTTP is net/http's own HTTP/2 with a WebSocket by hand on it, until standard input ends.
func netHTTP() {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(echoByHand))
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	_, _ = os.Stdout.WriteString(srv.URL + "\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// echoByHand does the least that can be done: whole messages, pings, the close.
func echoByHand(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method != http.MethodConnect || r.Header.Get(":protocol") == "" && len(r.Header[":protocol"]) == 0:
		http.Error(w, "WebSockets only", http.StatusBadRequest)
		return
	case !strings.EqualFold(r.Header[":protocol"][0], "websocket"):
		w.WriteHeader(http.StatusNotImplemented)
		return
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		w.Header().Set("Sec-WebSocket-Version", "13")
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	rc := http.NewResponseController(w)
	w.WriteHeader(http.StatusOK)
	_ = rc.Flush()
	var in []byte
	var message wire.Frame
	buf := make([]byte, 16<<10)
	for {
		f, n := wire.Parse(in)
		if n == 0 {
			k, err := r.Body.Read(buf)
			if in = append(in, buf[:k]...); err != nil && k == 0 {
				return
			}
			continue
		}
		in = in[n:]
		out := wire.Frame{Fin: true, Op: f.Op, Payload: f.Payload}
		switch {
		case !f.Masked || f.RSV != 0 || f.Op > wire.Pong || f.Op > wire.Binary && f.Op < wire.Close:
			out = closing(1002, "")
		case f.Op == wire.Ping:
			out.Op = wire.Pong
		case f.Op == wire.Pong:
			continue
		case f.Op < wire.Close:
			if f.Op != wire.Continuation {
				message.Op = f.Op
			}
			if message.Payload = append(message.Payload, f.Payload...); !f.Fin {
				continue
			}
			out.Op, out.Payload, message = message.Op, message.Payload, wire.Frame{}
		}
		if _, err := w.Write(out.Append(nil)); err != nil || out.Op == wire.Close {
			return
		}
		_ = rc.Flush()
	}
}

// TestNetHTTP: the suite finds in net/http's HTTP/2 what it is known for, and nothing in its ordinary WebSockets.
func TestNetHTTP(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), role+"=1", "GODEBUG=http2xconnect=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { in.Close(); _ = cmd.Wait() }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	target, err := conform.NewTarget(strings.TrimSpace(line)+"/echo", "2", nil)
	if err != nil {
		t.Fatal(err)
	}
	known := strings.Fields(knownOfNetHTTP)
	cases, err := conform.Select(Cases(), append(known, "8441.answer", "8441.windows", "8441.many", "8441.reset"), strings.Fields(changedInNetHTTP))
	if err != nil {
		t.Fatal(err)
	}
	for _, res := range (&conform.Run{Cases: cases, Target: target, Jobs: 16}).Do(t.Context()) {
		if res.Bad() != slices.Contains(known, res.Case.ID) {
			t.Errorf("%s: %s: %s\n%s", res.Case.ID, res.Body, res.Why, dialogue(res))
		}
	}
}

// knownOfNetHTTP is what net/http's HTTP/2 fails: one stalled WebSocket starves its siblings, content-length: 0 breaks the tunnel, :scheme is not asked for,
// a setting may not come twice.
const knownOfNetHTTP = "8441.flow.stalled 8441.flow.stalled-many 8441.connect.content-length-zero 8441.refuse.no-scheme 8441.settings.repeated"

// changedInNetHTTP depends on the Go version: 1.26 ends the connection when a setting takes a stream's window over 2^31-1 (RFC 9113, 6.9.2), 1.27 takes
// the setting.
const changedInNetHTTP = "8441.windows.overflow-shift"
