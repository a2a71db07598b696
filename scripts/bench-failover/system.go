package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// system is one way to keep the ledger on several nodes, while a network of it is up.
type system interface {
	// start brings up all nodes and returns when they take writes.
	start(ctx context.Context) error
	// watch does what belongs to the system and is not a node, such as an operator, until the context ends.
	watch(ctx context.Context)
	// chain is what writes are signed for.
	chain() chain
	// leader is the node through which writes go now: the leader, the proposer, the active one.
	leader(ctx context.Context) (int, error)
	// write returns when the write is acknowledged, or will not be. It tries node after node, always with the same bytes.
	write(ctx context.Context, r request) error
	// read is how much a write has paid, at the level of the kind.
	read(ctx context.Context, k kind, r request) (uint64, error)
	// inspect is read for the audit: from a node that takes writes now, after everything.
	inspect(ctx context.Context, r request) (uint64, error)
	// revive starts a node again that was killed, or says that nobody would.
	revive(i int) error
	// levels are the levels of reads by name; reader reads at one of them from these nodes alone.
	levels() []string
	reader(level string, urls []string) (readFunc, func(), error)
	urls() []string
	// lie spoils an answer as a node would that lies about balances.
	lie(answer []byte) []byte
	// throughput is how many writes per second are committed at full load.
	throughput(ctx context.Context) (perSecond float64, how string, err error)
	close()
}

// readFunc reads how much a write has paid.
type readFunc func(ctx context.Context, r request) (uint64, error)

// systems are what can be measured, in the order of a round.
var systems = []struct {
	name, config string
	nodes        int
	make         func(*lab) system
}{
	{"aa", "Tetrad, 4 validators, lan profile, all defaults; the Go client over all of them, with probes; local reads are `session`, strong ones `strong`", 4, func(l *lab) system { return newTetrad(l, false) }},
	{"ap", "Tetrad, 1 validator and 3 followers, otherwise the same binary and settings; the same client, for writes and strong reads over the active node, for local reads over all", 4, func(l *lab) system { return newTetrad(l, true) }},
	{"raft", "the packages `ledger` and `ledger/store` on hashicorp/raft v1.7.3 with raft-boltdb v2.3.1, 3 nodes, default timeouts (1 s), every entry synced; the leader checks signatures", 3, func(l *lab) system { return newRaft(l, 0) }},
	{"raft-tuned", "the same with heartbeat and election timeouts of 300 ms and a lease of 150 ms", 3, func(l *lab) system { return newRaft(l, tunedElection) }},
	{"etcd", "3 members of 3.6.8, all defaults (heartbeat 100 ms, election 1 s); each write puts the signed transaction's bytes unless its key is there; nobody checks signatures", 3, func(l *lab) system { return newEtcd(l) }},
}

func systemNames() []string {
	var names []string
	for _, s := range systems {
		names = append(names, s.name)
	}
	return names
}

func systemIndex(name string) int { return slices.Index(systemNames(), name) }

// Faults, and whom they hit.
const (
	faultNone      = "none"
	faultKill      = "kill"
	faultStop      = "stop"
	faultPartition = "partition"

	targetLeader = "leader"
	targetOther  = "other"
)

var (
	faultNames  = []string{faultNone, faultKill, faultStop, faultPartition}
	targetNames = []string{targetLeader, targetOther}
)

// injure inflicts a fault on a node; the function that it returns ends the fault.
func injure(l *lab, sys system, fault string, i int) (end func() error, err error) {
	switch fault {
	case faultNone:
		return func() error { return nil }, nil
	case faultKill:
		return func() error { return sys.revive(i) }, l.kill(i)
	case faultStop:
		return func() error { return l.thaw(i) }, l.freeze(i)
	case faultPartition:
		return func() error { return l.heal(i) }, l.cut(i)
	}
	return nil, fmt.Errorf("unknown fault %q", fault)
}

// processSeconds reads /proc. A tick is a hundredth of a second on every Linux that matters.
func processSeconds(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100
}
