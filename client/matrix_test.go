package client

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tetradledger/tetrad/rpc"
)

// standing makes validators v0, v1 and so on of these claims; "-" is none.
func standing(claims string) (list []rpc.Validator) {
	for i, claim := range strings.Fields(claims) {
		name := fmt.Sprintf("v%d", i)
		list = append(list, rpc.Validator{ID: "id-" + name, Name: name, Power: 10, RegionClaimed: strings.TrimPrefix(claim, "-")})
	}
	return list
}

// measuredBy is what the node of validator from says it measured: the least to v0, v1 and so on in ms; 0: nothing.
func measuredBy(from int, least ...float64) NodeTopology {
	id := fmt.Sprintf("id-v%d", from)
	row := rpc.TripsRow{From: id}
	for to, ms := range least {
		if ms > 0 {
			row.Trips = append(row.Trips, rpc.Trip{To: fmt.Sprintf("id-v%d", to), RTTMS: 2 * ms, LeastMS: ms})
		}
	}
	return NodeTopology{Endpoint: "http://" + id, Topology: rpc.Topology{Validator: id, Rows: []rpc.TripsRow{row}}}
}

// suspects are the names of those whose claims are contradicted.
func suspects(m Matrix) string {
	var names []string
	for _, v := range m.Validators {
		if v.Suspect {
			names = append(names, v.Name)
		}
	}
	return strings.Join(names, " ")
}

// TestMatrixJudgesClaims pins which claims contradict which round trips.
func TestMatrixJudgesClaims(t *testing.T) {
	stale := measuredBy(0, 0, 0.2)
	stale.Topology.Rows[0].Trips[0].Stale = true
	told := measuredBy(0, 0, 0.2)
	told.Topology.Rows[0].Told = true
	for name, c := range map[string]struct {
		claims string
		said   []NodeTopology
		want   string
		by     string
		ms     float64
	}{
		"far apart":                         {"eu us", []NodeTopology{measuredBy(0, 0, 90), measuredBy(1, 90)}, "", "", 0},
		"one room, two continents":          {"eu us", []NodeTopology{measuredBy(0, 0, 0.4), measuredBy(1, 0.2)}, "v0 v1", "v1", 0.2},
		"at the bound":                      {"eu us", []NodeTopology{measuredBy(0, 0, 1)}, "", "", 0},
		"below the bound":                   {"eu us", []NodeTopology{measuredBy(0, 0, 0.999)}, "v0 v1", "v0", 0.999},
		"two places of a region":            {"eu/de eu/fr", []NodeTopology{measuredBy(0, 0, 0.2)}, "", "", 0},
		"places of two regions":             {"eu/de us/de", []NodeTopology{measuredBy(0, 0, 0.2)}, "v0 v1", "v0", 0.2},
		"one makes no claim":                {"eu -", []NodeTopology{measuredBy(0, 0, 0.2), measuredBy(1, 0.2)}, "", "", 0},
		"measured long ago":                 {"eu us", []NodeTopology{stale}, "", "", 0},
		"what another one measured":         {"eu us", []NodeTopology{told}, "", "", 0},
		"one of four is not where it says":  {"eu eu eu us", []NodeTopology{measuredBy(3, 0.3, 0.3, 0.3), measuredBy(0, 0, 9, 9, 9)}, "v0 v1 v2 v3", "v3", 0.3},
		"a node that is asked twice":        {"eu us", []NodeTopology{measuredBy(0, 0, 90), measuredBy(0, 0, 0.1)}, "", "", 0},
		"a node that is no validator's":     {"eu us", []NodeTopology{measuredBy(7, 0.1, 0.1)}, "", "", 0},
		"a way to somebody, or to itself":   {"eu us", []NodeTopology{measuredBy(0, 0.1, 90, 0.1)}, "", "", 0},
		"the way is negative, or no number": {"eu us", []NodeTopology{measuredBy(0, 0, -1)}, "", "", 0},
	} {
		m := NewMatrix(standing(c.claims), c.said, SuspectBelow)
		if got := suspects(m); got != c.want {
			t.Errorf("%s: suspect are %q, want %q", name, got, c.want)
		}
		if (c.want == "") != (len(m.Contradictions) == 0) {
			t.Errorf("%s: %+v", name, m.Contradictions)
		}
		for _, one := range m.Contradictions {
			if one.SaidBy != c.by || one.LeastMS != c.ms {
				t.Errorf("%s: %v ms by the word of %s", name, one.LeastMS, one.SaidBy)
			}
		}
	}
}

