package websocket

import (
	"log"
	"net/http"

	"weir/upgrade"
	"weir/wsframe/deflate"
)

// Handle makes an http.Handler of init, Cowboy's init/2: it looks at the request and names the handler of its session,
// with options (nil: the defaults); or it answers through w and names none. Fields that init sets on w's header go out
// with the 101 or 200. After init the handshake is checked, and one that fails is answered as RFC 6455, 4.2 and
// RFC 8441 ask; its handler never hears of it.
//
// Handle returns once the stream is open: the session lives on, w and r are not to be used any more, and r's context
// ends. On HTTP/1.1 the request is a GET, on HTTP/2 a CONNECT: a ServeMux pattern for it must not name a method.
func Handle(init func(w http.ResponseWriter, r *http.Request) (Handler, *Options)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve(init, w, r) })
}

func serve(init func(http.ResponseWriter, *http.Request) (Handler, *Options), w http.ResponseWriter, r *http.Request) {
	watched := upgrade.Watch(w)
	h, given := init(watched, r)
	opt := Options{}
	if given != nil {
		opt = *given
	}
	switch {
	case watched.Answered():
		if t, ok := h.(Terminator); ok {
			t.Terminate(Reason{Kind: ReasonNormal}, partial(r, &opt, nil))
		}
		return
	case h == nil:
		logf(r, "websocket: init named no handler for %s and wrote no answer", r.URL.Path)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	hs, err := upgrade.WebSocket(r, &upgrade.WebSocketConfig{Origins: opt.Origins, Subprotocols: opt.Subprotocols})
	if err != nil {
		upgrade.Refuse(w, err)
		return
	}
	header := w.Header()
	hs.Header(header)
	params, agreed := agree(hs, &opt, header)
	st, err := upgrade.Accept(w, r, header)
	if err != nil {
		logf(r, "websocket: %s: %v", r.URL.Path, err)
		upgrade.Refuse(w, err)
		return
	}
	if opt.Group == nil {
		opt.Group, _ = r.Context().Value(groupKey{}).(*Group)
	}
	info := st.Info()
	s := newSession(st, h, &opt, partial(r, &opt, &info), header)
	if agreed {
		s.m.compress(&opt, params)
	}
	s.begin()
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
		if p, answer, ok := deflate.Negotiate(&o.Deflate, e.Params); ok {
			header.Set("Sec-Websocket-Extensions", answer)
			return p, true
		}
	}
	return p, false
}

// logf reports a fault of the set-up where net/http reports its own: to the server's ErrorLog.
func logf(r *http.Request, format string, args ...any) {
	if srv, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && srv.ErrorLog != nil {
		srv.ErrorLog.Printf(format, args...)
		return
	}
	log.Printf(format, args...)
}
