package load

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Report is what a measurement found. Times in it are in microseconds where the name says us.
type Report struct {
	Opened      int     // WebSockets that were opened
	Lost        int     // of those, the ones that did not last to the end
	OpenSeconds float64 // until all were open, or had failed
	Extensions  string  // agreed on by the first
	Interrupted bool

	Seconds   float64 // measured
	Messages  int64   // answers in that time; of Broadcast deliveries
	PerSecond float64
	Octets    int64   // of the messages, as they were before compression
	Answer    float64 // octets that the payload of an answer had on the wire, on average
	Request   float64 // octets of a frame that was sent, its header too, on average

	Latency   Latency // of the messages
	Handshake Latency // over HTTP/1.1 from connecting on, over HTTP/2 from the request on
	Lag       Latency // of an open loop: how late messages became due in the generator itself

	Slice  time.Duration // of the series
	Series []int64       // messages in each slice of the time

	Errors map[string]int64 // what went wrong, and how often
	Failed int64            // the sum

	Server *Server // nil without Config.Pid
	Client float64 // CPU seconds of this process, in the time measured
	QUIC   *QUIC   // nil: it was not over HTTP/3

	opening time.Duration
	server  struct {
		before, open, after Memory
		cpuBefore, cpuAfter CPU
	}
	client struct{ cpuBefore, cpuAfter float64 }
}

// Server is what the server's process used.
type Server struct {
	Pid           int
	CPU           CPU     // in the time measured
	PerMessage    float64 // CPU, us
	Before        Memory  // before the first connection
	Open          Memory  // when all WebSockets were open
	After         Memory  // at the end of the measurement, with all WebSockets open
	PerSocketRSS  float64 // octets; After less Before
	PerSocketPSS  float64
	MemorySockets int // how many WebSockets that is divided by
}

// CPU is processor time in seconds.
type CPU struct{ User, System, Total float64 }

// Memory of a process in octets: what is resident, and that with shared pages divided among those who share them.
type Memory struct{ RSS, PSS int64 }

// Latency is a distribution.
type Latency struct {
	Count                                    int64
	Min, Mean, P50, P90, P99, P999, Max, Dev float64 // us
	Curve                                    []Point // Percentile and latency, for a plot
}

// Point is one of a distribution.
type Point struct{ Percentile, Micros float64 }

func latency(h *hdrhistogram.Histogram) Latency {
	const us = 1e-3
	l := Latency{Count: h.TotalCount()}
	if l.Count == 0 {
		return l
	}
	at := func(p float64) float64 { return float64(h.ValueAtPercentile(p)) * us }
	l.Min, l.Mean, l.Max, l.Dev = float64(h.Min())*us, h.Mean()*us, float64(h.Max())*us, h.StdDev()*us
	l.P50, l.P90, l.P99, l.P999 = at(50), at(90), at(99), at(99.9)
	for _, p := range []float64{0, 10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 92.5, 95, 97, 98, 99, 99.5, 99.75, 99.9, 99.95, 99.99, 99.999, 100} {
		l.Curve = append(l.Curve, Point{p, at(p)})
	}
	return l
}

// report fills in what the engines have, once they are finished.
func (r *run) report(rep *Report) error {
	lat, hand, lag := histogram(), histogram(), histogram()
	var from, to int64 = 1 << 62, 0
	for _, e := range r.engines {
		lat.Merge(e.latency)
		hand.Merge(e.handshake)
		lag.Merge(e.lag)
		if e.measuring {
			from = min(from, e.measureFrom)
			end := e.measureTo
			if r.cfg.Messages > 0 {
				end = e.lastAnswer
			}
			to = max(to, end)
		}
		rep.Opened += e.everOpen
		rep.Lost += e.lost
	}
	rep.OpenSeconds = rep.opening.Seconds()
	if p := r.extensions.Load(); p != nil {
		rep.Extensions = *p
	}
	if to > from {
		rep.Seconds = float64(to-from) / 1e9
	}
	rep.Messages = r.sum(func(e *engine) int64 { return e.measured })
	if rep.Seconds > 0 {
		rep.PerSecond = float64(rep.Messages) / rep.Seconds
	}
	size := 0
	for _, m := range r.messages {
		size += len(m.plain)
	}
	rep.Octets = rep.Messages * int64(size) / int64(len(r.messages))
	if n := r.sum(func(e *engine) int64 { return e.answers }); n > 0 {
		rep.Answer = float64(r.sum(func(e *engine) int64 { return e.wireIn })) / float64(n)
	}
	if n := r.sum(func(e *engine) int64 { return e.written }); n > 0 {
		rep.Request = float64(r.sum(func(e *engine) int64 { return e.wireOut })) / float64(n)
	}
	rep.Latency, rep.Handshake, rep.Lag = latency(lat), latency(hand), latency(lag)
	rep.Slice, rep.Series = r.series()
	rep.Errors = r.errors()
	for _, n := range rep.Errors {
		rep.Failed += n
	}
	rep.Client = rep.client.cpuAfter - rep.client.cpuBefore
	if r.cfg.HTTP3 {
		rep.QUIC = new(QUIC)
		for _, e := range r.engines {
			rep.QUIC.Sent += e.quic.Sent
			rep.QUIC.Received += e.quic.Received
			rep.QUIC.Lost += e.quic.Lost
			rep.QUIC.LostOctets += e.quic.LostOctets
		}
	}
	if r.cfg.Pid != 0 {
		rep.Server = r.serverUse(rep)
	}
	return nil
}

func (r *run) serverUse(rep *Report) *Server {
	in := &rep.server
	s := &Server{Pid: r.cfg.Pid, Before: in.before, Open: in.open, After: in.after, MemorySockets: rep.Opened - rep.Lost}
	if in.cpuAfter.Total > 0 {
		s.CPU = CPU{in.cpuAfter.User - in.cpuBefore.User, in.cpuAfter.System - in.cpuBefore.System, in.cpuAfter.Total - in.cpuBefore.Total}
	}
	if rep.Messages > 0 {
		s.PerMessage = s.CPU.Total * 1e6 / float64(rep.Messages)
	}
	if s.MemorySockets > 0 && in.after.RSS > 0 {
		s.PerSocketRSS = float64(in.after.RSS-in.before.RSS) / float64(s.MemorySockets)
		s.PerSocketPSS = float64(in.after.PSS-in.before.PSS) / float64(s.MemorySockets)
	}
	return s
}
