package upgrade_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"weir/upgrade"
)

// myProtocol hands a request to a worker that has Timeout to answer, and compresses the answer if it may.
type myProtocol struct{}

// myOptions are its options. It ignores options of any other type.
type myOptions struct {
	Timeout  time.Duration
	Compress bool
}

// worker is what its handlers are.
type worker func(ctx context.Context) string

func (myProtocol) Upgrade(w http.ResponseWriter, r *http.Request, handler, opts any) error {
	work, ok := handler.(worker)
	if !ok {
		return fmt.Errorf("my_protocol: a %T is no worker", handler)
	}
	o, ok := opts.(myOptions)
	if !ok {
		o.Timeout = time.Minute
	}
	ctx, stop := context.WithTimeout(r.Context(), o.Timeout) // the request's context is the environment
	defer stop()
	answer := io.Writer(w)
	if o.Compress && r.Header.Get("Accept-Encoding") == "gzip" {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		answer = z
	}
	fmt.Fprint(answer, work(ctx))
	upgrade.Terminate(upgrade.Reason{Kind: upgrade.Stop}, nil, handler)
	return nil
}

// A sub protocol of one's own: init switches to it, with a handler and options.
func ExampleHandle() {
	h := upgrade.Handle(func(http.ResponseWriter, *http.Request) (*upgrade.Switch, error) {
		work := worker(func(ctx context.Context) string {
			_, bounded := ctx.Deadline()
			return fmt.Sprint("worked, with a deadline: ", bounded)
		})
		return &upgrade.Switch{Protocol: myProtocol{}, Handler: work, Options: myOptions{Timeout: 5 * time.Second, Compress: true}}, nil
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(w.Code, w.Body)
	// Output: 200 worked, with a deadline: true
}

// ticks sends what is posted as server-sent events.
type ticks struct{}

func (ticks) LoopInit(q *upgrade.Queue, w http.ResponseWriter) upgrade.LoopResult {
	w.Header().Set("Content-Type", "text/event-stream")
	for i := range 3 {
		q.Post(i) // from here or from any goroutine, until Terminate
	}
	return upgrade.LoopHibernate
}

func (ticks) LoopInfo(msg any, w http.ResponseWriter) upgrade.LoopResult {
	fmt.Fprintf(w, "data: %v\n\n", msg)
	if msg == 2 {
		return upgrade.LoopStop
	}
	return upgrade.LoopOK
}

// Loop holds a request open and answers it as messages come.
func ExampleLoop() {
	srv := httptest.NewServer(upgrade.Handle(func(http.ResponseWriter, *http.Request) (*upgrade.Switch, error) {
		return &upgrade.Switch{Protocol: upgrade.Loop, Handler: ticks{}}, nil
	}))
	defer srv.Close()
	resp, err := http.Get(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	body, _ := io.ReadAll(resp.Body)
	fmt.Printf("%s %q\n", resp.Header.Get("Content-Type"), body)
	// Output: text/event-stream "data: 0\n\ndata: 1\n\ndata: 2\n\n"
}
