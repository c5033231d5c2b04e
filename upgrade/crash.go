package upgrade

import (
	"fmt"
	"log"
	"net/http"
	"reflect"
	"runtime/debug"
	"strconv"

	"weir/stream"
)

// guard calls f, which is a user's code. It says whether f returned. If f did not, crashed is
// called with the panic's value, or with nil where f called runtime.Goexit. Nothing stops a Goexit:
// behind crashed only deferred functions run. So whatever must be done all the same belongs into
// crashed, or is deferred.
func guard(f func(), crashed func(v any)) (returned bool) {
	defer func() {
		if !returned {
			crashed(recover())
		}
	}()
	f()
	return true
}

// Crashed is the reason of a callback that panicked with v, or, where v is nil, called
// runtime.Goexit.
func Crashed(v any) Reason {
	r := Reason{Kind: Crash, Class: ClassThrow, Value: v}
	switch v.(type) {
	case nil:
		r.Class = ClassExit
	case error:
		r.Class = ClassError
	}
	return r
}

// crashError is what is logged of a crash in what. It is to be called where the crash was caught.
func crashError(what string, v any) error {
	if v == nil {
		return fmt.Errorf("%s called runtime.Goexit\n%s", what, debug.Stack())
	}
	return fmt.Errorf("%s panicked: %v\n%s", what, v, debug.Stack())
}

// crashedRequest answers a request, if nothing has, whose handler crashed in what.
// http.ErrAbortHandler goes on to net/http.
func crashedRequest(w *Watcher, r *http.Request, what string, v any) {
	switch v {
	case http.ErrAbortHandler:
		panic(v)
	case nil:
		lostRequest(w, r, what)
	default:
		fault(w, r, crashError(what, v))
	}
}

// lostRequest answers a request whose goroutine ends, by runtime.Goexit in what. Nobody ends the
// answer any more: it has to be whole, and to leave now. It comes once for each function on the
// goroutine's way out that guards it.
func lostRequest(w *Watcher, r *http.Request, what string) {
	if w.lost.Swap(true) {
		return
	}
	defer logf(r, "upgrade: %s %s: %v", r.Method, r.URL.Path, crashError(what, nil))
	if !w.Answered() {
		const text = "Internal Server Error\n"
		h := w.Header()
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Content-Length", strconv.Itoa(len(text)))
		if r.ProtoMajor == 1 {
			h.Set("Connection", "close")
		}
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.WriteString(text)
	}
	w.flush()
}

// Filtered is the PartialRequest of r, which asks to be taken over through w: that of Partial, as
// opts changed it, if they are a Filter. It comes before anything has been taken over, so a filter
// that panics costs the request alone: that is the error. One that calls runtime.Goexit has the
// request answered with 500.
func Filtered(w http.ResponseWriter, r *http.Request, opts any) (p *PartialRequest, err error) {
	p = Partial(r, infoOf(w, r))
	if f := filterOf(opts); f != nil {
		guard(func() { f.FilterRequest(r, p) }, func(v any) {
			err = crashError("ReqFilter", v)
			if v == nil {
				lostRequest(watch(w), r, "ReqFilter")
			}
		})
	}
	return p, err
}

// infoOf is what is known of the stream that r will be.
func infoOf(w http.ResponseWriter, r *http.Request) stream.Info {
	if o := behind(w).opener; o != nil {
		if i, ok := o.(interface{ StreamInfo() stream.Info }); ok {
			return i.StreamInfo()
		}
	}
	return stream.Info{TLS: r.TLS}
}

// end tells a handler, whose request has been answered, why. A filter that crashes is logged, and
// the handler gets what it would without it.
func end(w http.ResponseWriter, r *http.Request, reason Reason, sw *Switch) {
	req := Partial(r, infoOf(w, r))
	whole := *req
	defer tell(r, reason, req, sw)
	if f := filterOf(sw.Options); f != nil {
		guard(func() { f.FilterRequest(r, req) }, func(v any) {
			*req = whole
			logf(r, "upgrade: %s %s: %v", r.Method, r.URL.Path, crashError("ReqFilter", v))
		})
	}
}

// tell tells the handler of a Switch whose protocol never had the request.
func tell(r *http.Request, reason Reason, req *PartialRequest, sw *Switch) {
	e, ok := sw.Protocol.(Ender)
	if !ok {
		terminate(r, reason, req, sw.Handler)
		return
	}
	guard(func() { e.End(reason, req, sw.Handler) }, func(v any) {
		logf(r, "upgrade: %v", crashError("Terminate", v))
	})
}

// checkTerminate says what is wrong with a handler: it has a Terminate that nobody would call.
func checkTerminate(handler any) error {
	if _, ok := handler.(Terminator); ok {
		return nil
	}
	if m, ok := reflect.TypeOf(handler).MethodByName("Terminate"); ok {
		return fmt.Errorf("upgrade: Terminate of a %T is a %s, not that of upgrade.Terminator", handler, m.Type)
	}
	return nil
}

// Terminate tells a handler why what it handled has ended, if it wants to know (Cowboy:
// cowboy_handler:terminate/4). It catches a panic there, and logs it.
func Terminate(reason Reason, req *PartialRequest, handler any) {
	terminate(nil, reason, req, handler)
}

// terminate is Terminate for a handler of r's, which may be nil.
func terminate(r *http.Request, reason Reason, req *PartialRequest, handler any) {
	t, ok := handler.(Terminator)
	if !ok {
		return
	}
	guard(func() { t.Terminate(reason, req) }, func(v any) {
		logf(r, "upgrade: %v", crashError("Terminate", v))
	})
}

// logf reports a fault of the set-up where net/http reports its own: to the server's ErrorLog. What
// it writes to is a user's, and so are the values: a crash there costs the line.
func logf(r *http.Request, format string, args ...any) {
	guard(func() {
		if r != nil {
			if srv, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && srv.ErrorLog != nil {
				srv.ErrorLog.Printf(format, args...)
				return
			}
		}
		log.Printf(format, args...)
	}, func(any) {})
}
