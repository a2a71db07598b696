package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/rpc"
)

func TestGrouped(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "12": "12", "123": "123", "1234": "1,234", "1234567.89": "1,234,567.89", "100000.000": "100,000.000",
	} {
		if got := grouped(in); got != want {
			t.Errorf("grouped(%s) = %s, want %s", in, got, want)
		}
	}
}

func TestUnits(t *testing.T) {
	for in, want := range map[time.Duration]string{
		999 * time.Millisecond: "999 ms", time.Second: "1.0 s", 90 * time.Second: "1 min", 2 * time.Hour: "2 h",
	} {
		if got := age(in); got != want {
			t.Errorf("age(%d) = %s, want %s", in, got, want)
		}
	}
	for in, want := range map[int64]string{1023: "1023 B", 1024: "1.0 KiB", 1 << 20: "1.0 MiB"} {
		if got := bytesText(in); got != want {
			t.Errorf("bytesText(%d) = %s, want %s", in, got, want)
		}
	}
}

func TestTableIsAligned(t *testing.T) {
	var out strings.Builder
	g := newGrid("name", "n").right(1)
	g.add("a", "1")
	g.add("longer", "1000")
	g.write(&out)
	if want := "NAME       N\na          1\nlonger  1000\n"; out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

// TestNodesTable: what is not well with a node stands in its last column, in words.
func TestNodesTable(t *testing.T) {
	well := rpc.Status{Node: "node0", Height: 9, PlanePeers: 2, Reachable: 30, TotalPower: 40, Partition: rpc.PartitionOK}
	keyless := well
	keyless.Node, keyless.NotAttesting = "node1", "this node has no config/service_key.json"
	late := keyless
	late.Node, late.CatchingUp, late.Height = "node2", true, 2
	var out strings.Builder
	writeNodes(&out, []nodeDocument{{Status: &well}, {Status: &keyless}, {Status: &late}, {Endpoint: "http://x", Error: "refused"}})
	for i, want := range []string{
		`^NODE +HEIGHT +LAG +APP HASH +LAST BLOCK +PEERS +PLANE +POWER +PARTITION +QUEUED +STATE$`,
		`^node0 +9 +0 .* 0 ms +0 +2 +30 of 40 +ok +0 +ok$`,
		`^node1 .* ok +0 +attests nothing: this node has no config/service_key.json$`,
		`^node2 +2 +7 .* catching up; attests nothing: this node`,
		`^http://x( +-){9} +refused$`,
	} {
		if line := strings.Split(out.String(), "\n")[i]; !regexp.MustCompile(want).MatchString(line) {
			t.Errorf("%q does not match %s", line, want)
		}
	}
}

func TestSplitAmount(t *testing.T) {
	for _, good := range []string{"12.50usd", " 12.50 usd ", "1u", "0.1gold2"} {
		if _, err := splitAmount(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "usd", "12", "-1usd", "1,0usd", "1_0usd", "--", "."} {
		if _, err := splitAmount(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
