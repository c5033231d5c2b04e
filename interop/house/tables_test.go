package house

// floors says what a package may import of this module and of others: the standard library is for
// everybody. A package stands on lower floors only, and a new one gets its line here.
var floors = map[string][]string{
	// 0: the standard library, and one compressor
	"flow":            {},
	"stream":          {},
	"wsframe":         {},
	"wsframe/deflate": {flate},
	"internal/reach":  {httpguts, idna},
	// What h2 and h3 share: extended CONNECT as handlers for HTTP/1.1 see it.
	"internal/asupgrade": {"stream", httpguts},
	// 1: transports. They open streams on requests, and know no WebSocket and not each other.
	"h1":              {"stream", "internal/reach", httpguts, unix},
	"h2":              {"stream", "flow", "internal/asupgrade", "internal/reach", httpguts, http2, hpack, unix},
	"h3":              {"stream", "internal/asupgrade", "internal/reach", httpguts, quic, quic + "/http3", qpack},
	"internal/pool":   {"stream", "h2", "internal/reach"},
	"internal/fields": {},
	// For who publishes the module under another path.
	"internal/rename": {},
	// 2: what a request becomes
	"upgrade": {"stream", "h1", httpguts, idna},
	// 3: the public face
	"websocket/internal/hook": {},
	"websocket/behaviour":     {}, // tests, of all transports
	"websocket":               {"websocket/internal/hook", "upgrade", "h1", "h2", "internal/pool", "internal/fields", "internal/reach", "stream", "wsframe", "wsframe/deflate", httpguts, proxy},
	// 4: programs
	"cmd/weir": {"websocket", "upgrade", "h2", "h3", "internal/pool", "internal/reach", "internal/fields", "stream", "interop/conform", "interop/conform/agent", "interop/conform/autobahn", "interop/conform/report", "interop/conform/rfc8441", "interop/conform/wire", cobra, unix, proxyproto, prometheus, prometheus + "/collectors", prometheus + "/promhttp", "interop/load"},
	// The load generator, which shares nothing with what it measures.
	"interop/load": {hpack, histogram, unix, quic, quic + "/quicvarint", qpack},
	// Beside the house: what tests stand on.
	"stream/memnet":     {},
	"stream/streamtest": {"stream"},
	"h2/h2test":         {"flow", http2, hpack},
	// The kit for tests of handlers, which users import too.
	"websocket/websockettest/overh3": {"websocket", "websocket/websockettest", "h3", "h3/h3test", "stream", xquic},
	"websocket/websockettest":        {"websocket", "websocket/internal/hook", "upgrade", "h1", "h2", "stream", "stream/memnet", "wsframe", "wsframe/deflate"},
	"internal/pages":                 {},
	"h3/h3test":                      {xquic, hpack},
	// The conformance suites.
	"interop/conform":          {"stream", "internal/reach"},
	"interop/conform/autobahn": {"interop/conform", "interop/conform/wire", "stream", flate},
	"interop/conform/agent":    {"websocket"},
	"interop/conform/wire":     {"interop/conform", "h2/h2test", "stream", http2},
	"interop/conform/rfc8441":  {"interop/conform", "interop/conform/wire", "stream", "h2/h2test", http2, hpack},
	"interop/conform/report":   {"interop/conform", "stream", "internal/reach"},
	// Programs of interop's scripts.
	"interop/nethttp":    {},
	"interop/mixed":      {"websocket", http2, hpack, unix},
	"interop/starvation": {"websocket", "wsframe", "h2/h2test"},
	"interop/distance":   {"h2"},
}

// The packages of other modules. http2 is imported for its Framer alone.
const (
	http2      = "golang.org/x/net/http2"
	hpack      = "golang.org/x/net/http2/hpack"
	httpguts   = "golang.org/x/net/http/httpguts"
	idna       = "golang.org/x/net/idna"
	proxy      = "golang.org/x/net/proxy"
	cobra      = "github.com/spf13/cobra"
	prometheus = "github.com/prometheus/client_golang/prometheus"
	proxyproto = "github.com/pires/go-proxyproto"
	unix       = "golang.org/x/sys/unix"
	xquic      = "golang.org/x/net/quic" // not quic-go: for the peer that tests speak to
	flate      = "github.com/klauspost/compress/flate"
	quic       = "github.com/quic-go/quic-go"
	qpack      = "github.com/quic-go/qpack"
	histogram  = "github.com/HdrHistogram/hdrhistogram-go"
)

