package main

import (
	"testing"
	"time"
)

func TestSteady(t *testing.T) {
	now := time.Now()
	blocks := []seenBlock{{now, 500}, {now.Add(time.Second), 10}, {now.Add(3 * time.Second), 20}}
	if committed, seconds := steady(blocks); committed != 30 || seconds != 3 {
		t.Errorf("%d in %g s", committed, seconds)
	}
	if committed, seconds := steady(blocks[:1]); committed != 0 || seconds != 0 {
		t.Errorf("one block: %d in %g s", committed, seconds)
	}
}

// TestSummary: the ratio is taken within each round, since the machine may change between rounds.
func TestSummary(t *testing.T) {
	results := []Result{
		{System: "tetrad", Round: 1, PerSecond: 1000},
		{System: "etcd", Round: 1, PerSecond: 500},
		{System: "tetrad", Round: 2, PerSecond: 300},
		{System: "etcd", Round: 2, PerSecond: 100},
		{System: "etcd", Round: 3, PerSecond: 50}, // Tetrad failed in that round
	}
	s := summarise([]string{"tetrad", "etcd", "kvstore"}, results)
	if len(s) != 2 || s[1].System != "etcd" || s[1].Rounds != 3 {
		t.Fatalf("%+v", s)
	}
	if s[1].Ratio != (spread{2.5, 2, 3}) || s[1].PerSecond != (spread{100, 50, 500}) || s[0].Ratio != (spread{1, 1, 1}) {
		t.Errorf("%+v", s)
	}
}

func TestQuantiles(t *testing.T) {
	var latencies []time.Duration
	for i := 100; i > 0; i-- {
		latencies = append(latencies, time.Duration(i)*time.Millisecond)
	}
	if p50, p99 := quantiles(latencies); p50 != 51 || p99 != 100 {
		t.Errorf("%g, %g", p50, p99)
	}
	if p50, p99 := quantiles(nil); p50 != 0 || p99 != 0 {
		t.Errorf("%g, %g", p50, p99)
	}
}

func TestKVWork(t *testing.T) {
	w := kvWork(1000)
	for _, i := range []int{0, 7, 999} {
		if tx := w.tx(i); len(tx) != kvBytes || w.find(tx) != i {
			t.Errorf("%d is found as %d", i, w.find(w.tx(i)))
		}
	}
	if w.find([]byte("a=b")) != -1 || w.find(kvWork(2000).tx(1500)) != -1 {
		t.Error("something else is taken for one of ours")
	}
}

// TestCosmosWork: transactions are signed by accounts in turn, in sequence, and found again.
func TestCosmosWork(t *testing.T) {
	keys := cosmosKeys()[:3]
	w, err := newCosmosWork(keys, 7)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for i := range w.count() {
		if w.find(w.tx(i)) != i || seen[string(w.tx(i))] {
			t.Errorf("transaction %d is found as %d", i, w.find(w.tx(i)))
		}
		seen[string(w.tx(i))] = true
	}
	if w.find([]byte("other")) != -1 {
		t.Error("something else is taken for one of ours")
	}
}
