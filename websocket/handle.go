package websocket

import (
	"fmt"
	"net/http"

	"weir/stream"
	"weir/upgrade"
	"weir/websocket/internal/hook"
	"weir/wsframe/deflate"
)

// Handle makes an http.Handler of init, Cowboy's init/2: it looks at the request and names the
// handler of its session, with options (nil: the defaults); or it answers through w and names none.
// Fields that init sets on w's header go out with the 101 or 200. After init the handshake is
// checked, and one that fails is answered as RFC 6455, 4.2 and RFC 8441 ask; its handler never
// hears of it.
//
// Handle returns once the stream is open: the session lives on, w and r are not to be used any
// more, and r's context ends. The request is a GET on every version of HTTP, see upgrade.Token, so
// a ServeMux pattern may name that method.
//
// It is upgrade.Handle for routes that know no other protocol than this one.
func Handle(init func(w http.ResponseWriter, r *http.Request) (Handler, *Options)) http.Handler {
	return upgrade.Handle(func(w http.ResponseWriter, r *http.Request) (*upgrade.Switch, error) {
		h, o := init(w, r)
		if h == nil {
			return nil, nil
		}
		return Switch(h, o), nil
	})
}

// Switch is what an init of upgrade.Handle returns for a WebSocket. o may be nil.
func Switch(h Handler, o *Options) *upgrade.Switch {
	sw := &upgrade.Switch{Protocol: Protocol, Handler: h}
	if o != nil {
		sw.Options = o
	}
	return sw
}

// Protocol is WebSocket as a sub protocol for upgrade.Handle. Its handlers are of type Handler, its
// options *Options or Options: Switch makes one of them.
var Protocol upgrade.Protocol = protocol{}

// noOptions are the defaults.
var noOptions Options

// protocol can be compared: who wraps an init may ask what it has switched to.
type protocol struct {
	conn *Conn // of Accept, to be told its session; nil: there is none
}

func (p protocol) Upgrade(w http.ResponseWriter, r *http.Request, handler, opts any) error {
	h, ok := handler.(Handler)
	if !ok {
		return fmt.Errorf("websocket: a %T is no websocket.Handler", handler)
	}
	if err := checkHandler(h); err != nil {
		return err
	}
	o, err := upgrade.OptionsOf[Options](opts)
	if err != nil {
		return err
	}
	if err := upgrade.Unanswered(w); err != nil {
		return err
	}
	if o == nil {
		o = &noOptions
	}
	if hk := hook.From(r.Context()); hk != nil {
		h, o = observed(hk, h, o)
	}
	if err := o.Deflate.Check(); err != nil {
		return err
	}
	hs, err := upgrade.WebSocket(r, o.handshake())
	if err != nil {
		return err
	}
	// What calls a user's code comes before Accept: then nothing has been taken over yet.
	req, err := upgrade.Filtered(w, r, o)
	if err != nil {
		return err
	}
	g := o.Group
	if g == nil {
		g, _ = r.Context().Value(groupKey{}).(*Group)
	}
	header := w.Header().Clone()
	hs.Header(header)
	params, agreed := agree(hs, o, header)
	st, err := upgrade.Accept(w, r, header)
	if err != nil {
		return err
	}
	begun := false
	defer func() { // the addresses of a net.Conn are a user's code, too
		if !begun {
			st.Reset(stream.InternalError)
		}
	}()
	s := newSession(st, h, o, g, (*PartialRequest)(req), header)
	if agreed {
		s.m.compress(o, params)
	}
	if p.conn != nil {
		p.conn.s = s
	}
	s.begin()
	begun = true
	return nil
}

// observed is what runs in the place of h and o in a test of websockettest.
func observed(hk *hook.Hook, h Handler, o *Options) (Handler, *Options) {
	if _, isConn := h.(*connHandler); !isConn {
		h = hk.Handler(h).(Handler)
	}
	return h, hk.Options(o).(*Options)
}

// End implements upgrade.Ender: init has answered the request itself, or it crashed.
func (protocol) End(reason upgrade.Reason, req *upgrade.PartialRequest, handler any) {
	if t, ok := handler.(Terminator); ok {
		t.Terminate(reasonOf(reason), (*PartialRequest)(req))
	}
}

// agree takes the first offer of permessage-deflate that is acceptable (RFC 7692, 5).
func agree(hs *upgrade.Handshake, o *Options, header http.Header) (p deflate.Params, ok bool) {
	if !o.Compress {
		return p, false
	}
	for _, e := range hs.Extensions {
		if e.Name != deflate.Name {
			continue
		}
		if p, answer, ok := deflate.Negotiate(o.Deflate.codec(), deflateParams(e)); ok {
			header.Set("Sec-Websocket-Extensions", answer)
			return p, true
		}
	}
	return p, false
}

// deflateParams are the parameters of e as the codec knows them.
func deflateParams(e upgrade.Extension) []deflate.Param {
	list := make([]deflate.Param, len(e.Params))
	for i, p := range e.Params {
		list[i] = deflate.Param(p)
	}
	return list
}
