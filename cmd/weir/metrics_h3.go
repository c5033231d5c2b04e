package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"weir/h3"
)

// h3Metrics turns the counts of an HTTP/3 server into samples when somebody asks for them.
type h3Metrics struct{ stats func() h3.Stats }

func h3Desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("weir_h3_"+name, help, labels, nil)
}

// Describe says nothing: which labels there are is known only when counting.
func (m h3Metrics) Describe(chan<- *prometheus.Desc) {}

// Collect tells what is not zero of the limits, and the rest always.
func (m h3Metrics) Collect(out chan<- prometheus.Metric) {
	st := m.stats()
	sample := func(name, help string, kind prometheus.ValueType, n float64) {
		out <- prometheus.MustNewConstMetric(h3Desc(name, help), kind, n)
	}
	now := func(name, help string, n int) { sample(name, help, prometheus.GaugeValue, float64(n)) }
	now("connections", "HTTP/3 connections.", st.Conns)
	now("handshakes", "Connections in their handshake.", st.Handshakes)
	now("streams", "Open requests, WebSockets among them.", st.Streams)
	now("tunnels", "Requests that are WebSockets.", st.Tunnels)
	total := func(name, help string, n uint64) {
		sample(name, help, prometheus.CounterValue, float64(n))
	}
	total("connections_total", "HTTP/3 connections so far.", st.ConnsTotal)
	total("streams_total", "Requests so far.", st.StreamsTotal)
	total("tunnels_total", "WebSockets so far.", st.TunnelsTotal)
	total("peer_resets_total", "Requests and WebSockets that their clients reset.", st.PeerResets)
	limits := h3Desc("limits_total", "Bounds that peers ran into.", "limit")
	for i, n := range st.Limits {
		if n > 0 {
			out <- prometheus.MustNewConstMetric(limits, prometheus.CounterValue, float64(n),
				h3.Limit(i).String())
		}
	}
}
