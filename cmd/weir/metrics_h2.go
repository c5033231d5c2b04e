package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"weir/h2"
)

// frameTypes are the names of RFC 9113, 6, by number.
var frameTypes = [...]string{"DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY", "WINDOW_UPDATE", "CONTINUATION"}

// h2Metrics turns the counts of an HTTP/2 server into samples when somebody asks for them.
type h2Metrics struct{ stats func() h2.Stats }

// h2Desc describes one metric.
func h2Desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("weir_h2_"+name, help, labels, nil)
}

// Describe says nothing: which labels there are is known only when counting.
func (m h2Metrics) Describe(chan<- *prometheus.Desc) {}

// Collect tells what is not zero of the counts by type, code and limit, and the rest always.
func (m h2Metrics) Collect(out chan<- prometheus.Metric) {
	st := m.stats()
	now := func(name, help string, n int) {
		out <- prometheus.MustNewConstMetric(h2Desc(name, help), prometheus.GaugeValue, float64(n))
	}
	now("connections", "HTTP/2 connections.", st.Conns)
	now("streams", "Open streams, WebSockets among them.", st.Streams)
	now("tunnels", "Streams that are WebSockets.", st.Tunnels)

	counts := func(name, help string, label string, in, sent []uint64, value func(int) string) {
		d := h2Desc(name, help, "dir", label)
		for dir, ns := range map[string][]uint64{"in": in, "out": sent} {
			for i, n := range ns {
				if n > 0 {
					out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), dir, value(i))
				}
			}
		}
	}
	counts("frames_total", "Frames, by type.", "type", st.FramesIn[:], st.FramesOut[:], func(i int) string {
		if i < len(frameTypes) {
			return frameTypes[i]
		}
		return "other"
	})
	code := func(i int) string {
		if i == len(st.ResetsIn)-1 {
			return "other"
		}
		return h2.Code(i).String()
	}
	counts("resets_total", "RST_STREAM, by code.", "code", st.ResetsIn[:], st.ResetsOut[:], code)
	counts("goaways_total", "GOAWAY, by code.", "code", st.GoAwaysIn[:], st.GoAwaysOut[:], code)

	limits := h2Desc("limits_total", "Bounds that peers ran into.", "limit")
	for i, n := range st.Limits {
		if n > 0 {
			out <- prometheus.MustNewConstMetric(limits, prometheus.CounterValue, float64(n), h2.Limit(i).String())
		}
	}
	blocked := h2Desc("flow_blocked_seconds_total", "How long octets waited for a window.", "level")
	for level, d := range map[string]time.Duration{"connection": st.ConnBlocked, "stream": st.StreamsBlocked} {
		out <- prometheus.MustNewConstMetric(blocked, prometheus.CounterValue, d.Seconds(), level)
	}
}
