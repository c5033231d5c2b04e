package h2_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing/synctest"
	"time"

	"weir/h2/h2test"

	"golang.org/x/net/http2"
)

// grpcHead begins an answer of gRPC as its ServeHTTP does.
func grpcHead(w http.ResponseWriter) {
	h := w.Header()
	h["Date"] = nil
	h.Add("Trailer", "Grpc-Status")
	h.Add("Trailer", "Grpc-Message")
	h.Set("Content-Type", "application/grpc")
}

// parityCalls are exchanges as gRPC has them.
var parityCalls = []parityCase{
	{
		name: "net/http/grpc_unary",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			grpcHead(w)
			m, err := grpcRead(r.Body)
			_, end := grpcRead(r.Body)
			p.note("handler", "%q %s %s te=%q", m, fault(err), fault(end), r.Header["Te"])
			io.WriteString(w, grpcMessage("re: "+m))
			w.Header().Set("Grpc-Status", "0")
		},
		client: func(p *play) {
			p.wire(`HEADERS 1 POST content-type=application/grpc te=trailers`,
				`DATA 1 END_STREAM "\x00\x00\x00\x00\x03ask"`)
		},
		what: "Content-Length of an answer with trailers",
		why:  whyTrailerLength,
		nethttp: `handler: "ask" ok EOF te=["trailers"] | ` +
			`wire: HEADERS 1 :status=200 content-length=12 content-type=application/grpc ` +
			`trailer=Grpc-Message trailer=Grpc-Status; DATA 1 "\x00\x00\x00\x00\are: ask"; ` +
			`HEADERS 1 END_STREAM grpc-status=0`,
		weir: `handler: "ask" ok EOF te=["trailers"] | ` +
			`wire: HEADERS 1 :status=200 content-type=application/grpc trailer=Grpc-Message ` +
			`trailer=Grpc-Status; DATA 1 "\x00\x00\x00\x00\are: ask"; ` +
			`HEADERS 1 END_STREAM grpc-status=0`,
	},
	{
		name: "net/http/grpc_unary_flushed",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			grpcHead(w)
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			m, _ := grpcRead(r.Body)
			io.WriteString(w, grpcMessage("re: "+m))
			w.(http.Flusher).Flush()
			w.Header().Set("Grpc-Status", "0")
			w.Header().Set(http.TrailerPrefix+"X-Custom", "md")
		},
		client: func(p *play) {
			p.wire(`HEADERS 1 POST content-type=application/grpc te=trailers`,
				`DATA 1 END_STREAM "\x00\x00\x00\x00\x03ask"`)
		},
		want: `wire: HEADERS 1 :status=200 content-type=application/grpc trailer=Grpc-Message ` +
			`trailer=Grpc-Status; DATA 1 "\x00\x00\x00\x00\are: ask"; ` +
			`HEADERS 1 END_STREAM grpc-status=0 x-custom=md`,
	},
	{
		name: "net/http/grpc_trailers_only",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Grpc-Status", "12")
			w.Header().Set("Grpc-Message", "no%20such method")
		},
		client: func(p *play) {
			p.wire(`HEADERS 1 POST content-type=application/grpc te=trailers`,
				`DATA 1 END_STREAM "\x00\x00\x00\x00\x03ask"`)
		},
		want: `wire: HEADERS 1 END_STREAM :status=200 content-length=0 ` +
			`content-type=application/grpc ` +
			`date=now "grpc-message=no%20such method" grpc-status=12`,
	},
	{
		name: "net/http/grpc_error_in_trailers_alone",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			grpcHead(w)
			w.WriteHeader(http.StatusOK)
			w.Header().Set("Grpc-Status", "5")
			w.Header().Set("Grpc-Message", "not found")
		},
		client: func(p *play) {
			p.wire(`HEADERS 1 POST content-type=application/grpc te=trailers`,
				`DATA 1 END_STREAM "\x00\x00\x00\x00\x03ask"`)
		},
		what: "Content-Length of an answer with trailers",
		why:  whyTrailerLength,
		nethttp: `wire: HEADERS 1 :status=200 content-length=0 content-type=application/grpc ` +
			`trailer=Grpc-Message trailer=Grpc-Status; ` +
			`HEADERS 1 END_STREAM "grpc-message=not found" grpc-status=5`,
		weir: `wire: HEADERS 1 :status=200 content-type=application/grpc trailer=Grpc-Message ` +
			`trailer=Grpc-Status; HEADERS 1 END_STREAM "grpc-message=not found" grpc-status=5`,
	},
	{
		name: "net/http/grpc_error_while_the_client_sends",
		handler: func(_ *play, w http.ResponseWriter, r *http.Request) {
			grpcRead(r.Body)
			grpcHead(w)
			w.WriteHeader(http.StatusOK)
			w.Header().Set("Grpc-Status", "8")
		},
		client: func(p *play) {
			p.wire(`HEADERS 1 POST content-type=application/grpc te=trailers`,
				`DATA 1 "\x00\x00\x00\x00\x03ask"`)
		},
		what: "Content-Length of an answer with trailers",
		why:  whyTrailerLength,
		nethttp: `wire: HEADERS 1 :status=200 content-length=0 content-type=application/grpc ` +
			`trailer=Grpc-Message trailer=Grpc-Status; HEADERS 1 END_STREAM grpc-status=8; ` +
			`RST_STREAM 1 NO_ERROR`,
		weir: `wire: HEADERS 1 :status=200 content-type=application/grpc trailer=Grpc-Message ` +
			`trailer=Grpc-Status; HEADERS 1 END_STREAM grpc-status=8; RST_STREAM 1 NO_ERROR`,
	},
	{
		name: "net/http/grpc_binary_metadata",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			p.note("handler", "%q", r.Header["X-Trace-Bin"])
			w.Header().Set("X-Answer-Bin", base64.RawStdEncoding.EncodeToString([]byte{0, 1, 255}))
			grpcHead(w)
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			w.Header().Set("Grpc-Status", "0")
			w.Header().Set(http.TrailerPrefix+"Grpc-Status-Details-Bin",
				base64.StdEncoding.EncodeToString([]byte{255, 254}))
		},
		client: func(p *play) {
			p.wire("HEADERS 1 END_STREAM POST te=trailers x-trace-bin=AAH/ x-trace-bin=AA,AQ==")
		},
		want: `handler: ["AAH/" "AA,AQ=="] | ` +
			`wire: HEADERS 1 :status=200 content-type=application/grpc trailer=Grpc-Message ` +
			`trailer=Grpc-Status x-answer-bin=AAH/; ` +
			`HEADERS 1 END_STREAM grpc-status-details-bin=//4= grpc-status=0`,
	},
	{
		name: "net/http/grpc_server_stream",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			grpcHead(w)
			io.Copy(io.Discard, r.Body)
			for i := range 200 {
				io.WriteString(w, grpcMessage(fmt.Sprint("message ", i)))
				w.(http.Flusher).Flush()
			}
			w.Header().Set("Grpc-Status", "0")
		},
		client: func(p *play) {
			tn := p.grpcAsk(p.peer(h2test.Options{}), "/")
			tn.Write([]byte(grpcMessage("go")))
			tn.CloseWrite()
			n := 0
			for {
				m, err := grpcRead(tn)
				if err != nil {
					p.note("client", "%d %s", n, fault(err))
					break
				}
				if m == fmt.Sprint("message ", n) {
					n++
				}
			}
			p.grpcEnd(tn)
		},
		want: `client: 200 EOF; 200 application/grpc len=0 status="0" message="" ok`,
	},
	{
		name: "net/http/grpc_server_stream_cancelled",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			grpcHead(w)
			io.Copy(io.Discard, r.Body)
			n := 0
			var err error
			for ; err == nil; n++ {
				if _, err = io.WriteString(w, grpcMessage("tick")); err == nil {
					err = http.NewResponseController(w).Flush()
				}
				select {
				case <-time.After(time.Second):
				case <-r.Context().Done():
				}
			}
			p.note("handler", "%v %s %v", n < 10, broken(err), r.Context().Err())
		},
		client: func(p *play) {
			tn := p.grpcAsk(p.peer(h2test.Options{}), "/")
			tn.CloseWrite()
			time.Sleep(5 * time.Second)
			tn.Reset(http2.ErrCodeCancel)
			synctest.Wait()
		},
		want: `handler: true error context canceled`,
	},
	{
		name: "net/http/grpc_client_stream",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			grpcHead(w)
			n, octets := 0, 0
			for {
				m, err := grpcRead(r.Body)
				if err != nil {
					p.note("handler", "%d %d %s", n, octets, fault(err))
					break
				}
				n++
				octets += len(m)
			}
			w.(http.Flusher).Flush()
			w.Header().Set("Grpc-Status", "0")
		},
		client: func(p *play) {
			tn := p.grpcAsk(p.peer(h2test.Options{}), "/")
			for range 500 {
				tn.Write([]byte(grpcMessage("a message of some length")))
			}
			tn.Write([]byte(grpcMessage("")))
			tn.Write([]byte(grpcMessage(strings.Repeat("x", 300_000))))
			tn.CloseWrite()
			p.grpcEnd(tn)
		},
		want: `client: 200 application/grpc len=0 status="0" message="" ok | handler: 502 312000 ` +
			`EOF`,
	},
	{
		name: "net/http/grpc_client_stream_cut",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			grpcHead(w)
			for {
				m, err := grpcRead(r.Body)
				if err != nil {
					p.note("handler", "%s", fault(err))
					break
				}
				p.note("handler", "%d", len(m))
			}
			w.WriteHeader(http.StatusOK)
			w.Header().Set("Grpc-Status", "13")
		},
		client: func(p *play) {
			tn := p.grpcAsk(p.peer(h2test.Options{}), "/")
			tn.Write([]byte(grpcMessage("whole") + "\x00\x00\x00\x00\x09half"))
			tn.CloseWrite()
			p.grpcEnd(tn)
		},
		want: `client: 200 application/grpc len=0 status="13" message="" ok | handler: 5; ` +
			`unexpected EOF`,
	},
	{
		name: "net/http/grpc_bidirectional_stream",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			grpcHead(w)
			w.(http.Flusher).Flush()
			for {
				m, err := grpcRead(r.Body)
				if err != nil {
					p.note("handler", "%s", fault(err))
					break
				}
				io.WriteString(w, grpcMessage(strings.ToUpper(m)))
				w.(http.Flusher).Flush()
			}
			w.Header().Set("Grpc-Status", "0")
			w.Header().Set("Grpc-Message", "done")
		},
		client: func(p *play) {
			tn := p.grpcAsk(p.peer(h2test.Options{}), "/")
			for i := range 5 {
				tn.Write([]byte(grpcMessage(fmt.Sprint("ping ", i))))
				m, err := grpcRead(tn)
				p.note("client", "%s %s", m, fault(err))
			}
			tn.CloseWrite()
			p.grpcEnd(tn)
		},
		want: `client: PING 0 ok; PING 1 ok; PING 2 ok; PING 3 ok; PING 4 ok; ` +
			`200 application/grpc len=0 status="0" message="done" ok | handler: EOF`,
	},
	{
		name: "net/http/grpc_half_closed_for_long",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			grpcHead(w)
			w.(http.Flusher).Flush()
			io.Copy(io.Discard, r.Body)
			for i := range 3 {
				time.Sleep(20 * time.Minute)
				io.WriteString(w, grpcMessage(fmt.Sprint(i)))
				w.(http.Flusher).Flush()
			}
			p.note("handler", "%v", r.Context().Err())
			w.Header().Set("Grpc-Status", "0")
		},
		client: func(p *play) {
			tn := p.grpcAsk(p.peer(h2test.Options{}), "/")
			tn.CloseWrite()
			for range 3 {
				m, err := grpcRead(tn)
				p.note("client", "%s %s", m, fault(err))
			}
			p.grpcEnd(tn)
		},
		want: `client: 0 ok; 1 ok; 2 ok; 200 application/grpc len=0 status="0" message="" ok | ` +
			`handler: <nil>`,
	},
	{
		name: "net/http/grpc_timeout",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			var ms int
			fmt.Sscanf(r.Header.Get("Grpc-Timeout"), "%dm", &ms)
			ctx, cancel := context.WithTimeout(r.Context(), time.Duration(ms)*time.Millisecond)
			defer cancel()
			grpcHead(w)
			<-ctx.Done()
			p.note("handler", "%v %v", ctx.Err(), r.Context().Err())
			w.WriteHeader(http.StatusOK)
			w.Header().Set("Grpc-Status", "4")
		},
		client: func(p *play) {
			tn := p.grpcAsk(p.peer(h2test.Options{}), "/", "grpc-timeout", "1500m")
			tn.CloseWrite()
			start := time.Now()
			p.grpcEnd(tn)
			p.note("client", "%v", time.Since(start).Round(100*time.Millisecond))
		},
		want: `client: 200 application/grpc len=0 status="4" message="" ok; 1.5s | ` +
			`handler: context deadline exceeded <nil>`,
	},
	{
		name: "net/http/grpc_large_messages_both_ways",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			grpcHead(w)
			m, err := grpcRead(r.Body)
			p.note("handler", "%d %s", len(m), fault(err))
			io.WriteString(w, grpcMessage(m))
			w.Header().Set("Grpc-Status", "0")
		},
		client: func(p *play) {
			tn := p.grpcAsk(p.peer(h2test.Options{}), "/")
			tn.Write([]byte(grpcMessage(strings.Repeat("m", 3<<20))))
			tn.CloseWrite()
			p.grpcEnd(tn)
		},
		want: `client: 200 application/grpc len=3145733 status="0" message="" ok | handler: ` +
			`3145728 ok`,
	},
	{
		name: "net/http/grpc_calls_share_a_connection",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			grpcHead(w)
			m, _ := grpcRead(r.Body)
			<-p.turn
			io.WriteString(w, grpcMessage(m))
			w.Header().Set("Grpc-Status", r.URL.Path[1:])
		},
		client: func(p *play) {
			peer := p.peer(h2test.Options{})
			var tns []*h2test.Tunnel
			for i := range 20 {
				tn := p.grpcAsk(peer, fmt.Sprint("/", i))
				tn.Write([]byte(grpcMessage(fmt.Sprint("call ", i))))
				tn.CloseWrite()
				tns = append(tns, tn)
			}
			synctest.Wait()
			close(p.turn)
			right := 0
			for i, tn := range tns {
				resp, err := tn.Response(patient)
				if err == nil && resp.Trailer["grpc-status"] == fmt.Sprint(i) &&
					string(resp.Body) == grpcMessage(fmt.Sprint("call ", i)) {
					right++
				}
			}
			p.note("client", "%d", right)
		},
		want: `client: 20`,
	},
	{
		name: "net/http/grpc_by_the_Transport",
		handler: func(p *play, w http.ResponseWriter, r *http.Request) {
			grpcHead(w)
			w.Header().Set("X-Md", "1")
			m, _ := grpcRead(r.Body)
			io.WriteString(w, grpcMessage(m))
			w.Header().Set("Grpc-Status", "0")
			w.Header().Set(http.TrailerPrefix+"X-Tail", "2")
		},
		client: func(p *play) {
			p.do(p.request("POST", "/", strings.NewReader(grpcMessage("hi")), "Te", "trailers",
				"Content-Type", "application/grpc"), "X-Md", "Date")
		},
		want: `client: 200 X-Md=["1"] "\x00\x00\x00\x00\x02hi" trailer Grpc-Message=[] trailer ` +
			`Grpc-Status=["0"] trailer X-Tail=["2"]`,
	},
}
