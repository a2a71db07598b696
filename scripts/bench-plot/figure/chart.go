package figure

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"strconv"
)

// Chart is lines over two axes, or bars beside each other.
type Chart struct {
	Title      string
	X, Y       string // what is on the axes
	LogX, LogY bool
	Lines      []Line
	Bars       []Bar // drawn instead of lines
}

// Line is a row of points, in order of x.
type Line struct {
	Name   string
	Points [][2]float64
}

// Bar is a value with how far its measurements lie apart; low and high may be equal to it.
type Bar struct {
	Name             string
	Value, Low, High float64
}

// The layout, in pixels.
const (
	width, height           = 720, 400
	left, right, top, below = 80, 20, 40, 60
	plotWidth, plotHeight   = width - left - right, height - top - below
)

// colours tell lines apart, for people who do not see red from green as well (Okabe and Ito).
var colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"}

// SVG draws the chart; the same chart always becomes the same bytes.
func (c Chart) SVG() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, height)
	text(&b, width/2, 22, "middle", "font-size=\"15\"", c.Title)
	if len(c.Bars) > 0 {
		c.drawBars(&b)
	} else {
		c.drawLines(&b)
	}
	text(&b, left+plotWidth/2, height-12, "middle", "", c.X)
	fmt.Fprintf(&b, `<text x="16" y="%d" text-anchor="middle" transform="rotate(-90 16 %d)">%s</text>`+"\n",
		top+plotHeight/2, top+plotHeight/2, html.EscapeString(c.Y))
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func text(b *bytes.Buffer, x, y float64, anchor, style, words string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s" %s>%s</text>`+"\n", x, y, anchor, style, html.EscapeString(words))
}

// axis maps values to pixels.
type axis struct {
	log      bool
	min, max float64
	ticks    []float64
}

// newAxis spans values with room for its ticks. A linear axis begins at 0: a chart must not make a small
// difference look large.
func newAxis(log bool, values []float64) axis {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if log && v <= 0 {
			continue
		}
		lo, hi = min(lo, v), max(hi, v)
	}
	if hi < lo {
		lo, hi = 1, 1
	}
	a := axis{log: log}
	if log {
		from, to := math.Floor(math.Log10(lo)), math.Ceil(math.Log10(hi))
		if to == from {
			to++
		}
		a.min, a.max = from, to
		for e := from; e <= to; e++ {
			a.ticks = append(a.ticks, math.Pow(10, e))
		}
		return a
	}
	if hi <= 0 { // nothing but zeros
		hi = 1
	}
	step := niceStep(hi)
	for v := 0.0; ; v += step {
		a.ticks = append(a.ticks, v)
		if v >= hi {
			a.max = v
			return a
		}
	}
}

// niceStep cuts an axis into four to ten parts of 1, 2 or 5 times a power of ten.
func niceStep(hi float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(hi)))
	for _, part := range []float64{0.1, 0.2, 0.5, 1} {
		if hi/(part*power) <= 7 {
			return part * power
		}
	}
	return 2 * power
}

// at is where a value lies, from 0 to 1.
func (a axis) at(v float64) float64 {
	if a.log {
		v = math.Log10(max(v, math.Pow(10, a.min)))
	}
	return (v - a.min) / (a.max - a.min)
}

func pixelX(part float64) float64 { return left + part*plotWidth }
func pixelY(part float64) float64 { return top + (1-part)*plotHeight }

// short writes a number as an axis shows it.
func short(v float64) string {
	switch {
	case math.Abs(v) >= 1e6:
		return strconv.FormatFloat(v/1e6, 'g', 4, 64) + "M"
	case math.Abs(v) >= 1e4:
		return strconv.FormatFloat(v/1e3, 'g', 4, 64) + "k"
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

func (c Chart) drawLines(b *bytes.Buffer) {
	var xs, ys []float64
	for _, l := range c.Lines {
		for _, p := range l.Points {
			xs, ys = append(xs, p[0]), append(ys, p[1])
		}
	}
	x, y := newAxis(c.LogX, xs), newAxis(c.LogY, ys)
	drawY(b, y)
	for _, v := range x.ticks {
		at := pixelX(x.at(v))
		fmt.Fprintf(b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#dddddd"/>`+"\n", at, top, at, top+plotHeight)
		text(b, at, top+plotHeight+18, "middle", "", short(v))
	}
	for i, l := range c.Lines {
		colour := colours[i%len(colours)]
		var path bytes.Buffer
		for k, p := range l.Points {
			px, py := pixelX(x.at(p[0])), pixelY(y.at(p[1]))
			fmt.Fprintf(&path, "%s%.1f %.1f", map[bool]string{true: "M", false: " L"}[k == 0], px, py)
			if len(l.Points) <= 40 {
				fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", px, py, colour)
			}
		}
		fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", path.String(), colour)
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="12" height="12" fill="%s"/>`+"\n", left+10, top+8+18*i, colour)
		text(b, left+28, float64(top+18+18*i), "start", "", l.Name)
	}
}

func drawY(b *bytes.Buffer, y axis) {
	for _, v := range y.ticks {
		at := pixelY(y.at(v))
		fmt.Fprintf(b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#dddddd"/>`+"\n", left, at, left+plotWidth, at)
		text(b, left-8, at+4, "end", "", short(v))
	}
}

func (c Chart) drawBars(b *bytes.Buffer) {
	var ys []float64
	for _, v := range c.Bars {
		ys = append(ys, v.Value, v.High)
	}
	y := newAxis(c.LogY, ys)
	drawY(b, y)
	slot := float64(plotWidth) / float64(len(c.Bars))
	for i, v := range c.Bars {
		x := left + slot*(float64(i)+0.2)
		py := pixelY(y.at(v.Value))
		fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n",
			x, py, slot*0.6, pixelY(0)-py, colours[i%len(colours)])
		middle := x + slot*0.3
		if v.High > v.Low {
			fmt.Fprintf(b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#000000" stroke-width="2"/>`+"\n",
				middle, pixelY(y.at(v.Low)), middle, pixelY(y.at(v.High)))
		}
		text(b, middle, pixelY(y.at(max(v.Value, v.High)))-6, "middle", "", short(math.Round(v.Value*10)/10))
		text(b, middle, top+plotHeight+18, "middle", "", v.Name)
	}
}
