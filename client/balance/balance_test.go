package balance

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// clock is a time that only moves when a test says so.
type clock struct{ at time.Time }

func (c *clock) now() time.Time       { return c.at }
func (c *clock) move(d time.Duration) { c.at = c.at.Add(d) }

func newClock() *clock { return &clock{at: time.Unix(1_000_000, 0)} }

func four() []string { return []string{"a", "b", "c", "d"} }

func balancer(t testing.TB, o Options) (*Balancer, *clock) {
	t.Helper()
	c := newClock()
	o.Now, o.Seed = c.now, 7
	if o.Nodes == nil {
		o.Nodes = four()
	}
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return b, c
}

// probed makes a balancer believe that it is one with probes, without asking anybody.
func probed(context.Context, string) (Report, error) { return Report{}, errors.New("nobody is asked") }

func first(b *Balancer, w Want) string {
	order, _ := b.Order(w)
	return order[0]
}

func TestOptionsAreBounded(t *testing.T) {
	many := make([]string, nodesMax+1)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	for want, o := range map[string]Options{
		"no node":        {},
		"at most 256":    {Nodes: many},
		"given twice":    {Nodes: []string{"a", "a"}},
		"no policy":      {Nodes: four(), Policy: "fastest"},
		"negative":       {Nodes: four(), Faults: -1},
		"needs a region": {Nodes: four(), StrictRegion: true},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: the error is %v, it must say %q", o.Policy, err, want)
		}
	}
	if _, err := New(Options{Nodes: many[:nodesMax]}); err != nil {
		t.Errorf("%d nodes: %v", nodesMax, err)
	}
}

// TestNobodyIsLeftOut: whatever happened to the nodes, each is in the order once.
func TestNobodyIsLeftOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newClock()
		policy := rapid.SampledFrom(Policies()).Draw(t, "policy")
		n := rapid.IntRange(1, 7).Draw(t, "nodes")
		o := Options{Policy: policy, Now: c.now, Seed: 1, Probe: probed}
		for i := range n {
			o.Nodes = append(o.Nodes, fmt.Sprint(i))
		}
		b, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			node := rapid.SampledFrom(o.Nodes).Draw(t, "node")
			c.move(time.Duration(rapid.IntRange(0, 5000).Draw(t, "ms")) * time.Millisecond)
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				b.Note(node, Outcome(rapid.IntRange(0, 3).Draw(t, "outcome")))
			case 1:
				b.Reported(node, Report{
					Height: rapid.Uint64Range(0, 50).Draw(t, "height"), Minority: rapid.Bool().Draw(t, "minority"),
					CatchingUp: rapid.Bool().Draw(t, "catching up"),
				}, time.Millisecond)
			case 2:
				trip := b.Begin(node)
				c.move(time.Millisecond)
				trip.Done(Outcome(rapid.IntRange(0, 3).Draw(t, "outcome")), 0)
			case 3:
				b.Begin(node).Abandon(0)
			}
			order, _ := b.Order(Want{Key: "k", Write: rapid.Bool().Draw(t, "write")})
			slices.Sort(order)
			if !slices.Equal(order, o.Nodes) {
				t.Fatalf("the order holds %v", order)
			}
			ejected := 0
			for _, one := range b.nodes {
				if one.ejection.on(c.now()) {
					ejected++
				}
				if one.inFlight != 0 {
					t.Fatalf("%d requests to %s are under way, none is", one.inFlight, one.name)
				}
			}
			if ejected > (n-1)/3 {
				t.Fatalf("%d of %d nodes are ejected", ejected, n)
			}
		}
	})
}

func TestRoundRobinIsFair(t *testing.T) {
	b, _ := balancer(t, Options{Policy: RoundRobin})
	got := map[string]int{}
	for range 10_000 {
		got[first(b, Want{})]++
	}
	for _, n := range four() {
		if got[n] != 2500 {
			t.Errorf("%s got %d of 10,000", n, got[n])
		}
	}
}

