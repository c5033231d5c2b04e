package main

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"weir/stream"
	"weir/websocket"
)

// metrics are what GET /metrics tells. A message costs two atomic additions.
type metrics struct {
	registry   *prometheus.Registry
	open       *prometheus.GaugeVec   // transport
	handshakes *prometheus.CounterVec // transport, result
	ends       *prometheus.CounterVec // reason
	closes     *prometheus.CounterVec // dir, code
	slow       prometheus.Counter
	queued     prometheus.Gauge

	in, out direction
}

// direction is what one side has sent.
type direction struct{ text, binary, bytes prometheus.Counter }

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	m.open = gauges("sockets_open", "WebSockets that are open.", "transport")
	m.handshakes = counters("handshakes_total", "Requests on WebSocket routes; result is ok, or the status of the refusal.", "transport", "result")
	m.ends = counters("terminate_total", "WebSockets that have ended, by reason.", "reason")
	m.closes = counters("close_total", "Close frames, by code; private codes by their thousand.", "dir", "code")
	m.slow = prometheus.NewCounter(named("slow_consumers_total", "Members of rooms that were cut, because they did not read."))
	m.queued = prometheus.NewGauge(prometheus.GaugeOpts(named("write_queue_sockets", "WebSockets with octets that wait for their peer.")))
	messages := counters("messages_total", "Text and binary messages.", "dir", "type")
	bytes := counters("bytes_total", "Octets of their payloads, uncompressed.", "dir")
	for dir, d := range map[string]*direction{"in": &m.in, "out": &m.out} {
		*d = direction{messages.WithLabelValues(dir, "text"), messages.WithLabelValues(dir, "binary"), bytes.WithLabelValues(dir)}
	}
	for _, t := range []stream.Transport{stream.H1, stream.H1TLS, stream.H2C, stream.H2, stream.H3} {
		m.open.WithLabelValues(string(t))
	}
	m.registry.MustRegister(m.open, m.handshakes, m.ends, m.closes, m.slow, m.queued, messages, bytes,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func named(name, help string) prometheus.CounterOpts {
	return prometheus.CounterOpts{Namespace: "weir", Name: name, Help: help}
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(named(name, help), labels)
}

func gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts(named(name, help)), labels)
}

// handler is GET /metrics.
func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// handshake counts what becomes of the requests to next.
func (m *metrics) handshake(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sw := &statusWriter{ResponseWriter: w}
		next.ServeHTTP(sw, r)
		result := "ok" // an opened stream is answered past w
		if sw.status != 0 {
			result = strconv.Itoa(sw.status)
		}
		m.handshakes.WithLabelValues(string(transportOf(r)), result).Inc()
	})
}

// statusWriter notes the status of an ordinary answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the first final status.
func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write answers 200 where nothing else was said.
func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController, and for the opening handshake.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func transportOf(r *http.Request) stream.Transport {
	switch {
	case r.ProtoMajor == 3:
		return stream.H3
	case r.ProtoMajor == 2 && r.TLS != nil:
		return stream.H2
	case r.ProtoMajor == 2:
		return stream.H2C
	case r.TLS != nil:
		return stream.H1TLS
	}
	return stream.H1
}

// socketMetrics follows one session. Its trace runs on the session's goroutine.
type socketMetrics struct {
	*metrics
	queues bool // octets wait for the peer
	ended  bool
}

func (s *socketMetrics) trace(e websocket.Event) {
	switch e.Kind {
	case websocket.EventOpen:
		s.open.WithLabelValues(string(e.Session.StreamInfo().Transport)).Inc()
	case websocket.EventMessage:
		d := &s.in
		if e.Sent {
			d = &s.out
		}
		if e.Type == websocket.TextFrame {
			d.text.Inc()
		} else {
			d.binary.Inc()
		}
		d.bytes.Add(float64(e.Bytes))
	case websocket.EventQueue:
		s.queue(e.Bytes > 0)
	case websocket.EventClose:
		dir := "in"
		if e.Sent {
			dir = "out"
		}
		s.closes.WithLabelValues(dir, codeLabel(e.Code)).Inc()
	case websocket.EventTerminate:
		s.queue(false)
		s.ended = true
		s.open.WithLabelValues(string(e.Session.StreamInfo().Transport)).Dec()
		s.ends.WithLabelValues(e.Reason.String()).Inc()
	}
}

func (s *socketMetrics) queue(waits bool) {
	switch {
	case s.ended: // what still waits is a close frame
		return
	case waits && !s.queues:
		s.queued.Inc()
	case !waits && s.queues:
		s.queued.Dec()
	}
	s.queues = waits
}

// codeLabel keeps the number of labels small: a peer may choose among two thousand private codes.
func codeLabel(c websocket.CloseCode) string {
	switch {
	case c == 0:
		return "none"
	case c >= 4000:
		return "4xxx"
	case c >= 3000:
		return "3xxx"
	}
	return strconv.Itoa(int(c))
}
