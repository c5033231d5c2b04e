package upgrade

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"reflect"

	"weir/stream"
)

// Protocol is a sub protocol: it takes a request over once init has switched to it (Cowboy guide,
// sub protocols). WebSocket is one; Loop and Tunnel are others; a program may have its own.
type Protocol interface {
	// Upgrade handles the request with a handler, whose type the protocol says, and options: nil if
	// init gave none (Cowboy's upgrade/4), else of the type that the protocol takes, as OptionsOf
	// gives it; any other type is an error, for it would say what nobody hears. The request's
	// context is the environment of the middlewares. When what it began has come to its end, at
	// whatever time, it calls Terminate, once. An error answers the request, if nothing has: a
	// *HandshakeError as it says, any other with 500, and it is logged; then the handler is not
	// told.
	Upgrade(w http.ResponseWriter, r *http.Request, handler, opts any) error
}

// Ender may be implemented by a Protocol whose handlers have no Terminator, but something of their
// own in its place.
type Ender interface {
	// End tells the handler of a Switch that the protocol will never have its request: init has
	// answered the request itself (Normal), or gave an error as well (Crash).
	End(reason Reason, req *PartialRequest, handler any)
}

// Switch says which protocol takes a request over, with which handler and options. LoopSwitch,
// Tunnel.Switch, ProtocolFunc.Switch and websocket.Switch make one whose types fit.
type Switch struct {
	Protocol Protocol // nil: init has answered the request itself, and the handler gets Terminate(normal)
	Handler  any      // of the type that the protocol takes
	Options  any      // likewise; nil: the defaults
}

// OptionsOf gives a protocol its options, of type T: opts is a T or a *T. It is nil where there are
// none, opts being nil or a nil *T. Another type is an error.
func OptionsOf[T any](opts any) (*T, error) {
	switch o := opts.(type) {
	case nil:
		return nil, nil
	case T:
		return &o, nil
	case *T:
		return o, nil
	}
	return nil, fmt.Errorf("upgrade: options are a %T, not a %T", opts, *new(T))
}

// Filter may be implemented by options: it changes p, the default, into what Terminate gets
// (Cowboy: req_filter).
type Filter interface {
	FilterRequest(r *http.Request, p *PartialRequest)
}

// Handle makes an http.Handler of init, Cowboy's init/2. It looks at the request and answers it
// through w, or switches to a protocol. Fields that it sets on w's header go out with the
// protocol's answer.
//
// If init answers and switches all the same, its answer stands, and the handler gets
// Terminate(normal). If it does neither, that is 500. An error is 500 if nothing was written, it is
// logged, and the handler of a Switch that came with it gets Terminate(crash). So is a panic or
// runtime.Goexit, but then there is no handler; http.ErrAbortHandler goes on to net/http.
func Handle(init func(w http.ResponseWriter, r *http.Request) (*Switch, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		watched := Watch(w)
		var sw *Switch
		var err error
		if !guard(func() { sw, err = init(watched, r) }, func(v any) { crashedRequest(watched, r, "init", v) }) {
			return
		}
		switch {
		case err != nil:
			fault(watched, r, err)
			if sw != nil {
				end(watched, r, Crashed(err), sw)
			}
		case watched.Answered():
			watched.boundBody(r)
			if sw != nil {
				end(watched, r, Reason{Kind: Normal}, sw)
			}
		case sw == nil || sw.Protocol == nil && sw.Handler == nil:
			fault(watched, r, errNothing)
		case sw.Protocol == nil: // an answer of status 200 without a body
			watched.boundBody(r)
			end(watched, r, Reason{Kind: Normal}, sw)
		default:
			guard(func() {
				if err := sw.Protocol.Upgrade(watched, r, sw.Handler, sw.Options); err != nil {
					fault(watched, r, err)
				}
			}, func(v any) { crashedRequest(watched, r, "Upgrade", v) })
		}
	})
}

var errNothing = errors.New("init named no handler and wrote no answer")

// fault answers a request that came to nothing, if nothing has, and logs what is not the client's
// fault.
func fault(w *Watcher, r *http.Request, err error) {
	he, refused := errors.AsType[*HandshakeError](err)
	if (!refused || he.Status == http.StatusInternalServerError) && !givenUp(r, err) {
		defer logf(r, "upgrade: %s %s: %v", r.Method, r.URL.Path, err)
	}
	if !w.Answered() {
		RefuseRequest(w, r, err)
	}
}

// givenUp says that the client gave the handshake up. Whoever does so again and again would fill
// the log.
func givenUp(r *http.Request, err error) bool {
	if reset, ok := errors.AsType[*stream.ResetError](err); ok && reset.Remote {
		return true
	}
	return r.Context().Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, net.ErrClosed))
}

// filterOf is the Filter that options are, nil if they are none.
func filterOf(opts any) Filter {
	if v := reflect.ValueOf(opts); v.Kind() == reflect.Pointer && v.IsNil() {
		return nil // no options
	}
	f, _ := opts.(Filter)
	return f
}
