package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// Levels of reads, by the names that each system's own documentation gives them.
const (
	levelEventual = "eventual"
	levelSession  = "session"
	levelVerified = "verified"
	levelStrong   = "strong"

	levelStale        = "stale"
	levelLinearizable = "linearizable"
	levelSerializable = "serializable"
)

// A network with one validator proves as well as one with four; but what it proves is that one validator's word.
func (t *tetrad) levels() []string {
	if t.passive {
		return []string{levelEventual, levelSession, levelVerified}
	}
	return []string{levelEventual, levelSession, levelVerified, levelStrong}
}

// balancer reads balances at some level.
type balancer interface {
	Balance(ctx context.Context, id, asset string, o client.ReadOptions) (rpc.Balance, error)
}

func (t *tetrad) reader(level string, urls []string) (readFunc, func(), error) {
	options := client.VerifiedOptions{Options: client.Options{Endpoints: urls}, ChainID: t.name.id, GenesisHash: t.name.genesis}
	var by balancer
	done := func() {}
	switch level {
	case levelVerified:
		v, err := client.NewVerified(options)
		if err != nil {
			return nil, nil, err
		}
		by, done = v, func() { _ = v.Close() }
	case levelStrong:
		s, err := client.NewStrong(client.StrongOptions{VerifiedOptions: options})
		if err != nil {
			return nil, nil, err
		}
		by, done = s, func() { _ = s.Close() }
	default:
		options.Consistency = level
		c, err := client.New(options.Options)
		if err != nil {
			return nil, nil, err
		}
		by = c
	}
	return func(ctx context.Context, r request) (uint64, error) {
		return cents(by.Balance(ctx, r.to.String(), genesis.DevAsset, client.ReadOptions{}))
	}, done, nil
}

// throughput is what Tetrad's own load tool measures and audits.
func (t *tetrad) throughput(ctx context.Context) (float64, string, error) {
	file, how := filepath.Join(t.lab.dir, "report.json"), "`tetrad bench --max`, batches of 256"
	args := []string{
		"bench", "--home", filepath.Join(t.lab.dir, "net", "client"), "--max", "--accounts", fmt.Sprint(payers),
		"--warmup", "2s", "--duration", (fullSpan + 2*time.Second).String(), "--report", file,
	}
	if t.passive { // followers would pass on what they get, slowly
		args, how = append(args, "--nodes", "0"), how+" to the active node"
	}
	out, err := exec.CommandContext(ctx, t.lab.plan.tetrad, args...).CombinedOutput()
	if err != nil {
		return 0, "", fmt.Errorf("tetrad bench: %w: %s", err, out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, "", err
	}
	var report struct {
		Rate  float64
		Audit string
	}
	if err := json.Unmarshal(text, &report); err != nil {
		return 0, "", err
	}
	if report.Audit != "ok" {
		return 0, "", fmt.Errorf("tetrad bench: the audit says %q", report.Audit)
	}
	return report.Rate, how, nil
}

func (s *raftSystem) levels() []string { return []string{levelStale, levelLinearizable} }

func (s *raftSystem) reader(level string, urls []string) (readFunc, func(), error) {
	f := newFinder(urls, s.probe)
	return func(ctx context.Context, r request) (uint64, error) {
		return raftAmount(f.send(ctx, level == levelLinearizable, http.MethodGet, raftPath(r, level == levelLinearizable), nil))
	}, watching(f), nil
}

// throughput sends batches of Tetrad's size from some clients at once, signed beforehand as Tetrad's tool does.
func (s *raftSystem) throughput(ctx context.Context) (float64, string, error) {
	const clients, batch, batches = 16, 256, 2000
	requests, err := s.name.sign(known, batch*batches)
	if err != nil {
		return 0, "", err
	}
	bodies := make(chan []byte, batches)
	for i := range batches {
		var body []byte
		for _, r := range requests[i*batch : (i+1)*batch] {
			body = ledger.AppendDelimited(body, r.tx.Raw)
		}
		bodies <- body
	}
	close(bodies)
	rate, err := closedLoop(ctx, clients, func(ctx context.Context) (int, error) {
		body, more := <-bodies
		if !more {
			return 0, errEmpty
		}
		_, err := s.patient(ctx, "/transactions", body)
		return batch, err
	})
	return rate, fmt.Sprintf("%d clients, batches of %d", clients, batch), err
}

func (s *etcdSystem) levels() []string { return []string{levelSerializable, levelLinearizable} }

func (s *etcdSystem) reader(level string, urls []string) (readFunc, func(), error) {
	f := newFinder(urls, s.probe)
	// Any member answers linearizably, after asking the leader how far it is. So nodes other than the leader serve, too.
	return func(ctx context.Context, r request) (uint64, error) {
		return etcdAmount(f.send(ctx, false, http.MethodPost, "/v3/kv/range", etcdRead(r, level == levelSerializable)))
	}, watching(f), nil
}

// throughput puts one transaction after another from many clients: etcd has no batches of independent writes.
func (s *etcdSystem) throughput(ctx context.Context) (float64, string, error) {
	const clients, most = 256, 60_000
	requests, err := s.chain().sign(known, most)
	if err != nil {
		return 0, "", err
	}
	var next atomic.Int64
	rate, err := closedLoop(ctx, clients, func(ctx context.Context) (int, error) {
		i := int(next.Add(1)) - 1
		if i >= most {
			return 0, errEmpty
		}
		_, err := s.patient(ctx, "/v3/kv/txn", etcdWrite(requests[i]))
		return 1, err
	})
	return rate, fmt.Sprintf("%d clients over the JSON gateway, one write each", clients), err
}

// watching lets a finder of its own look for the leader until it is no longer needed.
func watching(f *finder) (done func()) {
	ctx, stop := context.WithCancel(context.Background())
	go f.watch(ctx)
	return func() {
		stop()
		f.http.CloseIdleConnections()
	}
}

// patient sends to the leader without the short patience of single requests: at full load all of them wait.
func (f *finder) patient(ctx context.Context, path string, body []byte) ([]byte, error) {
	node := f.leading()
	if node < 0 {
		return nil, errNoLeader
	}
	answer, _, err := exchange(ctx, f.http, f.urls[node], http.MethodPost, path, body)
	return answer, err
}

var errEmpty = fmt.Errorf("out of writes: the system is faster than what was prepared for it")

// closedLoop lets clients write one thing after another, and counts what is acknowledged after a quarter of the time.
func closedLoop(ctx context.Context, clients int, write func(context.Context) (int, error)) (float64, error) {
	begin := time.Now().Add(fullSpan / 4)
	end := begin.Add(fullSpan)
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	var written atomic.Int64
	var fault atomic.Pointer[error]
	var done sync.WaitGroup
	for range clients {
		done.Go(func() {
			for ctx.Err() == nil {
				n, err := write(ctx)
				if err != nil && ctx.Err() == nil {
					fault.Store(&err)
					return
				}
				if now := time.Now(); err == nil && now.After(begin) && now.Before(end) {
					written.Add(int64(n))
				}
			}
		})
	}
	done.Wait()
	if err := fault.Load(); err != nil {
		return 0, *err
	}
	return float64(written.Load()) / fullSpan.Seconds(), nil
}