// support are the packages that only tests and the suites of interop import, or nobody: programs
// for interop's scripts. They may do what tests may.
var support = []string{"websocket/websockettest", "websocket/websockettest/overh3", "websocket/behaviour", "stream/memnet", "stream/streamtest", "h2/h2test", "h3/h3test", "internal/pages", "interop/mixed", "interop/nethttp", "interop/starvation", "interop/distance"}

// cores are the files that take octets and the time as arguments, as patterns of path.Match.
var cores = []string{
	"flow/*.go",
	"wsframe/*.go",
	"h2/core*.go",
	"h3/core*.go",
	"websocket/machine*.go",
}

// notInCores are the packages of the standard library through which a core would wait, log or reach
// out.
var notInCores = []string{
	"context", "crypto/rand", "crypto/tls", "log", "log/slog", "math/rand", "math/rand/v2", "net", "net/http", "runtime", "sync", "sync/atomic", "syscall",
}

// goroutines are the files with go statements.
var goroutines = []string{
	"cmd/weir/bridge.go",
	"cmd/weir/conform_listen.go",
	"cmd/weir/conform_output.go",
	"cmd/weir/connect.go",
	"cmd/weir/outlet.go",
	"cmd/weir/server.go",
	"h1/guard.go",
	"h1/nap_linux.go",
	"h1/patience.go",
	"h1/poll_linux.go",
	"h1/read.go",
	"h1/tunnel.go",
	"h1/turns.go",
	"h2/client.go",
	"h2/conn.go",
	"h2/crew.go",
	"h2/exchange.go",
	"h2/flush.go",
	"h2/guard.go",
	"h2/handler.go",
	"h2/journal.go",
	"h2/large.go",
	"h2/notify.go",
	"h3/renew.go",
	"h3/client.go",
	"h3/client_dial.go",
	"h3/client_streams.go",
	"h3/conn.go",
	"h3/handler.go",
	"h3/journal.go",
	"h3/read.go",
	"h3/send.go",
	"h3/server.go",
	"h3/tunnel.go",
	"interop/conform/pace.go",
	"interop/conform/rfc8441/inbox.go",
	"interop/conform/wire/conn.go",
	"internal/pool/open.go",
	"internal/pool/pool.go",
	"interop/load/h3.go",
	"stream/pipe.go",
	"upgrade/tunnel.go",
	"websocket/call.go",
	"websocket/dial_http3.go",
	"websocket/guard.go",
	"websocket/server.go",
	"websocket/session.go",
}

// clocks are the files that ask what time it is, wait, or set a timer.
var clocks = []string{
	"cmd/weir/bench.go",
	"cmd/weir/body.go",
	"cmd/weir/conform_listen.go",
	"cmd/weir/conform_output.go",
	"cmd/weir/conform_run.go",
	"cmd/weir/connect.go",
	"cmd/weir/endpoint_commands.go",
	"cmd/weir/endpoint_push.go",
	"cmd/weir/events.go",
	"cmd/weir/http3.go",
	"cmd/weir/listen.go",
	"cmd/weir/log.go",
	"cmd/weir/outlet.go",
	"cmd/weir/room_gate.go",
	"h1/client.go",
	"h1/nap_linux.go",
	"h1/open.go",
	"h1/patience.go",
	"h1/poll_linux.go",
	"h1/send.go",
	"h1/sock_linux.go",
	"h1/turns.go",
	"h2/client.go",
	"h2/client_open.go",
	"h2/conn.go",
	"h2/crew.go",
	"h2/deadline.go",
	"h2/exchange.go",
	"h2/fields.go",
	"h2/inbox.go",
	"h2/journal.go",
	"h2/large.go",
	"h2/linger.go",
	"h2/lookout.go",
	"h2/response.go",
	"h3/renew.go",
	"h3/client.go",
	"h3/client_dial.go",
	"h3/client_alive.go",
	"h3/client_open.go",
	"h3/conn.go",
	"h3/fields.go",
	"h3/writer.go",
	"h3/handler.go",
	"h3/hijack.go",
	"h3/limits.go",
	"h3/send.go",
	"h3/tunnel.go",
	"interop/conform/rfc8441/client.go",
	"interop/conform/rfc8441/inbox.go",
	"interop/conform/autobahn/server.go",
	"interop/conform/autobahn/tester.go",
	"interop/conform/pace.go",
	"interop/conform/run.go",
	"internal/pool/open.go",
	"internal/pool/pool.go",
	"interop/conform/wire/conn.go",
	"interop/conform/wire/event.go",
	"interop/conform/wire/read.go",
	"interop/load/run.go",
	"interop/load/shell_net.go",
	"internal/reach/ended.go",
	"stream/conn.go",
	"upgrade/loop.go",
	"upgrade/refuse.go",
	"websocket/alarm.go",
	"websocket/call.go",
	"websocket/conn_write.go",
	"websocket/dial_http3.go",
	"websocket/dialer.go",
	"websocket/do.go",
	"websocket/group.go",
	"websocket/netconn.go",
	"websocket/session.go",
	"websocket/turn.go",
}

