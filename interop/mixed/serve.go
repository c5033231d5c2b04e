package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"

	"weir/websocket"
)

// serveOn is a server until its standard input ends. It prints its address.
func serveOn(kind string, in io.Reader, out io.Writer) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	hs := &http.Server{Handler: handler()}
	switch kind {
	case "weir":
		if _, err := websocket.ConfigureServer(hs, nil); err != nil {
			return err
		}
	case "nethttp":
		hs.Protocols = new(http.Protocols)
		hs.Protocols.SetUnencryptedHTTP2(true)
	default:
		return fmt.Errorf("no server is called %q", kind)
	}
	fmt.Fprintln(out, l.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, in) // until it ends, however it does
		hs.Close()
	}()
	if err := hs.Serve(l); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// handler serves /ws and /echo, and downloads and uploads of a number of octets.
func handler() http.Handler {
	m := http.NewServeMux()
	m.Handle("/ws", websocket.Handle(func(http.ResponseWriter, *http.Request) (websocket.Handler, *websocket.Options) {
		return echo, nil
	}))
	m.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		_ = c.Flush()
		b := make([]byte, 4096)
		for {
			n, err := r.Body.Read(b)
			if n > 0 {
				if _, err := w.Write(b[:n]); err != nil {
					return
				}
				_ = c.Flush()
			}
			if err != nil {
				return
			}
		}
	})
	m.HandleFunc("/download/{n}", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.PathValue("n")) // 0 if it is none
		for b := make([]byte, 32<<10); n > 0; {
			k, err := w.Write(b[:min(n, len(b))])
			if err != nil {
				return
			}
			n -= k
		}
	})
	m.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		if n, err := io.Copy(io.Discard, r.Body); err == nil {
			fmt.Fprintln(w, n)
		}
	})
	return m
}

// echo sends every message back.
var echo = websocket.HandlerFunc(func(f websocket.Frame, out websocket.Commands) websocket.Commands {
	return append(out, f.Reply())
})
