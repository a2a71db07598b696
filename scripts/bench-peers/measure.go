package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"
)

// systems are what can be measured, in the order of a round.
var systems = []struct {
	name, config string
	measure      func(context.Context, string, plan) (Result, error)
}{
	{"tetrad", "single-signature transfers over POST /v1/transactions:batch; all defaults", measureTetrad},
	{"kvstore", "in-memory kvstore, 250-byte pairs, no signatures; flood mempool of 20,000, no recheck, null indexer, commit 100 ms, 500 kB blocks, GOGC=400; window 10,000 over four websockets; latency: commit 0, gossip sleep 10 ms, flush 1 ms", measureChain},
	{"cosmos", "SDK 0.55.0, MinimumAppConfig, bank MsgSend, secp256k1; defaults but null indexer, commit 100 ms, 500 kB blocks; window 1,000", measureChain},
	{"cosmos-fast", "as cosmos with no recheck, optimistic execution, IAVL cache of 1 M nodes, responses discarded, GOGC=400", measureChain},
	{"cosmos-stm", "as cosmos-fast with the Block-STM executor", measureChain},
	{"etcd", "3 members of 3.6.8, puts of 256 bytes; 500 clients over 30 connections", measureEtcd},
}

func systemNames() []string {
	var names []string
	for _, s := range systems {
		names = append(names, s.name)
	}
	return names
}

func measure(ctx context.Context, name string, p plan) (Result, error) {
	i := slices.Index(systemNames(), name)
	if i < 0 {
		return Result{}, fmt.Errorf("no system %q", name)
	}
	// Whatever hangs ends here: starting, warming up, measuring twice, and stopping take no longer.
	ctx, cancel := context.WithTimeout(ctx, time.Duration(p.seconds+p.light)*time.Second+3*time.Minute)
	defer cancel()
	r, err := systems[i].measure(ctx, name, p)
	if err != nil {
		return r, fmt.Errorf("%s: %w", name, err)
	}
	r.System, r.Config = name, systems[i].config
	return r, nil
}

// measureChain measures a chain on CometBFT: full load on one network, light load on a second one whose
// settings favour latency.
func measureChain(ctx context.Context, name string, p plan) (Result, error) {
	r := Result{Replicas: replicas, Signed: name != "kvstore", LightRate: p.lightRate}
	err := withChain(ctx, name, p, false, func(c *cluster, l *chainLoad) error {
		return fullChain(ctx, &r, p, c, l, windows[name])
	})
	if err != nil || p.light == 0 {
		return r, err
	}
	err = withChain(ctx, name, p, true, func(_ *cluster, l *chainLoad) error {
		if err := l.light(ctx, p.lightRate, p.light); err != nil {
			return err
		}
		for patience := lightPatience; patience > 0 && l.decided() < int(l.next.Load()); patience-- {
			if !sleep(ctx, 100*time.Millisecond) {
				return ctx.Err()
			}
		}
		_, failed, latencies, err := l.take()
		r.Failed += failed
		r.LightP50MS, r.LightP99MS = quantiles(latencies)
		return err
	})
	return r, err
}

// lightPatience is for how many tenths of a second the last transactions at light load are waited for.
const lightPatience = 200

// blocksMin is how many blocks a rate is taken from, at least: a chain whose blocks take seconds is measured for
// longer.
const blocksMin = 4

// windows are how many transactions are under way: what gave the most on two cores.
var windows = map[string]int{"kvstore": 10_000, "cosmos": 1_000, "cosmos-fast": 1_000, "cosmos-stm": 1_000}

// fullChain counts what is committed between the warm-up and the end.
func fullChain(ctx context.Context, r *Result, p plan, c *cluster, l *chainLoad, window int) error {
	loaded, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- l.full(loaded, window) }()
	if !sleep(ctx, warmup) {
		return ctx.Err()
	}
	if _, _, _, err := l.take(); err != nil {
		return err
	}
	begun := time.Now()
	before, _ := c.usage()
	select {
	case err := <-ended:
		return fmt.Errorf("the load ended early: %w\n%s", err, c.words())
	case <-time.After(time.Duration(p.seconds) * time.Second):
	}
	for patience := 30; patience > 0 && l.blocksSeen() < blocksMin && sleep(ctx, time.Second); patience-- {
	}
	blocks, failed, latencies, err := l.take()
	after, rss := c.usage()
	r.Committed, r.Seconds = steady(blocks)
	r.Failed, r.RSSBytes = failed, rss
	r.LoadP50MS, r.LoadP99MS = quantiles(latencies)
	r.finish((after - before) / time.Since(begun).Seconds())
	stop()
	if err == nil && r.Committed == 0 {
		err = fmt.Errorf("nothing was committed\n%s", c.words())
	}
	return err
}

// withChain runs a network for as long as use takes.
func withChain(ctx context.Context, name string, p plan, latency bool, use func(*cluster, *chainLoad) error) error {
	c, err := newCluster(name)
	if err != nil {
		return err
	}
	defer c.stop()
	all := places(c.dir, p.port)
	var w work = kvWork(10_000 * (p.seconds + 30))
	var peers string
	if name == "kvstore" {
		peers, err = layOut(all, nil, nil)
	} else {
		keys := cosmosKeys()
		if peers, err = layOut(all, nil, cosmosGenesis(keys)); err == nil {
			w, err = newCosmosWork(keys, cosmosTxs(p, latency))
		}
	}
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var env []string
	if name != "cosmos" {
		env = append(env, "GOGC=400")
	}
	for _, at := range all {
		args := []string{"node", "-system", name, "-home", at.home, "-port", fmt.Sprint(at.port), "-peers", peers, fmt.Sprintf("-latency=%t", latency)}
		if err := c.start(env, self, args...); err != nil {
			return err
		}
	}
	connecting, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	l, err := dialChain(connecting, all, w)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, c.words())
	}
	defer l.close()
	if !sleep(ctx, 3*time.Second) { // the peers find each other
		return ctx.Err()
	}
	return use(c, l)
}

// cosmosTxs is how many sends may be needed: signing takes as long as sending.
func cosmosTxs(p plan, latency bool) int {
	if latency {
		return int(p.lightRate*float64(p.light)*1.5) + 100
	}
	return 5_000 + 800*(p.seconds+int(warmup.Seconds()))
}

// measureEtcd runs the binary of the other module, which prints the same JSON.
func measureEtcd(ctx context.Context, _ string, p plan) (Result, error) {
	var r Result
	cmd := exec.CommandContext(ctx, p.etcd, "measure", "-seconds", fmt.Sprint(p.seconds), "-light", fmt.Sprint(p.light),
		"-light-rate", fmt.Sprint(p.lightRate), "-base-port", fmt.Sprint(p.port))
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(text, &r)
}
