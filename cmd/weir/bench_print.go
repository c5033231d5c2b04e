package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"weir/internal/reach"
	"weir/interop/load"
)

// benchResult is what a run of `weir bench` tells.
type benchResult struct {
	*load.Report
	config  *benchConfig
	started time.Time
	limits  []limitResult
}

// headline says what was measured.
func (r *benchResult) headline() string {
	c := &r.config.load
	words := []string{"HTTP/" + r.config.http}
	if c.HTTP2 || c.HTTP3 {
		words = append(words, fmt.Sprintf("%s with %s each", count(c.Connections, "connection"), count(c.Streams, "WebSocket")))
	} else {
		words = append(words, count(c.Connections, "connection"))
	}
	kind := "text"
	if c.Binary {
		kind = "binary"
	}
	if c.Mode != load.Idle {
		words = append(words, fmt.Sprintf("%s of %d octets (%s)", kind, r.config.size, r.config.content))
	}
	if r.Extensions != "" {
		words = append(words, r.Extensions)
	}
	switch {
	case c.Mode == load.Idle:
		words = append(words, "idle")
	case c.Mode == load.Broadcast && c.Rate == 0:
		words = append(words, fmt.Sprintf("broadcast, %d in flight", max(1, c.InFlight)))
	case c.Mode == load.Broadcast:
		words = append(words, fmt.Sprintf("broadcast, %g a second", c.Rate))
	case c.Rate > 0:
		words = append(words, fmt.Sprintf("open loop, %g a second", c.Rate))
	default:
		words = append(words, fmt.Sprintf("%d in flight on each", max(1, c.InFlight)))
	}
	if c.SlowReaders > 0 {
		words = append(words, count(c.SlowReaders, "slow reader"))
	}
	return strings.Join(words, ", ")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// span is a time in microseconds, for people.
func span(us float64) string {
	switch {
	case us < 1000:
		return fmt.Sprintf("%.0f µs", us)
	case us < 1e4:
		return fmt.Sprintf("%.2f ms", us/1e3)
	case us < 1e6:
		return fmt.Sprintf("%.0f ms", us/1e3)
	}
	return fmt.Sprintf("%.2f s", us/1e6)
}

// sizeWords is a size, for people.
func sizeWords(n float64) string {
	switch a := max(n, -n); {
	case a < 10<<10:
		return fmt.Sprintf("%.0f octets", n)
	case a < 10<<20:
		return fmt.Sprintf("%.1f KiB", n/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", n/(1<<20))
}

// rows are the result as names and values.
func (r *benchResult) rows() [][2]string {
	var rows [][2]string
	row := func(name, format string, args ...any) {
		rows = append(rows, [2]string{name, fmt.Sprintf(format, args...)})
	}
	c := &r.config.load
	what := "messages"
	if c.Mode == load.Broadcast {
		what = "deliveries"
	}
	if c.Mode != load.Idle {
		row(what, "%d in %.2f s: %.0f a second, %s a second each way", r.Messages, r.Seconds, r.PerSecond, sizeWords(float64(r.Octets)/max(r.Seconds, 1e-9)))
		row("latency", "%s", spans(&r.Latency))
	}
	if c.Rate > 0 {
		row("sent late by", "%s", spans(&r.Lag))
	}
	if c.Compress {
		row("compressed", "an answer had %.0f octets of %d on average, a message sent %.0f", r.Answer, r.config.size, r.Request)
	}
	row("handshake", "%s", spans(&r.Handshake))
	row("WebSockets", "%d opened in %.2f s, %d lost", r.Opened, r.OpenSeconds, r.Lost)
	if s := r.Server; s != nil {
		if c.Mode != load.Idle {
			row("server CPU", "%.2f s (user %.2f, system %.2f): %.2f µs a message, %.0f %% of one processor", s.CPU.Total, s.CPU.User, s.CPU.System, s.PerMessage, 100*s.CPU.Total/max(r.Seconds, 1e-9))
		}
		row("server memory", "RSS %s, before %s: %s a WebSocket", sizeWords(float64(s.After.RSS)), sizeWords(float64(s.Before.RSS)), sizeWords(s.PerSocketRSS))
		row("", "PSS %s, before %s: %s a WebSocket", sizeWords(float64(s.After.PSS)), sizeWords(float64(s.Before.PSS)), sizeWords(s.PerSocketPSS))
	}
	if r.Client > 0 && r.Messages > 0 && c.Mode != load.Idle {
		row("client CPU", "%.2f s: %.2f µs a message", r.Client, r.Client*1e6/float64(r.Messages))
	}
	if q := r.QUIC; q != nil {
		row("packets", "%d sent, %d received, %d lost (%s sent again)", q.Sent, q.Received, q.Lost, sizeWords(float64(q.LostOctets)))
	}
	name := "errors"
	for _, e := range slices.Sorted(maps.Keys(r.Errors)) {
		row(name, "%d × %s", r.Errors[e], reach.Line(e))
		name = ""
	}
	if len(r.Errors) == 0 {
		row("errors", "none")
	}
	name = "limits"
	for _, l := range r.limits {
		word := "kept: "
		if !l.OK {
			word = "MISSED: "
		}
		row(name, "%s", word+l.String())
		name = ""
	}
	if r.Interrupted {
		row("interrupted", "the figures are of a part")
	}
	return rows
}

func spans(l *load.Latency) string {
	if l.Count == 0 {
		return "none"
	}
	return fmt.Sprintf("p50 %s, p90 %s, p99 %s, p99.9 %s, max %s", span(l.P50), span(l.P90), span(l.P99), span(l.P999), span(l.Max))
}

// writeTable is the result for people.
func (r *benchResult) writeTable(w io.Writer) error {
	fmt.Fprintf(w, "%s\n%s\n\n", reach.RedactURL(r.config.url), r.headline())
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, row := range r.rows() {
		fmt.Fprintf(t, "%s\t%s\n", row[0], row[1])
	}
	return t.Flush()
}

// The result as JSON. Times are in microseconds (_us) or seconds (_s), sizes in octets.
type (
	benchJSON struct {
		Time        string           `json:"time"`
		URL         string           `json:"url"`
		HTTPVersion string           `json:"http_version"`
		Mode        string           `json:"mode"`
		Connections int              `json:"connections"`
		Streams     int              `json:"streams"`
		InFlight    int              `json:"in_flight"`
		Rate        float64          `json:"rate"`
		SlowReaders int              `json:"slow_readers"`
		Type        string           `json:"type"`
		Size        int              `json:"size"`
		Content     string           `json:"content"`
		Extensions  string           `json:"extensions"`
		Opened      int              `json:"opened"`
		Lost        int              `json:"lost"`
		OpenS       float64          `json:"open_s"`
		DurationS   float64          `json:"duration_s"`
		Messages    int64            `json:"messages"`
		PerSecond   float64          `json:"messages_per_second"`
		AnswerSize  float64          `json:"answer_wire_size"`
		Latency     benchLatency     `json:"latency_us"`
		Handshake   benchLatency     `json:"handshake_us"`
		Lag         *benchLatency    `json:"generator_lag_us,omitempty"`
		Series      benchSeries      `json:"series"`
		Server      *benchServer     `json:"server,omitempty"`
		ClientCPU   float64          `json:"client_cpu_s"`
		QUIC        *benchQUIC       `json:"quic,omitempty"`
		Errors      map[string]int64 `json:"errors"`
		Failed      int64            `json:"failed"`
		Limits      []limitResult    `json:"limits"`
		Interrupted bool             `json:"interrupted"`
	}
	benchLatency struct {
		Count  int64   `json:"count"`
		Min    float64 `json:"min"`
		Mean   float64 `json:"mean"`
		Stddev float64 `json:"stddev"`
		P50    float64 `json:"p50"`
		P90    float64 `json:"p90"`
		P99    float64 `json:"p99"`
		P999   float64 `json:"p99_9"`
		Max    float64 `json:"max"`
	}
	benchSeries struct {
		SliceS   float64 `json:"slice_s"`
		Messages []int64 `json:"messages"`
	}
	benchQUIC struct {
		Sent       uint64 `json:"packets_sent"`
		Received   uint64 `json:"packets_received"`
		Lost       uint64 `json:"packets_lost"`
		LostOctets uint64 `json:"octets_sent_again"`
	}
	benchServer struct {
		Pid          int     `json:"pid"`
		CPU          float64 `json:"cpu_s"`
		User         float64 `json:"cpu_user_s"`
		System       float64 `json:"cpu_system_s"`
		PerMessage   float64 `json:"cpu_per_message_us"`
		RSSBefore    int64   `json:"rss_before"`
		RSS          int64   `json:"rss"`
		PSSBefore    int64   `json:"pss_before"`
		PSS          int64   `json:"pss"`
		PerSocketRSS float64 `json:"rss_per_websocket"`
		PerSocketPSS float64 `json:"pss_per_websocket"`
	}
)

func latencyJSON(l *load.Latency) benchLatency {
	return benchLatency{l.Count, l.Min, l.Mean, l.Dev, l.P50, l.P90, l.P99, l.P999, l.Max}
}

var benchModes = map[load.Mode]string{load.Echo: "echo", load.Broadcast: "broadcast", load.Idle: "idle"}

func (r *benchResult) writeJSON(w io.Writer) error {
	c := &r.config.load
	j := benchJSON{Time: r.started.UTC().Format(time.RFC3339Nano), URL: reach.RedactURL(r.config.url), HTTPVersion: r.config.http, Mode: benchModes[c.Mode], Connections: c.Connections,
		Streams: c.Streams, InFlight: c.InFlight, Rate: c.Rate, SlowReaders: c.SlowReaders, Type: "text", Size: int(r.config.size), Content: r.config.content,
		Extensions: r.Extensions, Opened: r.Opened, Lost: r.Lost, OpenS: r.OpenSeconds, DurationS: r.Seconds, Messages: r.Messages, PerSecond: r.PerSecond,
		AnswerSize: r.Answer, Latency: latencyJSON(&r.Latency), Handshake: latencyJSON(&r.Handshake), Series: benchSeries{r.Slice.Seconds(), r.Series},
		ClientCPU: r.Client, Errors: r.Errors, Failed: r.Failed, Limits: r.limits, Interrupted: r.Interrupted}
	if c.Rate == 0 {
		j.InFlight = max(1, j.InFlight)
	} else {
		lag := latencyJSON(&r.Lag)
		j.Lag = &lag
	}
	if c.Binary {
		j.Type = "binary"
	}
	if j.Series.Messages == nil {
		j.Series.Messages = []int64{}
	}
	if q := r.QUIC; q != nil {
		j.QUIC = (*benchQUIC)(q)
	}
	if s := r.Server; s != nil {
		j.Server = &benchServer{s.Pid, s.CPU.Total, s.CPU.User, s.CPU.System, s.PerMessage, s.Before.RSS, s.After.RSS, s.Before.PSS, s.After.PSS, s.PerSocketRSS, s.PerSocketPSS}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(&j)
}