// sockets are the files that open, accept or hold connections: those that name something of package
// net that is not in harmless.
var sockets = []string{
	"cmd/weir/bridge.go",
	"cmd/weir/bridge_command.go",
	"cmd/weir/bridge_upstream.go",
	"cmd/weir/endpoint_tunnel.go",
	"cmd/weir/listen.go",
	"cmd/weir/proxy.go",
	"cmd/weir/server.go",
	"h1/client.go",
	"h1/guard.go",
	"h1/nap_linux.go",
	"h1/raw_unix.go",
	"h1/room_linux.go",
	"h1/sock_linux.go",
	"h1/sock_other.go",
	"h1/tunnel.go",
	"h2/below_linux.go",
	"h2/below_other.go",
	"h2/client.go",
	"h2/conn.go",
	"h2/guard.go",
	"h2/hijack.go",
	"h2/lowat_linux.go",
	"h2/lowat_other.go",
	"h2/raw_linux.go",
	"h2/raw_other.go",
	"h2/read.go",
	"h2/read_other.go",
	"h2/read_unix.go",
	"h2/server.go",
	"h2/unsent_linux.go",
	"h2/unsent_other.go",
	"h3/client_dial.go",
	"h3/hijack.go", // Hijack in the signature of http.Hijacker
	"h3/server.go",
	"internal/asupgrade/conn.go", // and in its result
	"internal/reach/ended.go",
	"interop/conform/rfc8441/inbox.go",
	"interop/conform/target.go",
	"interop/conform/wire/dial.go",
	"interop/conform/wire/link.go",
	"interop/load/dial.go",
	"interop/load/h3.go",
	"interop/load/shell_linux.go",
	"interop/load/shell_net.go",
	"interop/load/shell_tls_linux.go",
	"internal/pool/pool.go",
	"upgrade/tunnel.go",
	"upgrade/watch.go", // Hijack in the signature of http.Hijacker
	"websocket/dial_connect.go",
	"websocket/dial_http3.go",
	"websocket/dial_proxy.go",
	"websocket/dialer.go",
	"websocket/netconn.go",
	"websocket/server.go", // BaseContext in that of http.Server
}

// harmless are addresses and errors.
var harmless = []string{"Addr", "ErrClosed", "Error", "IP", "IPv4", "IPv6len", "IPv6loopback", "JoinHostPort", "OpError", "ParseIP", "SplitHostPort", "TCPAddr"}

// notShown are the exported names without an example, and why.
var notShown = map[string]string{
	"stream.Runner":        forCrews,
	"stream.Runner.Enlist": forCrews,
	"stream.Crew":          forCrews,
	"stream.Crew.Hand":     forCrews,
	"stream.ErrFallback":   forMuxes,
	"stream.ErrFault":      forMuxes,
	"stream.ErrNotOffered": forMuxes,
}

const forMuxes = "a client's transport says it to internal/pool; a program has websocket.Dialer, which acts on it"

const forCrews = "only a transport has one, and only a session needs one: h2's crew is the example"

// aliases are the types of public packages that are declared elsewhere, and why.
var aliases = map[string]string{}
