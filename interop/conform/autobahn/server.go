package autobahn

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"weir/interop/conform"
	"weir/interop/conform/wire"
	"weir/stream"
)

const (
	maxAgents = 100 // whose results a server keeps
	maxName   = 256 // octets of an agent's name
	control   = 30 * time.Second
)

// ServerOptions are those of a Server.
type ServerOptions struct {
	Cases []conform.Case // of ServerCases; nil: the catalogue
	Pace  *conform.Pace  // how long clients are waited for; nil: one of its own

	// Result is told of each case that has been played; Updated of a client that is done, with its
	// results in the order of the cases. Completed comes after it, when that client asked for the
	// server to end (shutdownOnComplete). They come from any goroutine, and may be nil.
	Result    func(conform.Result)
	Updated   func(agent string, results []conform.Result)
	Completed func(agent string)
}

// Server is the fuzzing server: an http.Handler that clients visit for one case after another,
// echoing what they get. It serves HTTP/1.1 on any server of net/http, and HTTP/2 on one that
// h2.ConfigureServer or websocket.ConfigureServer have set up.
//
// Its paths are the ones that clients with a harness know, each a WebSocket: /getCaseCount, which
// sends a number; /runCase?case=N&agent=A, from 1; /getCaseInfo?case=N;
// /getCaseStatus?case=N&agent=A; /updateReports?agent=A, with shutdownOnComplete=true.
type Server struct {
	o     ServerOptions
	cases []conform.Case
	specs []spec

	mu      sync.Mutex
	results map[string]map[int]conform.Result // by agent and index
	playing map[string]map[int]chan struct{}  // likewise; closed when the result is there
}

// ServerCases are the cases a Server has: the 517 of the catalogue, and those that are stricter.
// They are there to be selected from: they cannot be run.
func ServerCases() []conform.Case {
	var cases []conform.Case
	for _, s := range append(catalogue(new(library)), stricter()...) {
		if !s.oneWay {
			cases = append(cases, s.asCase())
		}
	}
	return cases
}

// NewServer makes a server. A case that is none of ServerCases is an error.
func NewServer(o ServerOptions) (*Server, error) {
	if o.Pace == nil {
		o.Pace = new(conform.Pace)
	}
	s := &Server{o: o, results: map[string]map[int]conform.Result{}, playing: map[string]map[int]chan struct{}{}}
	all := map[string]spec{}
	for _, sp := range append(catalogue(new(library)), stricter()...) {
		if all[sp.id] = sp; o.Cases == nil && !sp.strict {
			s.cases, s.specs = append(s.cases, sp.asCase()), append(s.specs, sp)
		}
	}
	for _, c := range o.Cases {
		sp, ok := all[c.ID]
		if !ok || sp.oneWay {
			return nil, fmt.Errorf("the fuzzing server has no case %q", c.ID)
		}
		s.cases, s.specs = append(s.cases, c), append(s.specs, sp)
	}
	return s, nil
}

// ServeHTTP returns when the WebSocket is over.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	agent := cmp.Or(q.Get("agent"), "an agent")
	if len(agent) > maxName || !s.known(agent) {
		http.Error(w, "the agent's name is too long, or there are too many agents", http.StatusBadRequest)
		return
	}
	n, err := strconv.Atoi(q.Get("case"))
	path := r.URL.Path
	if (path == "/runCase" || path == "/getCaseInfo" || path == "/getCaseStatus") && (err != nil || n < 1 || n > len(s.cases)) {
		http.Error(w, fmt.Sprintf("case: from 1 to %d", len(s.cases)), http.StatusBadRequest)
		return
	}
	switch path {
	case "/getCaseCount":
		s.tell(w, r, strconv.Itoa(len(s.cases)))
	case "/getCaseInfo":
		c := &s.cases[n-1]
		s.tell(w, r, object(map[string]string{"id": c.ID, "description": c.Title}))
	case "/getCaseStatus":
		s.settle(r.Context(), agent)
		s.mu.Lock()
		res, ok := s.results[agent][n-1]
		s.mu.Unlock()
		status := map[string]string{"behavior": "", "behaviorClose": ""}
		if ok {
			status["behavior"], status["behaviorClose"] = string(res.Body), string(res.Close)
		}
		s.tell(w, r, object(status))
	case "/updateReports":
		s.update(w, r, agent)
	case "/runCase":
		s.run(w, r, agent, n-1)
	default:
		http.NotFound(w, r)
	}
}

