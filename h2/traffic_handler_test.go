package h2_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"weir/h2"
)

// trafficRecord is what client and handler saw of one request, each thing under its name.
type trafficRecord struct {
	mu   sync.Mutex
	seen map[string]string
}

func (r *trafficRecord) set(key, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		r.seen = map[string]string{}
	}
	r.seen[key] = fmt.Sprintf(format, args...)
}

// add puts something behind what is under key.
func (r *trafficRecord) add(key, format string, args ...any) {
	r.mu.Lock()
	old := r.seen[key]
	r.mu.Unlock()
	r.set(key, "%s", strings.TrimPrefix(old+"; "+fmt.Sprintf(format, args...), "; "))
}

// trafficClass is an error in as many words as both servers share.
func trafficClass(err error) string {
	if text := fault(err); text == "ok" || text == "EOF" || text == "deadline" ||
		strings.HasPrefix(text, "http:") || text == "MaxBytesError" {
		return text
	}
	if errors.Is(err, http.ErrNotSupported) {
		return "not supported"
	}
	return "error"
}

// uploadKey and answerKey name the octets of the two bodies.
func (s *trafficScript) uploadKey() int { return 2 * s.I }

func (s *trafficScript) answerKey() int {
	if s.has("echo") {
		return s.uploadKey()
	}
	return 2*s.I + 1
}

// trafficHandler does what the script of the request says.
type trafficHandler struct {
	run *trafficRun
	s   *trafficScript
	rec *trafficRecord
	w   http.ResponseWriter
	r   *http.Request

	read, wrote int
}

func (run *trafficRun) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == trafficHello {
		return
	}
	i, err := strconv.Atoi(r.Header.Get(trafficField))
	if err != nil || i >= len(run.scripts) || run.scripts[i] == nil {
		run.t.Errorf("a request of no script: %s %s %v", r.Method, r.RequestURI, r.Header)
		return
	}
	run.handlers.Add(1)
	defer run.handlers.Done()
	run.enters(i, 1)
	defer run.enters(i, -1)
	h := &trafficHandler{run: run, s: run.scripts[i], rec: run.records[i], w: w, r: r}
	if run.weir != nil {
		run.watch(i, h2.Watch(w))
	}
	h.rec.add("calls", "1")
	h.request()
	returned := false
	defer func() {
		h.rec.set("after", "returned=%v context=%v", returned, r.Context().Err())
	}()
	if !h.s.Now {
		run.clock.sleep(0, h.s.handlerPhase())
	}
	for i, op := range h.s.Ops {
		h.do(fmt.Sprintf("%s %02d %s", side(op.Kind), i, op.Kind), op)
		if !h.s.Now {
			run.clock.settle(h.s.handlerPhase())
		}
	}
	returned = true
}

// side says what an op has to do with: the request's body, the answer, or neither.
func side(kind string) string {
	switch kind {
	case "read", "readall", "closebody":
		return "body"
	case "write", "string", "copy", "rcflush":
		return "answer"
	case "echo", "duplex":
		return "both"
	}
	return "op"
}

// request records the request as the handler got it.
func (h *trafficHandler) request() {
	r := h.r
	header := r.Header.Clone()
	delete(header, trafficField)
	h.rec.set("request", "%s %s path=%q raw=%q query=%q host=%s%s %s", r.Method, r.RequestURI,
		r.URL.Path, r.URL.RawPath, r.URL.RawQuery, r.Host, r.URL.Host, r.Proto)
	h.rec.set("request content", "length=%d coding=%v trailer=%v tls=%v", r.ContentLength,
		r.TransferEncoding, slices.Sorted(maps.Keys(r.Trailer)), r.TLS != nil)
	h.rec.set("request NoBody", "%v", r.Body == http.NoBody)
	h.rec.set("request header", "%s", headerText(header))
}

// body reads n octets of the request, and gives how many came and how it ended.
func (h *trafficHandler) body(n int) string {
	t := tally{key: h.s.uploadKey(), n: h.read}
	_, err := io.CopyN(&t, onlyReader{h.r.Body}, int64(n))
	h.read = t.n
	if err == nil || !errors.Is(err, io.EOF) {
		return fmt.Sprintf("%v %s", &t, trafficClass(err))
	}
	for k, v := range h.r.Trailer {
		name := "trailer announced"
		if !h.s.Announce {
			name = "trailer other"
		}
		h.rec.set("request "+name+" "+k, "%q", v)
	}
	return fmt.Sprintf("%v EOF", &t)
}

