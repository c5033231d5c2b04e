package main

import (
	"crypto/tls"
	"encoding/json"
	"net/http"

	"weir/upgrade"
	"weir/websocket"
)

// requestReport is what /headers says of the request that opened it.
type requestReport struct {
	Method      string      `json:"method"`
	HTTPVersion string      `json:"http_version"`
	Protocol    string      `json:"protocol"` // the :protocol field, or the Upgrade field of HTTP/1.1
	Scheme      string      `json:"scheme"`
	Authority   string      `json:"authority"`
	Path        string      `json:"path"`
	Query       string      `json:"query"`
	Headers     http.Header `json:"headers"`
	RemoteAddr  string      `json:"remote_addr"`
	ClientIP    string      `json:"client_ip"`
	TLS         *tlsReport  `json:"tls"` // null in cleartext
	Subprotocol string      `json:"subprotocol"`
	Extensions  string      `json:"extensions"`
}

type tlsReport struct {
	Version    string `json:"version"`
	Cipher     string `json:"cipher"`
	ALPN       string `json:"alpn"`
	ServerName string `json:"server_name"`
}

type headers struct {
	discard
	report requestReport
}

// headersEndpoint answers with the request, then closes.
func (s *server) headersEndpoint(r *http.Request, _ *query) websocket.Handler {
	from := s.config.trusted.origin(r)
	h := &headers{report: requestReport{
		Method:     r.Method,
		Protocol:   r.Header.Get("Upgrade"),
		Scheme:     "http",
		Authority:  r.Host,
		Path:       r.URL.Path,
		Query:      r.URL.RawQuery,
		Headers:    r.Header.Clone(),
		RemoteAddr: r.RemoteAddr,
		ClientIP:   from.ip,
		TLS:        reportTLS(r.TLS),
	}}
	if r.TLS != nil {
		h.report.Scheme = "https"
	}
	if from.scheme != "" {
		h.report.Scheme = from.scheme
	}
	if from.host != "" {
		h.report.Authority = from.host
	}
	if token := upgrade.Token(r); token != "" { // what was on the wire
		h.report.Method, h.report.Protocol = http.MethodConnect, token
		for _, name := range []string{"Connection", "Upgrade", "Sec-Websocket-Key", ":protocol"} {
			delete(h.report.Headers, name)
		}
	}
	return h
}

func reportTLS(cs *tls.ConnectionState) *tlsReport {
	if cs == nil {
		return nil
	}
	return &tlsReport{
		Version:    tls.VersionName(cs.Version),
		Cipher:     tls.CipherSuiteName(cs.CipherSuite),
		ALPN:       cs.NegotiatedProtocol,
		ServerName: cs.ServerName,
	}
}

func (h *headers) Init(s *websocket.Session, out websocket.Commands) websocket.Commands {
	h.report.HTTPVersion = s.StreamInfo().Transport.HTTPVersion()
	h.report.Subprotocol = s.Subprotocol()
	h.report.Extensions = s.Extensions()
	text, err := json.Marshal(h.report)
	if err != nil {
		panic("weir: BUG: headers: " + err.Error())
	}
	return append(out, websocket.Text(text), websocket.Close(1000, ""))
}
