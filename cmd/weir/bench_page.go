package main

import (
	"bytes"
	"fmt"
	"html/template"
	"math"
	"os"
	"strings"

	"weir/internal/reach"
)

// benchPage is the result as a page that needs no other file. Colours follow the reader's light or
// dark setting.
var benchPage = template.Must(template.New("bench").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>weir bench {{.URL}}</title>
<style>
:root { color-scheme: light dark; --ink: light-dark(#1c2430, #dde3ea); --soft: light-dark(#5b6675, #98a4b3); --rule: light-dark(#d8dee6, #38424f); --line: light-dark(#0b63c4, #6cb0ff); --fill: light-dark(#0b63c422, #6cb0ff33); --paper: light-dark(#fff, #141a21) }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.3rem; margin: 0; overflow-wrap: anywhere } h2 { font-size: 1.05rem; margin: 2rem 0 .3rem } p { margin: .2rem 0 1rem; color: var(--soft) }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--rule) } th { font-weight: 600; white-space: nowrap }
svg { width: 100%; height: auto; display: block } svg text { font: 12px system-ui, sans-serif; fill: var(--soft) }
.grid { stroke: var(--rule); stroke-width: 1 } .line { stroke: var(--line); stroke-width: 2; fill: none; stroke-linejoin: round } .area { fill: var(--fill) } .dot { fill: var(--line) }
</style>
<h1>{{.URL}}</h1><p>{{.Headline}}; {{.Time}}</p>
<table>{{range .Rows}}<tr><th scope="row">{{index . 0}}</th><td>{{index . 1}}</td></tr>{{end}}</table>
{{range .Plots}}<h2>{{.Title}}</h2>{{.SVG}}{{end}}
</html>
`))

type benchPlot struct {
	Title string
	SVG   template.HTML
}

func writePage(file string, r *benchResult) error {
	plots := []benchPlot{}
	if len(r.Latency.Curve) > 0 {
		plots = append(plots, benchPlot{"Latency by percentile", latencyPlot(r)})
	}
	if len(r.Series) > 1 {
		plots = append(plots, benchPlot{"Messages a second over time", seriesPlot(r)})
	}
	var b bytes.Buffer
	err := benchPage.Execute(&b, map[string]any{"URL": reach.RedactURL(r.config.url), "Headline": r.headline(), "Time": r.started.Format("2006-01-02 15:04:05 MST"), "Rows": r.rows(), "Plots": plots})
	if err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

// The frame of a plot, in units of its viewBox.
const (
	plotWidth, plotHeight = 900.0, 300.0
	plotLeft, plotRight   = 70.0, 890.0
	plotTop, plotBottom   = 12.0, 270.0
)

// plot draws a line through points, of which x and y are parts of the frame, from 0 to 1.
type plot struct {
	b      strings.Builder
	points [][2]float64
}

func newPlot(label string) *plot {
	p := new(plot)
	fmt.Fprintf(&p.b, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, plotWidth, plotHeight, template.HTMLEscapeString(label))
	return p
}

func at(x, y float64) (float64, float64) {
	return plotLeft + x*(plotRight-plotLeft), plotBottom - y*(plotBottom-plotTop)
}

func (p *plot) tickY(y float64, label string) {
	_, py := at(0, y)
	fmt.Fprintf(&p.b, `<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/><text x="%g" y="%.1f" text-anchor="end">%s</text>`, plotLeft, plotRight, py, py, plotLeft-8, py+4, template.HTMLEscapeString(label))
}

func (p *plot) tickX(x float64, label string) {
	px, _ := at(x, 0)
	anchor := "middle"
	if x > 0.95 {
		anchor = "end" // or it would be cut off
	}
	fmt.Fprintf(&p.b, `<text x="%.1f" y="%g" text-anchor="%s">%s</text>`, px, plotBottom+20, anchor, template.HTMLEscapeString(label))
}

// draw ends the plot. titles are what a reader who points at a dot is told.
func (p *plot) draw(titles []string) template.HTML {
	var line strings.Builder
	for _, pt := range p.points {
		x, y := at(pt[0], pt[1])
		fmt.Fprintf(&line, "%.1f,%.1f ", x, y)
	}
	x0, _ := at(p.points[0][0], 0)
	x1, _ := at(p.points[len(p.points)-1][0], 0)
	fmt.Fprintf(&p.b, `<polygon class="area" points="%.1f,%g %s%.1f,%g"/><polyline class="line" points="%s"/>`, x0, plotBottom, line.String(), x1, plotBottom, line.String())
	for i, title := range titles {
		x, y := at(p.points[i][0], p.points[i][1])
		fmt.Fprintf(&p.b, `<circle class="dot" cx="%.1f" cy="%.1f" r="3"><title>%s</title></circle>`, x, y, template.HTMLEscapeString(title))
	}
	p.b.WriteString("</svg>")
	return template.HTML(p.b.String())
}

// latencyPlot has nines on its x axis and powers of ten on its y axis, or all of interest would be
// in a corner.
func latencyPlot(r *benchResult) template.HTML {
	l := &r.Latency
	lo, hi := math.Floor(math.Log10(max(1, l.Curve[0].Micros))), math.Ceil(math.Log10(max(10, l.Max*1.001)))
	if hi <= lo {
		hi = lo + 1
	}
	p := newPlot("latency by percentile: " + spans(l))
	for d := lo; d <= hi; d++ {
		p.tickY((d-lo)/(hi-lo), span(math.Pow(10, d)))
	}
	const nines = 5.0
	x := func(percentile float64) float64 { return min(1, -math.Log10(max(1-percentile/100, 1e-9))/nines) }
	for _, t := range []float64{0, 50, 90, 99, 99.9, 99.99, 99.999} {
		p.tickX(x(t), fmt.Sprintf("%g %%", t))
	}
	var titles []string
	for _, pt := range l.Curve {
		if pt.Percentile == 100 {
			continue // the last dot has its value, unless there were over 100 000 messages
		}
		p.points = append(p.points, [2]float64{x(pt.Percentile), (math.Log10(max(1, pt.Micros)) - lo) / (hi - lo)})
		titles = append(titles, fmt.Sprintf("%g %%: %s", pt.Percentile, span(pt.Micros)))
	}
	return p.draw(titles)
}

func seriesPlot(r *benchResult) template.HTML {
	slice := r.Slice.Seconds()
	most := 1.0
	for _, n := range r.Series {
		most = max(most, float64(n)/slice)
	}
	unit := math.Pow(10, math.Floor(math.Log10(most)))
	if most/unit < 2 {
		unit /= 5
	} else if most/unit < 5 {
		unit /= 2
	}
	top := math.Ceil(most/unit) * unit
	p := newPlot(fmt.Sprintf("messages a second over time, at most %.0f", most))
	for y := 0.0; y <= top+unit/2; y += unit {
		p.tickY(y/top, fmt.Sprintf("%g", y))
	}
	n := float64(len(r.Series))
	for i := range 6 {
		p.tickX(float64(i)/5, fmt.Sprintf("%.3g s", float64(i)/5*n*slice))
	}
	for i, c := range r.Series {
		p.points = append(p.points, [2]float64{(float64(i) + 0.5) / n, float64(c) / slice / top})
	}
	return p.draw(nil)
}
