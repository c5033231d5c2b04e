package h2_test

import (
	"errors"
	"io"
	"net/http"
	"testing/synctest"
	"time"

	"weir/h2/h2test"
)

// wrapped is a ResponseWriter of middleware.
type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// late is a client that sends its body after 5 s.
func late(p *play) {
	tn := p.open(p.peer(h2test.Options{}), false, "POST", "/")
	time.Sleep(5 * time.Second)
	tn.Write([]byte("late"))
	tn.CloseWrite()
	p.told(tn)
	synctest.Wait()
}

// slowReader is a client that gives no credit for 5 s.
func slowReader(p *play) {
	tn := p.open(p.peer(h2test.Options{}), true, "GET", "/")
	tn.Withhold(true)
	time.Sleep(5 * time.Second)
	tn.Withhold(false)
	_ = tn.SetReadDeadline(time.Now().Add(patient))
	n, err := io.Copy(io.Discard, tn)
	p.note("client", "%d %s", n, fault(err))
	synctest.Wait()
}

// parityControls are about http.ResponseController and the timeouts of http.Server.
var parityControls = []parityCase{
	{
		name: "net/http/ResponseController",
		handler: func(p *play, w http.ResponseWriter, _ *http.Request) {
			for _, w := range []http.ResponseWriter{w, wrapped{w}} {
				rc := http.NewResponseController(w)
				_, _, err := rc.Hijack()
				p.note("handler", "hijack %s, full duplex %s, read %s, write %s, flush %s", fault(errors.Unwrap(err)), fault(rc.EnableFullDuplex()),
					fault(rc.SetReadDeadline(time.Now().Add(time.Hour))), fault(rc.SetWriteDeadline(time.Now().Add(time.Hour))), fault(rc.Flush()))
			}
		},
		client: func(p *play) { p.get("/") },
		want: `client: 200 | handler: hijack feature not supported, full duplex ok, read ok, write ok, flush ok; ` +
			`hijack feature not supported, full duplex ok, read ok, write ok, flush ok`,
	},
	{
		name: "net/http/read_deadline_fires",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			http.NewResponseController(w).SetReadDeadline(start.Add(time.Second))
			_, err := r.Body.Read(make([]byte, 10))
			p.note("handler", "%v %s", time.Since(start), fault(err))
			w.WriteHeader(http.StatusRequestTimeout)
		},
		client: func(p *play) {
			p.told(p.open(p.peer(h2test.Options{}), false, "POST", "/"))
		},
		want: `client: 408 RST_STREAM NO_ERROR | handler: 1s deadline`,
	},
	{
		name: "net/http/read_deadline_in_the_past",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).SetReadDeadline(time.Now().Add(-time.Second))
			_, err := r.Body.Read(make([]byte, 10))
			p.note("handler", "%s", fault(err))
		},
		client: func(p *play) { p.told(p.open(p.peer(h2test.Options{}), false, "POST", "/")) },
		want:   `client: 200 RST_STREAM NO_ERROR | handler: deadline`,
	},
	{
		name: "net/http/read_deadline_moved_and_cleared",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			rc.SetReadDeadline(time.Now().Add(time.Second))
			rc.SetReadDeadline(time.Now().Add(time.Hour))
			n, err := r.Body.Read(make([]byte, 10))
			p.note("handler", "%d %s", n, fault(err))
			rc.SetReadDeadline(time.Now().Add(time.Second))
			rc.SetReadDeadline(time.Time{})
			time.Sleep(time.Minute)
			_, err = r.Body.Read(make([]byte, 10))
			p.note("handler", "%s", fault(err))
		},
		client: func(p *play) {
			tn := p.open(p.peer(h2test.Options{}), false, "POST", "/")
			time.Sleep(5 * time.Second)
			tn.Write([]byte("late"))
			tn.CloseWrite()
			tn.Answer(2 * patient)
			p.told(tn)
		},
		want: `client: 200 | handler: 4 ok; EOF`,
	},
	{
		name: "net/http/read_deadline_armed_again",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			rc.SetReadDeadline(time.Now().Add(time.Second))
			_, err := r.Body.Read(make([]byte, 10))
			p.note("handler", "%s", fault(err))
			rc.SetReadDeadline(time.Now().Add(time.Hour))
			n, err := r.Body.Read(make([]byte, 10))
			p.note("handler", "%d %s", n, fault(err))
		},
		client:  late,
		what:    "SetReadDeadline after a deadline has passed",
		nethttp: `client: 200 RST_STREAM NO_ERROR | handler: deadline; 0 deadline`,
		weir:    `client: 200 | handler: deadline; 4 ok`,
		why:     "counts: deadlines are those of a net.Conn, not one-shot",
	},
	{
		name: "net/http/write_deadline_fires",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			http.NewResponseController(w).SetWriteDeadline(start.Add(time.Second))
			_, err := io.Copy(w, zeros(1<<20))
			p.note("handler", "%v %s", time.Since(start), broken(err))
		},
		client: slowReader,
		want:   `client: 65535 RST_STREAM INTERNAL_ERROR | handler: 1s error`,
	},
	{
		name: "net/http/write_deadline_in_the_past",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).SetWriteDeadline(time.Now().Add(-time.Second))
			_, err := io.Copy(w, zeros(1<<20))
			p.note("handler", "%s", broken(err))
		},
		client: func(p *play) { p.ask("GET", "/") },
		want:   `client: RST_STREAM INTERNAL_ERROR | handler: error`,
	},
	{
		name: "net/http/write_deadline_moved_and_cleared",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			rc.SetWriteDeadline(time.Now().Add(time.Second))
			rc.SetWriteDeadline(time.Now().Add(time.Hour))
			n, err := io.Copy(w, zeros(1<<20))
			p.note("handler", "%d %s", n, fault(err))
			rc.SetWriteDeadline(time.Now().Add(time.Second))
			rc.SetWriteDeadline(time.Time{})
			time.Sleep(2 * time.Second)
			n, err = io.Copy(w, zeros(1<<20))
			p.note("handler", "%d %s", n, fault(err))
		},
		client: slowReader,
		want:   `client: 2097152 ok | handler: 1048576 ok; 1048576 ok`,
	},
	{
		name: "net/http/write_deadline_armed_again",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			rc.SetWriteDeadline(time.Now().Add(time.Second))
			b := make([]byte, 1<<20)
			n, err := w.Write(b)
			p.note("handler", "%s", broken(err))
			rc.SetWriteDeadline(time.Now().Add(time.Hour))
			m, err := w.Write(b[n:])
			p.note("handler", "%v %s", n+m == len(b), broken(err))
		},
		client:  slowReader,
		what:    "SetWriteDeadline after a deadline has passed",
		nethttp: `client: 65535 RST_STREAM INTERNAL_ERROR | handler: error; false error`,
		weir:    `client: 1048576 ok | handler: error; true ok`,
		why:     "counts: Write has said how much it took, and a handler may go on behind it",
	},
	{
		name: "net/http/write_deadline_passed_before_the_header",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			rc.SetWriteDeadline(time.Now().Add(-time.Second))
			io.WriteString(w, "all")
			p.note("handler", "%s", broken(rc.Flush()))
			rc.SetWriteDeadline(time.Time{})
			p.note("handler", "%s", broken(rc.Flush()))
		},
		client:  func(p *play) { p.ask("GET", "/") },
		what:    "SetWriteDeadline after one has passed before the header left",
		nethttp: `client: RST_STREAM INTERNAL_ERROR | handler: error; error`,
		weir:    `client: 200 | handler: error; ok`,
		why:     "counts: nothing has left yet, and the whole answer may",
	},
	{
		name: "net/http/write_deadline_of_a_silent_handler",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			rc.SetWriteDeadline(time.Now().Add(time.Second))
			time.Sleep(5 * time.Second)
			p.note("handler", "%s", fault(r.Context().Err()))
			rc.SetWriteDeadline(time.Now().Add(time.Second))
			io.WriteString(w, "late")
		},
		client:  func(p *play) { p.ask("GET", "/") },
		what:    "a write deadline, or http.Server.WriteTimeout, that passes while nothing is written",
		nethttp: `client: RST_STREAM INTERNAL_ERROR | handler: canceled`,
		weir:    `client: 200 | handler: ok`,
		why:     "makes Write fail with os.ErrDeadlineExceeded, as over HTTP/1.1: it does not reset the stream under the handler",
	},
	{
		name:   "net/http/WriteTimeout_of_the_server",
		server: func(_ *play, hs *http.Server) { hs.WriteTimeout = time.Second },
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(w, zeros(1<<20))
			p.note("handler", "%s", broken(err))
		},
		client: slowReader,
		want:   `client: 65535 RST_STREAM INTERNAL_ERROR | handler: error`,
	},
	{
		name:   "net/http/WriteTimeout_is_for_each_request",
		server: func(_ *play, hs *http.Server) { hs.WriteTimeout = time.Second },
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			time.Sleep(900 * time.Millisecond)
			io.WriteString(w, "in time")
		},
		client: func(p *play) {
			for range 3 {
				p.get("/")
			}
		},
		want: `client: 200 "in time"; 200 "in time"; 200 "in time"`,
	},
	{
		name:   "net/http/ReadTimeout_of_the_server",
		server: func(_ *play, hs *http.Server) { hs.ReadTimeout = time.Second },
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			p.note("handler", "%d %s", n, fault(err))
		},
		client: func(p *play) {
			p.do(p.request("POST", "/", zeros(100_000)))
			late(p)
		},
		want: `client: 200; 200 RST_STREAM NO_ERROR | handler: 100000 ok; 0 deadline`,
	},
	{
		name:   "net/http/ReadTimeout_spares_slow_handlers",
		server: func(_ *play, hs *http.Server) { hs.ReadTimeout = time.Second },
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			time.Sleep(5 * time.Second)
			io.WriteString(w, "slow")
		},
		client: func(p *play) { p.get("/") },
		want:   `client: 200 "slow"`,
	},
	{
		name: "net/http/TimeoutHandler",
		server: func(p *play, hs *http.Server) {
			hs.Handler = http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					<-r.Context().Done()
					time.Sleep(time.Second) // until the answer has been given
					_, err := io.WriteString(w, "late")
					p.note("handler", "%s", fault(err))
					return
				}
				w.Header().Set("X-A", "1")
				io.WriteString(w, "fast")
			}), time.Second, "too slow")
		},
		client: func(p *play) {
			p.get("/slow")
			p.get("/", "X-A")
			time.Sleep(2 * time.Second)
		},
		want: `client: 503 "too slow"; 200 X-A=["1"] "fast" | handler: http: Handler timeout`,
	},
}
