package h2_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"time"
)

// trafficGuard ends a request that nothing else has ended: then somebody waits for ever, and the
// test fails.
const trafficGuard = 10 * time.Second

// uploadReader is the body of a request, at the pace of its script.
type uploadReader struct {
	run   *trafficRun
	s     *trafficScript
	steps []trafficStep
	off   int
	ctx   context.Context
}

var errUpload = errors.New("traffic: the body breaks off")

func (u *uploadReader) Read(p []byte) (int, error) {
	u.run.clock.settle(u.s.clientPhase()) // a 100 came at the handler's
	for {
		if len(u.steps) == 0 {
			switch u.s.End {
			case endFin:
				return 0, io.EOF
			case endError:
				u.run.clock.sleep(1, u.s.clientPhase())
				return 0, errUpload
			}
			<-u.ctx.Done()
			return 0, u.ctx.Err()
		}
		step := &u.steps[0]
		if step.Wait > 0 {
			wait := step.Wait
			step.Wait = 0
			u.run.clock.sleep(wait, u.s.clientPhase())
		}
		if step.N == 0 {
			u.steps = u.steps[1:]
			continue
		}
		n := min(len(p), step.N)
		fill(p[:n], u.s.uploadKey(), u.off)
		u.off += n
		step.N -= n
		return n, nil
	}
}

func (u *uploadReader) Close() error { return nil }

// viaTransport is a script played by Go's client.
func (run *trafficRun) viaTransport(tr *http.Transport, s *trafficScript, rec *trafficRecord) {
	ctx, cancel := context.WithTimeout(run.t.Context(), trafficGuard)
	defer cancel()
	u, err := url.Parse(run.scheme() + "://example.test" + s.Target)
	if err != nil {
		run.t.Errorf("%s: %v", s.Target, err)
		return
	}
	req := (&http.Request{Method: s.Method, URL: u,
		Header: http.Header{trafficField: {itoa(s.I)}}}).WithContext(ctx)
	for _, f := range s.Fields {
		k := http.CanonicalHeaderKey(f[0])
		req.Header[k] = append(req.Header[k], f[1])
	}
	if !s.NoBody {
		steps := append([]trafficStep(nil), s.Body...)
		req.Body = &uploadReader{run: run, s: s, steps: steps, ctx: ctx}
		if req.ContentLength = s.Length; s.Length == 0 {
			req.ContentLength = -1 // 0 means unknown as well
		}
		for _, f := range s.Trailers {
			if req.Trailer == nil {
				req.Trailer = http.Header{}
			}
			k := http.CanonicalHeaderKey(f[0])
			req.Trailer[k] = append(req.Trailer[k], f[1])
		}
	}
	if s.Expect {
		req.Header.Set("Expect", "100-continue")
	}
	req = req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		Got100Continue: func() { rec.add("client informed", "100") },
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			if code != http.StatusContinue {
				rec.add("client informed", "%d", code)
				for k, v := range h {
					rec.add("client informed "+k, "%q", v)
				}
			}
			return nil
		},
	}))
	if s.Cancel > 0 {
		defer time.AfterFunc(run.clock.in(s.Cancel, s.cancelPhase()), cancel).Stop()
	}
	start := time.Now()
	defer func() {
		if time.Since(start) >= trafficGuard {
			rec.set("STUCK", "the client")
		}
	}()
	resp, err := tr.RoundTrip(req)
	if err != nil {
		rec.set("client end", "no answer: %s", trafficEnd(err))
		return
	}
	defer resp.Body.Close()
	rec.set("client status", "%d", resp.StatusCode)
	for k, v := range resp.Header {
		if k == "Date" {
			v = []string{"now"}
		}
		rec.set("client field "+k, "%q", v)
	}
	t := tally{key: s.answerKey()}
	for _, step := range s.Reads {
		run.clock.sleep(step.Wait, s.readPhase())
		if _, err = io.CopyN(&t, onlyReader{resp.Body}, int64(step.N)); err != nil {
			break
		}
	}
	if s.ReadEnd != readAllOf {
		run.clock.settle(s.readPhase()) // what came last came at the handler's
	}
	switch {
	case err != nil:
	case s.ReadEnd == readClose:
		err = resp.Body.Close()
		rec.set("client end", "closed %s", trafficEnd(err))
		rec.set("client body", "%v", &t)
		return
	case s.ReadEnd == readCancel:
		cancel()
		fallthrough
	default:
		_, err = io.Copy(&t, onlyReader{resp.Body})
	}
	rec.set("client body", "%v", &t)
	rec.set("client end", "%s", trafficEnd(err))
	for k, v := range resp.Trailer {
		rec.set("client trailer "+k, "%q", v)
	}
}

// trafficEnd is how an answer ended for Go's client.
func trafficEnd(err error) string {
	switch {
	case err == nil || err == io.EOF:
		return "whole"
	case errors.Is(err, errUpload):
		return "its body broke off"
	case errors.Is(err, context.DeadlineExceeded):
		return "STUCK"
	case fault(err) == "error":
		return "error " + err.Error()
	}
	return fault(err)
}
