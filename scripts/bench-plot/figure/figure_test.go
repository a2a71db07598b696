package figure

import "testing"

func TestCharts(t *testing.T) {
	for name, c := range map[string]Chart{
		"lines":    {Title: "a < b", X: "x", Y: "y", Lines: []Line{{"one & two", [][2]float64{{0, 1}, {5, 3}, {9, 2.5}}}}},
		"logs":     {LogX: true, LogY: true, Lines: []Line{{"", [][2]float64{{1, 0.1}, {1e6, 5000}}}, {"", [][2]float64{{10, 0}}}}},
		"bars":     {Bars: []Bar{{"a", 5, 4, 6}, {"b", 0, 0, 0}}},
		"log bars": {LogY: true, Bars: []Bar{{"a", 12000, 11000, 13000}, {"b", 343, 343, 343}}},
		"zeros":    {Lines: []Line{{"", [][2]float64{{0, 0}, {0, 0}}}}},
		"nothing":  {},
	} {
		svg := c.SVG()
		if err := Check(svg); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if string(svg) != string(c.SVG()) {
			t.Errorf("%s: drawn twice, two pictures", name)
		}
	}
}

// TestAxes: a linear axis begins at zero and ends at or above the largest value; there are some ticks and not
// too many.
func TestAxes(t *testing.T) {
	for _, hi := range []float64{0, 0.001, 0.9, 1, 7, 9.99, 10, 123, 5000, 12345, 999999} {
		a := newAxis(false, []float64{hi / 2, hi})
		if a.min != 0 || a.max < hi || hi > 0 && a.max > 2*hi || len(a.ticks) < 2 || len(a.ticks) > 11 {
			t.Errorf("up to %g: from %g to %g with %d ticks", hi, a.min, a.max, len(a.ticks))
		}
	}
	a := newAxis(true, []float64{3, 4000})
	if a.at(1) != 0 || a.at(10_000) != 1 || len(a.ticks) != 5 {
		t.Errorf("%+v", a)
	}
}

func TestFill(t *testing.T) {
	page := []byte("# A\n\n<!-- bench:machine -->\nold\n<!-- /bench -->\n\ntext\n\n<!-- bench:peers -->\n<!-- /bench -->\n")
	out, err := Fill(page, map[string]string{"machine": "new\n", "peers": ""})
	want := "# A\n\n<!-- bench:machine -->\nnew\n<!-- /bench -->\n\ntext\n\n<!-- bench:peers -->\nNot measured in this run.\n<!-- /bench -->\n"
	if err != nil || string(out) != want {
		t.Errorf("%v:\n%s", err, out)
	}
	if again, err := Fill(out, map[string]string{"machine": "new\n", "peers": ""}); err != nil || string(again) != want {
		t.Errorf("filled twice: %v:\n%s", err, again)
	}
	if _, err := Fill([]byte("<!-- bench:nobody -->\n<!-- /bench -->"), map[string]string{}); err == nil {
		t.Error("a part that nobody makes was accepted")
	}
}
