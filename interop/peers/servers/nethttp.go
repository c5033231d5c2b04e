package main

import (
	"io"
	"net"
	"net/http"
	"strings"
)

// netHTTP is net/http's own HTTP/2, with frames by gobwas/ws. It speaks extended CONNECT only if it was started with
// GODEBUG=http2xconnect=1.
func netHTTP(l net.Listener) error {
	srv := &http.Server{Handler: http.HandlerFunc(netHTTPEcho), Protocols: new(http.Protocols)}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
	return srv.Serve(l)
}

func netHTTPEcho(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor < 2 {
		gobwasEcho(w, r)
		return
	}
	switch protocol := r.Header.Get(":protocol"); {
	case r.Method != http.MethodConnect:
		http.Error(w, "a WebSocket endpoint", http.StatusBadRequest)
		return
	case !strings.EqualFold(protocol, "websocket"):
		http.Error(w, "websocket is spoken here", http.StatusNotImplemented)
		return
	case r.Header.Get("Sec-Websocket-Version") != "13":
		w.Header().Set("Sec-Websocket-Version", "13")
		http.Error(w, "version 13", http.StatusBadRequest)
		return
	}
	control := http.NewResponseController(w)
	w.WriteHeader(http.StatusOK)
	if control.Flush() != nil {
		return
	}
	gobwasLoop(struct {
		io.Reader
		io.Writer
	}{r.Body, flushing{w, control}})
}

// flushing sends what is written at once: a frame's header and payload come in one Write or two.
type flushing struct {
	w       io.Writer
	control *http.ResponseController
}

func (f flushing) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	if err == nil {
		err = f.control.Flush()
	}
	return n, err
}