func TestRandomPoliciesUseAllNodes(t *testing.T) {
	for _, policy := range []Policy{EWMA, LeastLoaded} {
		b, c := balancer(t, Options{Policy: policy})
		got := map[string]int{}
		for range 10_000 {
			name := first(b, Want{})
			trip := b.Begin(name)
			c.move(time.Millisecond)
			trip.Done(Answered, 0)
			got[name]++
		}
		for _, n := range four() {
			if got[n] < 2200 || got[n] > 2800 {
				t.Errorf("%s: %s got %d of 10,000 although all are equal", policy, n, got[n])
			}
		}
	}
}

// TestSlowNodeIsAvoided: by latency at once, and not for ever.
func TestSlowNodeIsAvoided(t *testing.T) {
	b, c := balancer(t, Options{})
	for _, n := range four() {
		trip := b.Begin(n)
		c.move(time.Millisecond)
		trip.Done(Answered, 0)
	}
	trip := b.Begin("c")
	c.move(200 * time.Millisecond)
	trip.Done(Answered, 0)
	for range 200 {
		if first(b, Want{}) == "c" {
			t.Fatal("the slow node was chosen against a fast one")
		}
	}
	c.move(6 * decay)
	for _, n := range []string{"a", "b", "d"} {
		trip := b.Begin(n)
		c.move(time.Millisecond)
		trip.Done(Answered, 0)
	}
	got := 0
	for range 200 {
		if first(b, Want{}) == "c" {
			got++
		}
	}
	if got == 0 {
		t.Error("the node is never tried again")
	}
}

func TestLeastLoadedAvoidsTheBusy(t *testing.T) {
	b, _ := balancer(t, Options{Policy: LeastLoaded})
	for range 5 {
		b.Begin("a")
	}
	for range 200 {
		if first(b, Want{}) == "a" {
			t.Fatal("the busy node was chosen against an idle one")
		}
	}
}

func TestNearestStaysUntilAnotherIsClearlyNearer(t *testing.T) {
	b, c := balancer(t, Options{Policy: Nearest, Probe: probed})
	set := func(name string, ms int) {
		b.mu.Lock()
		b.find(name).trip = ewma{value: time.Duration(ms) * time.Millisecond, seen: c.now()}
		b.find(name).reported = c.now()
		b.mu.Unlock()
	}
	for name, ms := range map[string]int{"a": 40, "b": 10, "c": 80, "d": 120} {
		set(name, ms)
	}
	if got := first(b, Want{}); got != "b" {
		t.Fatalf("the nearest is b, it took %s", got)
	}
	set("a", 9) // nearer, but by less than a fifth
	if got := first(b, Want{}); got != "b" {
		t.Errorf("it left b for a, which is hardly nearer")
	}
	set("a", 7)
	if got := first(b, Want{}); got != "a" {
		t.Errorf("a is clearly nearer, it took %s", got)
	}
	b.Note("a", Silent)
	if got := first(b, Want{}); got != "b" {
		t.Errorf("a is down, the next is b, it took %s", got)
	}
	c.move(restMin)
	for range spillAt {
		b.Begin("a")
	}
	if got := first(b, Want{}); got != "b" {
		t.Errorf("a is busy, the next is b, it took %s", got)
	}
}

func TestStickyKeepsKeysTogether(t *testing.T) {
	b, _ := balancer(t, Options{Policy: Sticky})
	home := map[string]string{}
	share := map[string]int{}
	for i := range 4000 {
		key := fmt.Sprint("account", i)
		home[key] = first(b, Want{Key: key})
		share[home[key]]++
	}
	for _, n := range four() {
		if share[n] < 800 || share[n] > 1200 {
			t.Errorf("%s has %d of 4,000 keys", n, share[n])
		}
	}
	b.Note("b", Silent)
	for key, was := range home {
		if now := first(b, Want{Key: key}); was != "b" && now != was {
			t.Fatalf("%s moved from %s to %s although only b is down", key, was, now)
		}
	}
}