// onlyReader hides what else a reader can do.
type onlyReader struct{ io.Reader }

func (h *trafficHandler) do(key string, op trafficOp) {
	w, rc := h.w, http.NewResponseController(h.w)
	note := func(format string, args ...any) { h.rec.set(key, format, args...) }
	switch op.Kind {
	case "sleep":
		h.run.clock.sleep(op.N, h.s.handlerPhase())
	case "read":
		note("%s", h.body(op.N))
	case "readall":
		note("%s", h.body(1<<30))
	case "closebody":
		note("%s", trafficClass(h.r.Body.Close()))
	case "maxbytes":
		h.r.Body = http.MaxBytesReader(w, h.r.Body, int64(op.N))
	case "set":
		w.Header().Set(op.Name, op.Value)
	case "add":
		w.Header()[op.Name] = append(w.Header()[op.Name], op.Value)
	case "nodate":
		w.Header()["Date"] = nil
	case "length":
		w.Header().Set("Content-Length", strconv.Itoa(max(h.s.answers()+op.N, 0)))
	case "info":
		w.WriteHeader(op.N)
	case "status":
		w.WriteHeader(op.N)
	case "write":
		n, err := w.Write(pattern(h.s.answerKey(), h.wrote, op.N))
		h.wrote += n
		note("%d %s", n, trafficClass(err))
	case "string":
		n, err := w.(io.StringWriter).WriteString(string(pattern(h.s.answerKey(), h.wrote, op.N)))
		h.wrote += n
		note("%d %s", n, trafficClass(err))
	case "copy":
		n, err := io.Copy(w, &patternReader{h.s.answerKey(), h.wrote, op.N})
		h.wrote += int(n)
		note("%d %s", n, trafficClass(err))
	case "flush":
		w.(http.Flusher).Flush()
	case "rcflush":
		note("%s", trafficClass(rc.Flush()))
	case "echo":
		note("%s", h.echo())
	case "duplex":
		got := make(chan string, 1)
		go func() { got <- h.body(1 << 30) }() // ends with the body
		n, err := io.Copy(w, &patternReader{h.s.answerKey(), h.wrote, op.N})
		h.wrote += int(n)
		note("%d %s, read %s", n, trafficClass(err), <-got)
	case "readby":
		note("%s", trafficClass(rc.SetReadDeadline(h.deadline(op.N))))
	case "writeby":
		note("%s", trafficClass(rc.SetWriteDeadline(h.deadline(op.N))))
	case "nodeadline":
		note("%s %s", trafficClass(rc.SetReadDeadline(time.Time{})),
			trafficClass(rc.SetWriteDeadline(time.Time{})))
	case "fullduplex":
		note("%s", trafficClass(rc.EnableFullDuplex()))
	case "hijack":
		_, _, err := rc.Hijack()
		note("%s", trafficClass(err))
	case "context":
		note("%v", h.r.Context().Err())
	case "waitctx":
		t := time.NewTimer(300 * time.Millisecond)
		defer t.Stop()
		select {
		case <-h.r.Context().Done():
		case <-t.C:
		}
		note("%v", h.r.Context().Err())
	case "panic":
		panic("traffic: the handler of a script panics")
	case "abort":
		panic(http.ErrAbortHandler)
	case "goexit":
		runtime.Goexit()
	default:
		panic("traffic: BUG: no such thing to do: " + op.Kind)
	}
}

// deadline is an instant that is neither the client's nor the handler's.
func (h *trafficHandler) deadline(ms int) time.Time {
	if ms < 0 {
		return time.Now().Add(-time.Second)
	}
	return time.Now().Add(h.run.clock.in(ms, h.s.handlerPhase()+200*time.Microsecond))
}

func (h *trafficHandler) echo() string {
	buf := make([]byte, 4096)
	for {
		n, err := h.r.Body.Read(buf)
		h.read += n
		if n > 0 {
			n, werr := h.w.Write(buf[:n])
			h.wrote += n
			if werr == nil {
				werr = http.NewResponseController(h.w).Flush()
			}
			if werr != nil {
				return fmt.Sprintf("%d write %s", h.wrote, trafficClass(werr))
			}
		}
		if err != nil {
			return fmt.Sprintf("%d %s", h.wrote, trafficClass(err))
		}
	}
}
