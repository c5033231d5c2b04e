package main

import (
	"fmt"
	"strings"
	"time"

	"weir/interop/conform/report"
)

// progress is how far a run has come.
type progress struct {
	done, total, failed int
	elapsed             time.Duration
	over                string   // the transport
	running             []string // the cases under way, the oldest first
	color               bool
}

// barMost is how long the bar itself is where there is room.
const barMost = 30

// line is the progress on one line of less than width columns: a terminal that is written to its last column may go on to the
// next. What has no room is left out, from the end; the bar takes what is left over.
func (p *progress) line(width int) string {
	count := fmt.Sprintf("%d/%d", p.done, p.total)
	if p.total == 0 {
		count = fmt.Sprintf("%d done", p.done)
	}
	parts := []string{count}
	if p.failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", p.failed))
	}
	if p.done > 0 && p.done < p.total {
		left := p.elapsed / time.Duration(p.done) * time.Duration(p.total-p.done)
		parts = append(parts, "about "+left.Round(time.Second).String()+" left")
	}
	if len(p.running) > 0 {
		now := strings.TrimSpace(p.over + " " + p.running[0])
		if n := len(p.running) - 1; n > 0 {
			now += fmt.Sprintf(" and %d more", n)
		}
		parts = append(parts, now)
	}
	room := width - 1 - len(parts[0])
	line := ""
	for _, part := range parts[1:] {
		if room < 2+len(part) {
			break
		}
		room -= 2 + len(part)
		if p.failed > 0 && strings.HasSuffix(part, " failed") {
			part = report.Paint(p.color, "31", part)
		}
		line += "  " + part
	}
	if width-1 < len(count) {
		return count[:max(width-1, 0)]
	}
	line = count + line
	if bar := min(room-3, barMost); p.total > 0 && bar >= 5 {
		full := bar * min(p.done, p.total) / p.total
		line = "[" + strings.Repeat("#", full) + strings.Repeat("-", bar-full) + "] " + line
	}
	return line
}
