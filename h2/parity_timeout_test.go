package h2_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"testing/synctest"
	"time"

	"weir/h2/h2test"
)

// pause is longer than the timeouts of the cases.
const pause = 5 * time.Second

// parityTimeouts are about deadlines, and the timeouts of http.Server.
var parityTimeouts = []parityCase{
	{
		name:   "net/http/ReadTimeout_spares_the_answer",
		server: func(_ *play, hs *http.Server) { hs.ReadTimeout = time.Second },
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(io.Discard, r.Body)
			p.note("handler", "%s %v", fault(err), r.Context().Err())
			time.Sleep(pause)
			n, err := io.WriteString(w, "answer")
			p.note("handler", "%d %s %v", n, fault(err), r.Context().Err())
		},
		client: func(p *play) { p.told(p.open(p.peer(h2test.Options{}), false, "POST", "/")) },
		want:   `client: 200 RST_STREAM NO_ERROR | handler: deadline <nil>; 6 ok <nil>`,
	},
	{
		name: "net/http/ReadTimeout_is_for_each_request",
		server: func(_ *play, hs *http.Server) {
			hs.ReadTimeout, hs.IdleTimeout = time.Second, time.Hour
		},
		handler: readAll,
		client: func(p *play) {
			for range 3 {
				p.do(p.request("POST", "/", zeros(1000)))
				time.Sleep(pause)
			}
		},
		want: `client: 200; 200; 200 | handler: length=-1 read=1000 ok; length=-1 read=1000 ok; ` +
			`length=-1 read=1000 ok`,
	},
	{
		name:   "net/http/ReadTimeout_lengthened_by_the_handler",
		server: func(_ *play, hs *http.Server) { hs.ReadTimeout = time.Second },
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Hour))
			readAll(p, w, r)
		},
		client: late,
		want:   `client: 200 | handler: length=-1 read=4 ok`,
	},
	{
		name:   "net/http/ReadTimeout_cleared_by_the_handler",
		server: func(_ *play, hs *http.Server) { hs.ReadTimeout = time.Second },
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).SetReadDeadline(time.Time{})
			readAll(p, w, r)
		},
		client: late,
		want:   `client: 200 | handler: length=-1 read=4 ok`,
	},
	{
		name:    "net/http/ReadHeaderTimeout_is_not_for_bodies",
		server:  func(_ *play, hs *http.Server) { hs.ReadHeaderTimeout = time.Second },
		handler: readAll,
		client:  late,
		want:    `client: 200 | handler: length=-1 read=4 ok`,
	},
	{
		name:   "net/http/ReadTimeout_and_100_continue",
		server: func(_ *play, hs *http.Server) { hs.ReadTimeout = time.Second },
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			p.note("handler", "%d %v", n, errors.Is(err, os.ErrDeadlineExceeded))
			w.WriteHeader(http.StatusRequestTimeout)
		},
		client: func(p *play) { p.wire("HEADERS 1 POST expect=100-continue") },
		want: `handler: 0 true | wire: HEADERS 1 :status=100; ` +
			`HEADERS 1 END_STREAM :status=408 content-length=0 date=now; RST_STREAM 1 NO_ERROR; ` +
			`GOAWAY 1 NO_ERROR`,
	},
	{
		name:   "net/http/WriteTimeout_lengthened_by_the_handler",
		server: func(_ *play, hs *http.Server) { hs.WriteTimeout = time.Second },
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			for range 5 {
				rc.SetWriteDeadline(time.Now().Add(2 * time.Second))
				time.Sleep(time.Second)
				io.WriteString(w, "x")
				p.note("handler", "%s", fault(rc.Flush()))
			}
		},
		client: func(p *play) { p.get("/") },
		want:   `client: 200 "xxxxx" | handler: ok; ok; ok; ok; ok`,
	},
	{
		name:   "net/http/WriteTimeout_of_a_slow_answer",
		server: func(_ *play, hs *http.Server) { hs.WriteTimeout = 3 * time.Second },
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			n := 0
			for {
				if _, err := io.WriteString(w, "x"); err != nil {
					break
				}
				if err := rc.Flush(); err != nil {
					break
				}
				n++
				time.Sleep(900 * time.Millisecond)
			}
			p.note("handler", "%d", n)
		},
		client: func(p *play) { p.get("/") },
		want:   `client: 200 "xxxx" RST_STREAM INTERNAL_ERROR | handler: 4`,
	},
	{
		name:   "net/http/WriteTimeout_spares_siblings",
		server: func(_ *play, hs *http.Server) { hs.WriteTimeout = 2 * time.Second },
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				_, err := io.Copy(w, zeros(1<<20))
				p.note("handler", "%s", broken(err))
				return
			}
			io.WriteString(w, "fine")
		},
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			slow := p.open(peer, true, "GET", "/slow")
			slow.Withhold(true)
			time.Sleep(time.Second)
			p.told(p.open(peer, true, "GET", "/"))
			time.Sleep(pause)
			p.told(p.open(peer, true, "GET", "/"))
			synctest.Wait()
		},
		want: `client: 200; 200 | handler: error`,
	},
	{
		name: "net/http/deadlines_of_siblings_are_their_own",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/late" {
				http.NewResponseController(w).SetReadDeadline(time.Now().Add(time.Second))
			}
			n, err := io.Copy(io.Discard, r.Body)
			p.note(r.URL.Path, "%d %s", n, fault(err))
		},
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			a, b := p.open(peer, false, "POST", "/late"), p.open(peer, false, "POST", "/patient")
			a.Answer(patient)
			time.Sleep(pause)
			b.Write([]byte("here"))
			b.CloseWrite()
			p.told(b)
		},
		want: `/late: 0 deadline | /patient: 4 ok | client: 200`,
	},
	{
		name: "net/http/read_deadline_behind_what_has_come",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			rc.SetReadDeadline(time.Now().Add(time.Hour))
			n, err := io.ReadFull(r.Body, make([]byte, 4))
			p.note("handler", "%d %s", n, fault(err))
			rc.SetReadDeadline(time.Now().Add(time.Second))
			n, err = r.Body.Read(make([]byte, 4))
			p.note("handler", "%d %v", n, errors.Is(err, os.ErrDeadlineExceeded))
			io.WriteString(w, "partly")
		},
		client: func(p *play) { p.wire("HEADERS 1 POST", `DATA 1 "part"`) },
		want: `handler: 4 ok; 0 true | ` +
			`wire: HEADERS 1 :status=200 content-length=6 "content-type=text/plain; ` +
			`charset=utf-8" date=now; DATA 1 END_STREAM "partly"; RST_STREAM 1 NO_ERROR`,
	},
	{
		name: "net/http/read_deadline_set_from_elsewhere",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			time.AfterFunc(time.Second, func() { rc.SetReadDeadline(time.Now()) })
			start := time.Now()
			_, err := r.Body.Read(make([]byte, 4))
			p.note("handler", "%v %s", time.Since(start), fault(err))
		},
		client: func(p *play) { p.told(p.open(p.peer(h2test.Options{}), false, "POST", "/")) },
		want:   `client: 200 RST_STREAM NO_ERROR | handler: 1s deadline`,
	},
	{
		name: "net/http/write_deadline_set_from_elsewhere",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			start := time.Now()
			time.AfterFunc(time.Second, func() { rc.SetWriteDeadline(time.Now()) })
			_, err := io.Copy(w, zeros(1<<20))
			p.note("handler", "%v %s", time.Since(start), broken(err))
		},
		client: slowReader,
		want:   `client: 65535 RST_STREAM INTERNAL_ERROR | handler: 1s error`,
	},
	{
		name: "net/http/deadlines_in_the_far_future",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			far := time.Now().AddDate(1000, 0, 0)
			p.note("handler", "%s %s", fault(rc.SetReadDeadline(far)),
				fault(rc.SetWriteDeadline(far)))
			readAll(p, w, r)
			io.WriteString(w, "ok")
		},
		client: func(p *play) { p.do(p.request("POST", "/", zeros(10))) },
		want:   `client: 200 "ok" | handler: ok ok; length=-1 read=10 ok`,
	},
	{
		name: "net/http/deadlines_through_wrappers",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(wrapped{wrapped{w}})
			rc.SetReadDeadline(time.Now().Add(time.Second))
			_, err := r.Body.Read(make([]byte, 4))
			p.note("handler", "%v", errors.Is(err, os.ErrDeadlineExceeded))
		},
		client: func(p *play) { p.told(p.open(p.peer(h2test.Options{}), false, "POST", "/")) },
		want:   `client: 200 RST_STREAM NO_ERROR | handler: true`,
	},
	{
		name: "net/http/no_timeouts_at_all",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			readAll(p, w, r)
			io.WriteString(w, "late")
		},
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			time.Sleep(5 * time.Hour)
			tn := p.open(peer, false, "POST", "/")
			time.Sleep(5 * time.Hour)
			tn.Write([]byte("body"))
			time.Sleep(5 * time.Hour)
			tn.CloseWrite()
			p.told(tn)
			time.Sleep(5 * time.Hour)
			p.note("client", "%v", peer.Err())
		},
		want: `client: 200; <nil> | handler: length=-1 read=4 ok`,
	},
	{
		name:    "net/http/IdleTimeout_counts_PING_as_nothing",
		server:  func(_ *play, hs *http.Server) { hs.IdleTimeout = time.Minute },
		handler: nothing,
		client: func(p *play) {
			start := time.Now()
			peer := p.peer(h2test.Options{})
			p.told(p.open(peer, true, "GET", "/"))
			go func() { // ends with the case
				for range 20 {
					time.Sleep(10 * time.Second)
					peer.Send("PING")
				}
			}()
			p.ends(peer, start)
			time.Sleep(5 * time.Minute)
		},
		want: `client: 200; GOAWAY 1 NO_ERROR 1m0s`,
	},
	{
		name:    "net/http/IdleTimeout_of_a_connection_that_asks_nothing",
		server:  func(_ *play, hs *http.Server) { hs.IdleTimeout = time.Minute },
		handler: nothing,
		client: func(p *play) {
			start := time.Now()
			p.ends(p.peer(h2test.Options{}), start)
		},
		want: `client: GOAWAY 0 NO_ERROR 1m0s`,
	},
	{
		name:    "net/http/IdleTimeout_begins_anew",
		server:  func(_ *play, hs *http.Server) { hs.IdleTimeout = time.Minute },
		handler: nothing,
		client: func(p *play) {
			start := time.Now()
			peer := p.peer(h2test.Options{})
			for range 5 {
				time.Sleep(40 * time.Second)
				p.told(p.open(peer, true, "GET", "/"))
			}
			p.ends(peer, start)
		},
		want: `client: 200; 200; 200; 200; 200; GOAWAY 9 NO_ERROR 4m20s`,
	},
	{
		name:   "net/http/a_Transport_reconnects_after_IdleTimeout",
		server: func(_ *play, hs *http.Server) { hs.IdleTimeout = time.Minute },
		handler: func(p *play, _ http.ResponseWriter, r *http.Request) {
			p.note("handler", "%s", r.RemoteAddr)
		},
		client: func(p *play) {
			for range 3 {
				p.get("/")
				time.Sleep(2 * time.Minute)
			}
		},
		want: `client: 200; 200; 200 | handler: 127.0.0.1:49152; 127.0.0.1:49153; 127.0.0.1:49154`,
	},
	{
		name:    "net/http/ReadHeaderTimeout_is_the_IdleTimeout",
		server:  func(_ *play, hs *http.Server) { hs.ReadHeaderTimeout = time.Minute },
		handler: nothing,
		client: func(p *play) {
			start := time.Now()
			peer := p.peer(h2test.Options{})
			p.told(p.open(peer, true, "GET", "/"))
			p.ends(peer, start)
		},
		want: `client: 200; no GOAWAY 1h0m0s`,
	},
	{
		name:    "net/http/ReadHeaderTimeout_before_the_preface",
		secure:  true,
		server:  func(_ *play, hs *http.Server) { hs.ReadHeaderTimeout = 5 * time.Second },
		handler: nothing,
		client: func(p *play) {
			start := time.Now()
			nc := p.conn()
			defer nc.Close()
			nc.SetReadDeadline(start.Add(time.Hour))
			_, err := io.Copy(io.Discard, nc)
			p.note("client", "%v %s", time.Since(start).Round(10*time.Second), broken(err))
		},
		want: `client: 10s ok`,
	},
	{
		name:    "net/http/a_preface_that_never_comes",
		secure:  true,
		handler: nothing,
		client: func(p *play) {
			start := time.Now()
			nc := p.conn()
			defer nc.Close()
			nc.SetReadDeadline(start.Add(time.Hour))
			_, err := io.Copy(io.Discard, nc)
			p.note("client", "%v %s", time.Since(start).Round(10*time.Second), broken(err))
		},
		want: `client: 10s ok`,
	},
}