func object(fields map[string]string) string {
	b, _ := json.Marshal(fields) // strings cannot fail
	return string(b)
}

// known says whether an agent has its place in the results, or gets one.
func (s *Server) known(agent string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.results[agent] == nil {
		if len(s.results) == maxAgents {
			return false
		}
		s.results[agent], s.playing[agent] = map[int]conform.Result{}, map[int]chan struct{}{}
	}
	return true
}

// tell sends a text, if there is one, and closes.
func (s *Server) tell(w http.ResponseWriter, r *http.Request, answer string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), control)
	defer cancel()
	c, err := wire.Accept(ctx, w, r, wire.Answer{})
	if err != nil {
		return // it has been answered
	}
	sp := spec{quiet: true, close: normal(), play: func(t *tester) {
		if answer != "" {
			t.put(text(answer))
		}
		t.bye()
	}}
	sp.over(ctx, c, nil, nil, s.o.Pace)
}

// update tells the callbacks that an agent is done.
func (s *Server) update(w http.ResponseWriter, r *http.Request, agent string) {
	s.settle(r.Context(), agent)
	done := s.Results(agent)
	if s.o.Updated != nil {
		s.o.Updated(agent, done)
	}
	s.tell(w, r, "")
	if q := r.URL.Query().Get("shutdownOnComplete"); s.o.Completed != nil && (q == "true" || q == "1") {
		s.o.Completed(agent)
	}
}

// settle waits for the cases that an agent has left, and that have not come to their results yet,
// at most 2 s.
func (s *Server) settle(ctx context.Context, agent string) {
	ctx, cancel := s.o.Pace.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	s.mu.Lock()
	playing := slices.Collect(maps.Values(s.playing[agent]))
	s.mu.Unlock()
	for _, done := range playing {
		select {
		case <-done:
		case <-ctx.Done():
		}
	}
}

// run plays a case.
func (s *Server) run(w http.ResponseWriter, r *http.Request, agent string, i int) {
	sp, start := &s.specs[i], time.Now()
	defer s.o.Pace.Watch()()
	limit := cmp.Or(sp.limit, conform.DefaultLimit)
	ctx, cancel := s.o.Pace.WithTimeout(context.WithoutCancel(r.Context()), limit)
	defer cancel()
	log := conform.NewLog(func() time.Duration { return time.Since(start) })
	res := conform.Result{Case: s.cases[i], Agent: agent, Transport: transport(r)}
	done := make(chan struct{})
	s.mu.Lock()
	s.playing[agent][i] = done
	s.mu.Unlock()
	a := wire.Answer{Log: log}
	var agreed *params
	if sp.deflate != nil {
		a.Extensions, agreed = answerTo(r.Header["Sec-Websocket-Extensions"], sp.deflate.asks)
	}
	log.Notef("%s %s over %s", r.Method, r.RequestURI, r.Proto)
	c, err := wire.Accept(ctx, w, r, a)
	if err != nil {
		res.Outcome = sp.unopened(err.Error())
	} else {
		res.Outcome = sp.over(ctx, c, agreed, log, s.o.Pace)
	}
	if ctx.Err() != nil && !res.Bad() {
		res.Outcome = conform.Fail(fmt.Sprintf("not done after %v", s.o.Pace.Scale(limit)))
	}
	res.Duration = time.Since(start)
	res.Log, res.Dropped = log.Entries()
	s.mu.Lock()
	s.results[agent][i] = res
	if s.playing[agent][i] == done {
		delete(s.playing[agent], i)
	}
	close(done)
	s.mu.Unlock()
	if s.o.Result != nil {
		s.o.Result(res)
	}
}

// Results are those of an agent, in the order of the cases.
func (s *Server) Results(agent string) []conform.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []conform.Result
	for i := range s.cases {
		if res, ok := s.results[agent][i]; ok {
			all = append(all, res)
		}
	}
	return all
}

// Agents are those that have played a case, by name.
func (s *Server) Agents() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for a, played := range s.results {
		if len(played) > 0 {
			all = append(all, a)
		}
	}
	slices.Sort(all)
	return all
}

func transport(r *http.Request) stream.Transport {
	switch {
	case r.ProtoMajor == 1 && r.TLS == nil:
		return stream.H1
	case r.ProtoMajor == 1:
		return stream.H1TLS
	case r.TLS == nil:
		return stream.H2C
	}
	return stream.H2
}
