// Command servers is echo servers by other people's libraries, for conformance runs: one server a process.
//
//	go run ./servers gorilla
//
// It prints the address it listens on, serves HTTP/1.1 and HTTP/2 with prior knowledge, in cleartext, and offers
// permessage-deflate where the library has it. The HTTP/2 is weir's, which gives the handlers what they hijack; that of
// nethttp is net/http's own. Every library is set up to check what it can check.
package main

import (
	"fmt"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"

	weir "weir/websocket"
)

// limit is the largest message, in octets; Autobahn's largest has 16 MiB.
const limit = 32 << 20

// serve is a library's server on a listener. It returns only with an error.
type serve func(net.Listener) error

var servers = map[string]serve{
	"coder":   handler(coderEcho),
	"gobwas":  handler(gobwasEcho),
	"gorilla": handler(gorillaEcho),
	"gws":     handler(gwsEcho()),
	"nethttp": netHTTP,
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 || servers[os.Args[1]] == nil {
		log.Fatalf("servers NAME: one of %s", strings.Join(slices.Sorted(maps.Keys(servers)), ", "))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(l.Addr())
	log.Fatal(servers[os.Args[1]](l))
}

func handler(h http.HandlerFunc) serve {
	return func(l net.Listener) error {
		srv := &http.Server{Handler: h}
		if _, err := weir.ConfigureServer(srv, nil); err != nil {
			return err
		}
		return srv.Serve(l)
	}
}
