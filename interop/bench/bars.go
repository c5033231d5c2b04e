package main

import (
	"fmt"
	"html"
	"math"
	"strings"

	"weir/interop/load"
)

// bars is a plot as SVG: for each case a bar a server, as long as its figure is to the case's largest but two; longer ones
// are cut, and say so by their number.
func bars(title string, results []*result) string {
	const (
		width, left, bar, gap, head = 860, 110, 15, 18, 26
		space                       = width - left - 150
	)
	var b strings.Builder
	y := 40
	for _, r := range results {
		fmt.Fprintf(&b, `<text class="case" x="0" y="%d">%s</text>`, y, html.EscapeString(r.c.title))
		y += 8
		rows := r.rows()
		measured := rows[:0:0]
		for _, v := range rows {
			if v.why == "" {
				measured = append(measured, v)
			}
		}
		if len(measured) == 0 {
			y += head
			continue
		}
		scale := measured[max(0, len(measured)-3)].value
		for _, v := range measured {
			if v.server == "weir" {
				scale = max(scale, v.value)
			}
		}
		scale = max(scale, 1e-9)
		unit := "µs"
		if r.c.load.Mode == load.Idle {
			unit = "octets"
		}
		for _, v := range measured {
			class := "other"
			if v.server == "weir" {
				class = "weir"
			}
			long := min(1, max(0, v.value/scale)) * space
			number := micro(v.value)
			if unit == "octets" {
				number = fmt.Sprintf("%.0f", v.value)
			}
			fmt.Fprintf(&b, `<text class="name" x="%d" y="%d">%s</text><rect class="%s" x="%d" y="%d" width="%.1f" height="%d"/>`, left-8, y+12, html.EscapeString(v.server), class, left, y+1, math.Max(1, long), bar-3)
			cut := ""
			if v.value > scale {
				cut = "… "
			}
			fmt.Fprintf(&b, `<text x="%.1f" y="%d">%s%s %s (%s)</text>`, left+long+6, y+12, cut, number, unit, ratioWord(v.ratio))
			y += bar
		}
		y += gap + 8
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" role="img" aria-label="%s">
<style>text{font:12px system-ui,sans-serif;fill:#57606a}.case,.title{font-weight:600;fill:#1f2328}.title{font-size:15px}.name{text-anchor:end}.weir{fill:#0b63c4}.other{fill:#b6c2d0}
@media (prefers-color-scheme:dark){text{fill:#9aa5b1}.case,.title{fill:#e6edf3}.weir{fill:#6cb0ff}.other{fill:#495462}}</style>
<text class="title" x="0" y="16">%s: CPU of the server a message, or memory a WebSocket (to weir's)</text>
%s</svg>
`, width, y, width, html.EscapeString(title), html.EscapeString(title), b.String())
}