func TestListedStaysWithOneThatWorks(t *testing.T) {
	b, c := balancer(t, Options{Policy: Listed})
	if got := first(b, Want{}); got != "a" {
		t.Fatalf("it began with %s", got)
	}
	b.Note("a", Silent)
	c.move(time.Minute)
	if got := first(b, Want{}); got != "b" {
		t.Errorf("it went back to %s", got)
	}
}

// TestDownIsForNow: what cannot be reached is asked last for half a second, then for longer.
func TestDownIsForNow(t *testing.T) {
	b, c := balancer(t, Options{Policy: Listed})
	for _, rest := range []time.Duration{restMin, 2 * restMin, 4 * restMin} {
		b.Note("d", Silent)
		c.move(rest - 1)
		if fit := b.Fit(); slices.Contains(fit, "d") {
			t.Errorf("d is fit before %s are over", rest)
		}
		c.move(1)
		if fit := b.Fit(); !slices.Contains(fit, "d") {
			t.Errorf("d is not tried after %s", rest)
		}
	}
	for range 20 {
		b.Note("d", Silent)
	}
	c.move(restMax)
	if fit := b.Fit(); !slices.Contains(fit, "d") {
		t.Errorf("d is not tried after %s", restMax)
	}
}

func TestEjection(t *testing.T) {
	b, c := balancer(t, Options{Policy: Listed, Probe: probed})
	refuse := func(name string, times int) {
		for range times {
			b.Note(name, Refused)
		}
	}
	why := func(name string) string {
		for _, one := range b.Backends() {
			if one.Node == name {
				return one.Why
			}
		}
		return "?"
	}
	refuse("a", refusalsMax-1)
	if why("a") != "" {
		t.Errorf("ejected after %d refusals: %s", refusalsMax-1, why("a"))
	}
	refuse("a", 1)
	if !strings.HasPrefix(why("a"), "ejected") {
		t.Fatalf("not ejected after %d refusals", refusalsMax)
	}
	refuse("b", refusalsMax)
	if why("b") != "" {
		t.Errorf("two of four are ejected: b %s", why("b"))
	}
	b.Note("c", Lied)
	if why("a") != "" || !strings.HasPrefix(why("c"), "ejected") {
		t.Errorf("the liar takes the place of who only refused: a %q, c %q", why("a"), why("c"))
	}
	b.Note("d", Lied)
	if why("d") != "down" {
		t.Errorf("a liar is asked last for a moment, it is %q", why("d"))
	}
	c.move(restMin)
	if why("d") != "" || b.Backends()[3].Lies != 1 {
		t.Errorf("a second liar is more than f: it must be counted and stay, it is %q", why("d"))
	}
	c.move(ejectForLies)
	b.Reported("c", Report{}, time.Millisecond)
	if why("c") == "" {
		t.Error("one good check ended an ejection")
	}
	b.Note("c", Silent)
	b.Reported("c", Report{}, time.Millisecond)
	if why("c") == "" {
		t.Error("checks before a failure counted after it")
	}
	b.Reported("c", Report{}, time.Millisecond)
	if why("c") != "" {
		t.Errorf("two good checks did not end the ejection: %s", why("c"))
	}
}

func TestEjectionBySuccessRate(t *testing.T) {
	b, c := balancer(t, Options{Policy: Listed})
	fail := func(n, refused int) {
		for i := range n {
			c.move(10 * time.Millisecond)
			if i%4 < refused {
				b.Note("a", Refused)
			} else {
				b.Note("a", Answered)
			}
		}
	}
	fail(windowMin-1, 1)
	if len(b.Fit()) != 4 {
		t.Error("ejected by fewer requests than say anything")
	}
	fail(40, 1)
	if len(b.Fit()) != 3 {
		t.Error("a quarter of the requests failed, and the node is fit")
	}
	c.move(ejectMin)
	if len(b.Fit()) != 4 {
		t.Error("without probes the time alone ends an ejection")
	}
}

