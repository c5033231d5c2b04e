package h2

import (
	"context"
	"log/slog"
	"time"
)

// Stats are the counts of a Server since it was made. It is a plain value: two can be compared, and
// printed.
type Stats struct {
	Conns, Streams, Tunnels                int    // now; a tunnel is an extended CONNECT that was answered 200, and a stream too
	ConnsTotal, StreamsTotal, TunnelsTotal uint64 // since the Server was made

	FramesIn, FramesOut   FrameCounts // out: as put together for the socket
	ResetsIn, ResetsOut   CodeCounts  // RST_STREAM
	GoAwaysIn, GoAwaysOut CodeCounts  // GOAWAY
	Limits                LimitCounts // how often each was run into

	ConnBlocked    time.Duration // sum over connections: octets waited and the connection's window was used up
	StreamsBlocked time.Duration // sum over streams: octets waited for the stream's window or the connection's
}

// FrameCounts are indexed by frame type (RFC 9113, 6); the last is all others.
type FrameCounts [frameTypes]uint64

// CodeCounts are indexed by Code; the last is all others.
type CodeCounts [codes]uint64

// LimitCounts are indexed by Limit.
type LimitCounts [limits]uint64

// Total is the sum over all types.
func (n FrameCounts) Total() uint64 { return sum(n[:]) }

// Total is the sum over all codes.
func (n CodeCounts) Total() uint64 { return sum(n[:]) }

// Total is the sum over all limits.
func (n LimitCounts) Total() uint64 { return sum(n[:]) }

func sum(ns []uint64) (total uint64) {
	for _, n := range ns {
		total += n
	}
	return total
}

// Stats sums up all connections, those that have gone too. It takes the lock of each for a moment.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.past
	for c := range s.conns {
		c.mu.Lock()
		st.add(&c.core.counts)
		st.Conns++
		st.Streams += len(c.core.streams)
		st.Tunnels += c.core.counts.tunnelsNow
		c.mu.Unlock()
	}
	return st
}

// gone adds a connection that has ended to the past; Server.mu is held.
func (s *Server) gone(c *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.past.add(&c.core.counts)
}

func (st *Stats) add(n *counts) {
	st.StreamsTotal += n.streams
	st.TunnelsTotal += n.tunnels
	addAll(st.FramesIn[:], n.in[:])
	addAll(st.FramesOut[:], n.out[:])
	st.ConnBlocked += n.connBlocked
	st.StreamsBlocked += n.streamsBlocked
	if r := n.rare; r != nil {
		addAll(st.ResetsIn[:], r.resetsIn[:])
		addAll(st.ResetsOut[:], r.resetsOut[:])
		addAll(st.GoAwaysIn[:], r.goAwaysIn[:])
		addAll(st.GoAwaysOut[:], r.goAwaysOut[:])
		addAll(st.Limits[:], r.limits[:])
	}
}

// tracer is what notes the frames of a connection, nil if nobody traces.
func (cfg *Config) tracer() *tracer {
	if t := cfg.Trace; t == nil || !t.Enabled(context.Background(), slog.LevelDebug) {
		return nil
	}
	return new(tracer)
}

func addAll(to, from []uint64) {
	for i, n := range from {
		to[i] += n
	}
}
