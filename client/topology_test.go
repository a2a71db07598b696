package client

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// placed makes validators of power 10, or of "region*power".
func placed(text string) (list []Placed) {
	for i, word := range strings.Fields(text) {
		v := Placed{Name: fmt.Sprintf("v%d", i), Region: word, Power: 10}
		if region, power, ok := strings.Cut(word, "*"); ok {
			v.Region = region
			fmt.Sscan(power, &v.Power)
		}
		if v.Region == "-" {
			v.Region = ""
		}
		list = append(list, v)
	}
	return list
}

// TestPlacement pins which sets of validators can lose which regions.
func TestPlacement(t *testing.T) {
	for _, c := range []struct {
		set    string
		fatal  string // regions of the first level that cannot be lost
		deeper string // levels that survive any loss
		moves  int
		advice string
	}{
		{"eu us asia sa", "", "1", 0, "Any one region can be lost"},
		{"eu eu us asia", "eu", "", 1, "Three regions never survive"},
		{"eu eu us us", "eu us", "", 2, "Two regions never survive"},
		{"eu eu eu eu", "eu", "", 3, "One region never survives"},
		{"eu/de eu/fr us asia", "eu", "2", 1, "eu holds 20 of 40, a third or more"},
		{"eu/de/a eu/de/b us asia", "eu", "3", 1, "add power of at least 21 elsewhere"},
		{"eu eu us us asia asia asia", "asia", "", 1, "Move v6 from asia to a region of its own"},
		{"eu eu us us asia asia sa", "", "1", 0, "Any one"},
		{"eu eu eu us us us asia asia asia sa", "", "1", 0, "Any one"},
		{"eu eu eu eu us us us asia asia asia", "eu", "", 1, "Move v3 from eu to a region of its own"},
		{"eu eu eu eu us us us asia asia sa", "eu", "", 1, "Move v3 from eu to sa"},
		{"- - - -", "", "", 0, "No validator's region is known"},
		{"- - us asia", "", "", 1, "no known region holds 20 of 40"},
		{"eu us asia", "asia eu us", "", 0, "v0 alone holds 10 of 30"},
		{"eu*30 us asia sa", "eu", "", 0, "v0 alone holds 30 of 60"},
		{"eu*0 us asia sa eu", "", "1", 0, "Any one"},
		{"", "", "", 0, "no validator with power"},
	} {
		p := CheckPlacement(placed(c.set))
		var fatal, deeper []string
		for _, level := range p.Levels {
			if level.Survives {
				deeper = append(deeper, fmt.Sprint(level.Level))
			}
			for _, loss := range level.Losses {
				if level.Level == 1 && !loss.Survives && loss.Region != "" {
					fatal = append(fatal, loss.Region)
				}
			}
		}
		slices.Sort(fatal)
		if got := strings.Join(fatal, " "); got != c.fatal {
			t.Errorf("%s: cannot lose %q, want %q", c.set, got, c.fatal)
		}
		if got := strings.Join(deeper, " "); got != c.deeper {
			t.Errorf("%s: survives at levels %q, want %q", c.set, got, c.deeper)
		}
		if len(p.Moves) != c.moves || !strings.Contains(strings.Join(p.Advice, " "), c.advice) {
			t.Errorf("%s: %d moves, want %d; advice %q", c.set, len(p.Moves), c.moves, p.Advice)
		}
	}
}

// TestPlacementAgainstBruteForce: each verdict is what counting says, three regions never survive, and the moves that
// are advised mend what can be mended.
func TestPlacementAgainstBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tags := []string{"", "eu", "eu/de", "eu/fr", "us", "us/ny/1", "asia", "sa"}
		var set []Placed
		for i := range rapid.IntRange(1, 12).Draw(t, "validators") {
			set = append(set, Placed{fmt.Sprint(i), rapid.SampledFrom(tags).Draw(t, "region"), rapid.Uint64Range(1, 5).Draw(t, "power")})
		}
		p := CheckPlacement(set)
		for _, level := range p.Levels {
			all := true
			for _, loss := range level.Losses {
				var left, total uint64
				for _, v := range set {
					total += v.Power
					parts := strings.Split(v.Region, "/")
					if strings.Join(parts[:min(level.Level, len(parts))], "/") != loss.Region {
						left += v.Power
					}
				}
				if loss.Left != left || loss.Survives != (3*left > 2*total) {
					t.Fatalf("level %d, %q: %+v, left are %d of %d", level.Level, loss.Region, loss, left, total)
				}
				all = all && 3*left > 2*total
			}
			if level.Survives != all || level.Survives && len(level.Losses) <= 3 {
				t.Fatalf("level %d survives: %v, with %d regions", level.Level, level.Survives, len(level.Losses))
			}
		}
		for k, m := range p.Moves {
			i := slices.IndexFunc(set, func(v Placed) bool { return v.Name == m.Validator })
			if set[i].Region = m.To; m.To == "" {
				set[i].Region = fmt.Sprintf("new%d", k)
			}
		}
		single := slices.ContainsFunc(set, func(v Placed) bool { return 3*v.Power >= p.TotalPower })
		if after := CheckPlacement(set); after.Levels[0].Survives == single {
			t.Fatalf("after %v: %+v", p.Moves, after)
		}
	})
}
