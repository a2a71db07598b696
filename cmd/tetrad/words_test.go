package main

import (
	"strings"
	"testing"
	"time"
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
