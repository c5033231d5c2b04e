package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// peer is one server, reached by one version of HTTP.
type peer struct {
	name    string
	version string
	suite   int
	start   func(s *stage, o *options) (url string, err error)
}

// peers are those of the matrix. The libraries run over weir's HTTP/2, too, by their handlers for
// HTTP/1.1, which hijack.
var peers = []peer{
	{"gorilla", "1.1", catalogue, library("gorilla")},
	{"gorilla", "2", catalogue, library("gorilla")},
	{"coder", "1.1", catalogue, library("coder")},
	{"coder", "2", catalogue, library("coder")},
	{"gws", "1.1", catalogue, library("gws")},
	{"gws", "2", catalogue, library("gws")},
	{"gobwas", "1.1", catalogue, library("gobwas")},
	{"gobwas", "2", catalogue, library("gobwas")},
	{"Node ws", "1.1", catalogue, nodeWS},
	{"gorilla", "2", overHTTP2, library("gorilla")},
	{"net/http", "2", overHTTP2, netHTTP},
	{"Node http2", "2", overHTTP2, nodeHTTP2},
	{"HAProxy", "2", overHTTP2, behind(haproxy)},
	{"nghttpx", "2", overHTTP2, behind(nghttpx)},
}

// The suites, as the report has them.
const (
	catalogue = iota // Autobahn's
	overHTTP2        // RFC 8441
)

func library(name string) func(*stage, *options) (string, error) {
	return func(s *stage, _ *options) (string, error) {
		addr, err := s.server(name)
		return "ws://" + addr + "/", err
	}
}

func nodeWS(s *stage, o *options) (string, error) {
	if o.ws == "" {
		return "", errors.New("-ws does not say where it is")
	}
	module, err := filepath.Abs(filepath.Join(o.ws, "wrapper.mjs"))
	if err != nil {
		return "", err
	}
	addr, err := s.line(nil, "node", "ws_server.mjs", module)
	return "ws://" + addr + "/", err
}

// netHTTP is net/http's own HTTP/2, whose extended CONNECT is behind an environment variable.
func netHTTP(s *stage, _ *options) (string, error) {
	addr, err := s.server("nethttp", "GODEBUG=http2xconnect=1")
	return "ws://" + addr + "/", err
}

// nodeHTTP2 is Node's http2 module with frames by hand, as people write them who want no more than
// an echo.
func nodeHTTP2(s *stage, _ *options) (string, error) {
	url, err := s.line(nil, "node", "node_server.mjs", "connect")
	return url + "/echo", err
}

// behind is a proxy that turns extended CONNECT into an Upgrade, in front of gorilla/websocket.
func behind(proxy func(s *stage, backend string) (string, error)) func(*stage, *options) (string, error) {
	return func(s *stage, _ *options) (string, error) {
		backend, err := s.server("gorilla")
		if err != nil {
			return "", err
		}
		addr, err := proxy(s, backend)
		return "ws://" + addr + "/", err
	}
}

func haproxy(s *stage, backend string) (string, error) {
	return s.proxy("haproxy", func(addr, file string) ([]string, error) {
		config := fmt.Sprintf(`defaults
	mode http
	timeout connect 10s
	timeout client 60s
	timeout server 60s
	timeout tunnel 60s
frontend clients
	bind %s
	default_backend server
backend server
	server server %s
`, addr, backend)
		return []string{"-db", "-f", file}, os.WriteFile(file, []byte(config), 0o600)
	})
}

func nghttpx(s *stage, backend string) (string, error) {
	comma := func(addr string) string { return strings.Replace(addr, ":", ",", 1) }
	return s.proxy("nghttpx", func(addr, _ string) ([]string, error) {
		return []string{"--conf=/dev/null", "--workers=1", "--log-level=ERROR", "--backend=" + comma(backend), "--frontend=" + comma(addr) + ";no-tls"}, nil
	})
}
