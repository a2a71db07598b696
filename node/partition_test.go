package node

import (
	"testing"
	"time"

	"github.com/tetradledger/tetrad/rpc"
)

// TestJudge is the table of the four states. Every bound stands in it at its value and just below.
func TestJudge(t *testing.T) {
	p := patience{Suspect: 10 * time.Second, Stalled: 40 * time.Second}
	s := time.Second
	for _, c := range []struct {
		what string
		see  sight
		want string
	}{
		{"blocks come", sight{Age: s, Quiet: s, Seen: true, Reachable: 40, Total: 40}, rpc.PartitionOK},
		{"blocks come, whoever is heard", sight{Age: s, Quiet: s, Seen: true, Reachable: 10, Total: 40}, rpc.PartitionOK},
		{"just in time", sight{Age: 10*s - 1, Quiet: 10*s - 1, Seen: true, Reachable: 10, Total: 40}, rpc.PartitionOK},
		{"late, all there", sight{Age: 10 * s, Quiet: 10 * s, Seen: true, Reachable: 40, Total: 40}, rpc.PartitionSuspect},
		{"late, three of four", sight{Age: 10 * s, Quiet: 10 * s, Seen: true, Reachable: 30, Total: 40}, rpc.PartitionSuspect},
		{"late, just two thirds", sight{Age: 10 * s, Quiet: 10 * s, Seen: true, Reachable: 20, Total: 30}, rpc.PartitionMinority},
		{"late, a bit more", sight{Age: 10 * s, Quiet: 10 * s, Seen: true, Reachable: 21, Total: 30}, rpc.PartitionSuspect},
		{"late, half", sight{Age: 10 * s, Quiet: 10 * s, Seen: true, Reachable: 20, Total: 40}, rpc.PartitionMinority},
		{"late, alone for long", sight{Age: 99 * s, Quiet: 99 * s, Seen: true, Reachable: 10, Total: 40}, rpc.PartitionMinority},
		{"quorum and nothing", sight{Age: 40 * s, Quiet: 40 * s, Seen: true, Reachable: 30, Total: 40}, rpc.PartitionStalled},
		{"quorum and nothing, a bit earlier", sight{Age: 40 * s, Quiet: 40*s - 1, Seen: true, Reachable: 30, Total: 40}, rpc.PartitionSuspect},
		{"others have blocks", sight{Age: 99 * s, Quiet: 99 * s, Seen: true, Behind: true, Reachable: 30, Total: 40}, rpc.PartitionSuspect},
		{"others had blocks, and are gone", sight{Age: 99 * s, Quiet: 99 * s, Seen: true, Behind: true, Reachable: 10, Total: 40}, rpc.PartitionMinority},
		{"old blocks come", sight{Age: time.Hour, Quiet: s, Seen: true, Behind: true, Reachable: 40, Total: 40}, rpc.PartitionSuspect},
		{"a clock an hour ahead", sight{Age: time.Hour, Quiet: s, Seen: true, Reachable: 10, Total: 40}, rpc.PartitionSuspect},
		{"a clock an hour behind", sight{Age: 0, Quiet: 10 * s, Seen: true, Reachable: 10, Total: 40}, rpc.PartitionMinority},
		{"restarted quickly", sight{Age: 2 * s, Quiet: s, Reachable: 10, Total: 40}, rpc.PartitionOK},
		{"restarted alone", sight{Age: 10 * s, Quiet: 0, Reachable: 10, Total: 40}, rpc.PartitionMinority},
		{"restarted among others", sight{Age: time.Hour, Quiet: s, Reachable: 40, Total: 40}, rpc.PartitionSuspect},
		{"restarted alone, with a clock behind", sight{Age: 0, Quiet: 10 * s, Reachable: 10, Total: 40}, rpc.PartitionMinority},
		{"the only validator goes on", sight{Age: time.Hour, Quiet: s, Reachable: 10, Total: 10}, rpc.PartitionSuspect},
		{"the network begins", sight{Quiet: s, Reachable: 10, Total: 40}, rpc.PartitionOK},
		{"no state yet", sight{Quiet: 10 * s}, rpc.PartitionSuspect},
		{"no state for long", sight{Quiet: 40 * s}, rpc.PartitionStalled},
		{"no state for long, others have", sight{Quiet: 40 * s, Behind: true}, rpc.PartitionSuspect},
	} {
		if got := p.judge(c.see); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}

// TestCarriedAge: what carries the time of the genesis document does not make a network that begins look late.
func TestCarriedAge(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	for _, c := range []struct {
		height, timeMS uint64
		want           time.Duration
	}{
		{0, 0, 0}, {0, 990_000, 0}, {1, 990_000, 0}, {2, 990_000, 10 * time.Second}, {2, 1_000_000, 0}, {2, 1_000_001, 0},
	} {
		if got := carriedAge(c.height, c.timeMS, now); got != c.want {
			t.Errorf("height %d at %d ms: %v, want %v", c.height, c.timeMS, got, c.want)
		}
	}
}

// TestPatienceFollowsTheProfile: a wide network is given more time.
func TestPatienceFollowsTheProfile(t *testing.T) {
	lan, wan := Default("home", ProfileLAN).patience(), Default("home", ProfileWAN).patience()
	if lan.Suspect <= 2*Default("home", ProfileLAN).Engine.Consensus.TimeoutPropose || lan.Suspect > 3*time.Second || wan.Suspect <= lan.Suspect {
		t.Errorf("lan %+v, wan %+v", lan, wan)
	}
	if lan.Stalled != 4*lan.Suspect || wan.Stalled != 4*wan.Suspect {
		t.Errorf("lan %+v, wan %+v", lan, wan)
	}
}

// TestReachablePower: peers count for the validators of their names, and those without one for the strongest left.
func TestReachablePower(t *testing.T) {
	a, b, c := voter{"a", 10, true}, voter{"b", 20, false}, voter{"c", 40, false}
	all := []voter{a, b, c, {"d", 5, false}}
	for _, x := range []struct {
		what   string
		voters []voter
		peers  []string
		want   uint64
	}{
		{"nobody", all, nil, 10},
		{"one by name", all, []string{"b"}, 30},
		{"all by name", all, []string{"d", "c", "b"}, 75},
		{"one twice", all, []string{"b", "b"}, 30},
		{"one without a name", all, []string{""}, 50},
		{"one with another name", all, []string{"elsewhere"}, 50},
		{"two without names", all, []string{"", ""}, 70},
		{"by name before without", all, []string{"", "c"}, 70},
		{"more than there are", all, []string{"", "", "", "", ""}, 75},
		{"no validator, hears two", all[1:], []string{"b", "d"}, 25},
		{"no validators", nil, []string{"b"}, 0},
		{"two of one name, one peer", []voter{a, b, {"b", 7, false}}, []string{"b"}, 30},
	} {
		if got := reachablePower(x.voters, x.peers); got != x.want {
			t.Errorf("%s: %d, want %d", x.what, got, x.want)
		}
	}
}