// TestMatrixAgainstBruteForce: a claim is suspect if and only if some fresh figure of some node contradicts it, in
// whatever order nodes answer, and a smaller bound never adds a suspect.
func TestMatrixAgainstBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 6).Draw(t, "validators")
		var claims []string
		for range n {
			claims = append(claims, rapid.SampledFrom([]string{"-", "eu", "eu/de", "us", "us/ny", "asia"}).Draw(t, "claim"))
		}
		bound := rapid.Float64Range(0.01, 50).Draw(t, "bound")
		want := make([]bool, n)
		var said []NodeTopology
		for _, from := range rapid.Permutation([]int{0, 1, 2, 3, 4, 5}[:n]).Draw(t, "order") {
			least := rapid.SliceOfN(rapid.Float64Range(0, 60), n, n).Draw(t, "least")
			said = append(said, measuredBy(from, least...))
			for to, ms := range least {
				a, b := strings.Split(claims[from], "/")[0], strings.Split(claims[to], "/")[0]
				if to != from && ms > 0 && a != b && a != "-" && b != "-" && ms < float64(time.Duration(bound*1e6).Microseconds())/1000 {
					want[from], want[to] = true, true
				}
			}
		}
		m := NewMatrix(standing(strings.Join(claims, " ")), said, time.Duration(bound*1e6))
		smaller := NewMatrix(standing(strings.Join(claims, " ")), said, time.Duration(bound*5e5))
		for i, v := range m.Validators {
			if v.Suspect != want[i] {
				t.Fatalf("%v: %s is suspect: %v, want %v; %+v", claims, v.Name, v.Suspect, want[i], m.Contradictions)
			}
			if smaller.Validators[i].Suspect && !v.Suspect {
				t.Fatalf("%s is suspect below a smaller bound only", v.Name)
			}
		}
	})
}

// TestTopologyAll asks nodes of which one is dead, one shows what another one told it, and one measures nothing.
func TestTopologyAll(t *testing.T) {
	n := newNetwork(t, 4)
	for i, s := range n.servers[:2] {
		out := NodeTopology{}
		if err := newClientOf(t, s.URL).ask(t.Context(), s.URL, request{method: http.MethodGet, path: rpc.PathTopology}, &out.Topology); err != nil {
			t.Fatal(err)
		}
		own, told := rpc.TripsRow{From: out.Topology.Validator}, rpc.TripsRow{From: "another", Told: true}
		s.node.Away(own, told)
		if i == 1 {
			s.node.Away(told)
		}
	}
	n.servers[3].die()
	c := newClientOf(t, n.urls()...)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	all := c.TopologyAll(ctx)
	var list []rpc.Validator
	for _, one := range all[:3] {
		if one.Err != nil || one.Topology.Verified || one.Topology.Note == "" {
			t.Errorf("%+v", one)
		}
		list = append(list, rpc.Validator{ID: one.Topology.Validator, Name: one.Topology.Node, Power: 1})
	}
	if rows := all[0].Topology.Rows; len(rows) != 1 || rows[0].Told {
		t.Errorf("asked for its own row, the first says %+v", rows)
	}
	m := NewMatrix(list, all, SuspectBelow)
	for i, want := range []string{"no row of its own", "no row of its own", "refused"} {
		if len(m.Silent) != 3 || !strings.Contains(m.Silent[i].Error, want) || m.Silent[i].Endpoint != n.urls()[i+1] {
			t.Errorf("silent are %+v, want %q in the place of %d", m.Silent, want, i)
		}
	}
}

func newClientOf(t *testing.T, urls ...string) *Client {
	t.Helper()
	c, err := New(Options{Endpoints: urls})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