// TestHeights: a node that claims a height nobody has moves no other.
func TestHeights(t *testing.T) {
	b, c := balancer(t, Options{Policy: Listed, Probe: probed})
	report := func(heights ...uint64) {
		for i, h := range heights {
			b.Reported(four()[i], Report{Height: h}, time.Millisecond)
		}
	}
	report(100, 100, 99, 1<<60)
	if fit := b.Fit(); len(fit) != 4 {
		t.Errorf("one liar's height left %v", fit)
	}
	report(100, 100, 98, 97)
	if fit := b.Fit(); !slices.Equal(fit, []string{"a", "b", "c"}) {
		t.Errorf("two behind is fit, three is not: %v", fit)
	}
	if order, _ := b.Order(Want{MinHeight: 100}); !slices.Equal(order[:2], []string{"a", "b"}) {
		t.Errorf("asked for height 100, the order is %v", order)
	}
	if order, _ := b.Order(Want{Write: true}); order[3] != "d" || b.unfitFor("d", Want{Write: true}) != "" {
		t.Errorf("a node that is behind takes writes: %v", order)
	}
	c.move(reportLife)
	if fit := b.Fit(); len(fit) != 4 {
		t.Errorf("old reports still count: %v", fit)
	}
}

func (b *Balancer) unfitFor(name string, w Want) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.unfit(b.find(name), w, b.reference(b.o.Now()), b.o.Now())
}

func TestCutOffNodesComeLast(t *testing.T) {
	b, _ := balancer(t, Options{Policy: Listed, Probe: probed})
	b.Reported("a", Report{Height: 9, Minority: true}, time.Millisecond)
	b.Reported("b", Report{Height: 9, CatchingUp: true}, time.Millisecond)
	order, degraded := b.Order(Want{})
	if !slices.Equal(order[:2], []string{"c", "d"}) || degraded {
		t.Errorf("the order is %v", order)
	}
	b.Note("c", Silent)
	b.Note("d", Silent)
	if order, degraded := b.Order(Want{}); !degraded || !slices.Contains(order[:2], "a") {
		t.Errorf("none is fit: %v, degraded %v; those that answer come first", order, degraded)
	}
}

func TestRegions(t *testing.T) {
	for _, strict := range []bool{false, true} {
		b, _ := balancer(t, Options{Policy: Listed, Probe: probed, Region: "eu", StrictRegion: strict})
		for i, region := range []string{"us", "eu/de", "europa", "eu"} {
			b.Reported(four()[i], Report{Region: region}, time.Millisecond)
		}
		want := []string{"b", "d", "a", "c"}
		if strict {
			want = want[:2]
		}
		if order, _ := b.Order(Want{}); !slices.Equal(order, want) {
			t.Errorf("strict %v: the order is %v, not %v", strict, order, want)
		}
		b.Note("b", Silent)
		if order, _ := b.Order(Want{}); order[0] != "d" || strict && len(order) != 2 {
			t.Errorf("strict %v, b down: the order is %v", strict, order)
		}
	}
	b, _ := balancer(t, Options{Region: "ap", StrictRegion: true})
	if _, _, err := Read(t.Context(), b, Want{}, func(context.Context, string) (int, bool, error) { return 0, false, nil }); !errors.Is(err, ErrNobody) {
		t.Errorf("nobody is in the region, and the error is %v", err)
	}
}

func TestPercentile(t *testing.T) {
	var l latencies
	for i := range enoughAnswers - 1 {
		l.see(time.Duration(i))
	}
	if _, known := l.p95(); known {
		t.Error("a percentile of too few answers")
	}
	for i := range 1000 {
		l.see(time.Duration(i))
	}
	got, _ := l.p95()
	if want := 744 + 256*95/100; math.Abs(float64(got)-float64(want)) > 1 {
		t.Errorf("the 95th percentile of 744 to 999 is %d, not %d", want, got)
	}
}
