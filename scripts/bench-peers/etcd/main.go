// Command bench-etcd measures three members of etcd with puts of 256 bytes for bench-peers: the same machine,
// the same JSON. Members are processes of this same binary.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
)

const (
	members     = 3
	connections = 30
	clients     = 500
	valueBytes  = 256
	warmup      = 4 * time.Second
)

func main() {
	runtime.LockOSThread() // the kernel ends a child with the thread that made it
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench-etcd:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("say measure or member")
	}
	f := flag.NewFlagSet(args[0], flag.ContinueOnError)
	seconds := f.Int("seconds", 20, "how long to measure at full load")
	light := f.Int("light", 10, "how long to measure at light load")
	rate := f.Float64("light-rate", 20, "puts per second at light load")
	port := f.Int("base-port", 28100, "first port")
	dir := f.String("dir", "", "of a member")
	index := f.Int("index", 0, "of a member")
	clientURLs := f.String("clients", "", "of a member: where clients reach all members, separated by commas (default loopback)")
	peerURLs := f.String("peers", "", "of a member: where members reach each other, likewise")
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	switch args[0] {
	case "member":
		clients, peers := loopback(*port)
		if *clientURLs != "" {
			clients = strings.Split(*clientURLs, ",")
		}
		if *peerURLs != "" {
			peers = strings.Split(*peerURLs, ",")
		}
		return member(ctx, *index, clients, peers, *dir)
	case "measure":
		return measure(ctx, *seconds, *light, *rate, *port)
	}
	return fmt.Errorf("unknown command %q", args[0])
}

func clientURL(port, i int) string { return fmt.Sprintf("http://127.0.0.1:%d", port+10*i) }
func peerURL(port, i int) string   { return fmt.Sprintf("http://127.0.0.1:%d", port+10*i+1) }

// loopback is where the members are unless they are told otherwise.
func loopback(port int) (clients, peers []string) {
	for i := range members {
		clients, peers = append(clients, clientURL(port, i)), append(peers, peerURL(port, i))
	}
	return clients, peers
}

// member is one member until it is told to stop. It has etcd's defaults, and says only what goes wrong.
func member(ctx context.Context, index int, clients, peers []string, dir string) error {
	c := embed.NewConfig()
	c.Name, c.Dir, c.LogLevel = fmt.Sprint("m", index), dir, "error"
	listen := func(text string) []url.URL {
		u, err := url.Parse(text)
		if err != nil {
			panic("bench-etcd: " + err.Error())
		}
		return []url.URL{*u}
	}
	c.ListenClientUrls, c.AdvertiseClientUrls = listen(clients[index]), listen(clients[index])
	c.ListenPeerUrls, c.AdvertisePeerUrls = listen(peers[index]), listen(peers[index])
	var all []string
	for i, peer := range peers {
		all = append(all, fmt.Sprintf("m%d=%s", i, peer))
	}
	c.InitialCluster = strings.Join(all, ",")
	e, err := embed.StartEtcd(c)
	if err != nil {
		return err
	}
	defer e.Close()
	select {
	case <-ctx.Done():
		return nil
	case err := <-e.Err():
		return err
	}
}

// result has the names of bench-peers' Result.
type result struct {
	Replicas        int     `json:"replicas"`
	Committed       int     `json:"committed"`
	Failed          int     `json:"failed"`
	Seconds         float64 `json:"seconds"`
	PerSecond       float64 `json:"per_second"`
	LoadP50MS       float64 `json:"load_p50_ms"`
	LoadP99MS       float64 `json:"load_p99_ms"`
	LightRate       float64 `json:"light_rate"`
	LightP50MS      float64 `json:"light_p50_ms"`
	LightP99MS      float64 `json:"light_p99_ms"`
	CPUUs           float64 `json:"cpu_us_per_tx"`
	CPUUsPerReplica float64 `json:"cpu_us_per_tx_per_replica"`
	RSSBytes        int64   `json:"rss_bytes_max"`
}

func measure(ctx context.Context, seconds, light int, rate float64, port int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(seconds+light)*time.Second+2*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "bench-etcd-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	children, stop, err := start(dir, port)
	defer stop()
	if err != nil {
		return err
	}
	var endpoints []string
	for i := range members {
		endpoints = append(endpoints, clientURL(port, i))
	}
	pool := make([]*clientv3.Client, connections)
	for i := range pool {
		if pool[i], err = clientv3.New(clientv3.Config{Endpoints: endpoints, DialTimeout: 20 * time.Second}); err != nil {
			return err
		}
		defer pool[i].Close()
	}
	if _, err := pool[0].Put(ctx, "ready", "yes"); err != nil {
		return fmt.Errorf("the first put: %w", err)
	}
	r := result{Replicas: members, LightRate: rate}
	if light > 0 {
		r.LightP50MS, r.LightP99MS = quantiles(atRate(ctx, pool, rate, light, &r.Failed))
	}
	full(ctx, &r, pool, seconds, children)
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	fmt.Println(string(text))
	return ctx.Err()
}

// start runs the members. stop ends them.
func start(dir string, port int) (children []*exec.Cmd, stop func(), err error) {
	stop = func() {
		for _, child := range children {
			_ = child.Process.Signal(syscall.SIGTERM)
		}
		patience := time.AfterFunc(5*time.Second, func() {
			for _, child := range children {
				_ = child.Process.Kill()
			}
		})
		defer patience.Stop()
		for _, child := range children {
			_ = child.Wait()
		}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, stop, err
	}
	for i := range members {
		child := exec.Command(self, "member", "-index", fmt.Sprint(i), "-base-port", fmt.Sprint(port), "-dir", filepath.Join(dir, fmt.Sprint("m", i)))
		log, err := os.Create(filepath.Join(dir, fmt.Sprintf("m%d.log", i)))
		if err != nil {
			return children, stop, err
		}
		defer log.Close()
		child.Stderr = log
		child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := child.Start(); err != nil {
			return children, stop, err
		}
		children = append(children, child)
	}
	return children, stop, nil
}

func value() string { return strings.Repeat("v", valueBytes) }

// full puts with all clients at once, and counts what comes after the warm-up.
func full(ctx context.Context, r *result, pool []*clientv3.Client, seconds int, children []*exec.Cmd) {
	begin := time.Now().Add(warmup)
	end := begin.Add(time.Duration(seconds) * time.Second)
	latencies := make([][]time.Duration, clients)
	failed := make([]int, clients)
	var done sync.WaitGroup
	for c := range clients {
		done.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				begun := time.Now()
				_, err := pool[c%connections].Put(ctx, fmt.Sprintf("key-%d-%d", c, i), value())
				now := time.Now()
				switch {
				case now.After(end):
					return
				case now.Before(begin):
				case err != nil:
					failed[c]++
				default:
					latencies[c] = append(latencies[c], now.Sub(begun))
				}
			}
		})
	}
	time.Sleep(time.Until(begin))
	before, _ := usage(children)
	time.Sleep(time.Until(end))
	after, rss := usage(children)
	done.Wait()
	all := slices.Concat(latencies...)
	for _, n := range failed {
		r.Failed += n
	}
	r.Committed, r.Seconds, r.RSSBytes = len(all), float64(seconds), rss
	r.LoadP50MS, r.LoadP99MS = quantiles(all)
	r.PerSecond = float64(len(all)) / r.Seconds
	if len(all) > 0 {
		r.CPUUs = (after - before) / float64(len(all)) * 1e6
		r.CPUUsPerReplica = r.CPUUs / members
	}
}

// atRate puts with Poisson arrivals; latency begins at the intended time.
func atRate(ctx context.Context, pool []*clientv3.Client, rate float64, seconds int, failed *int) []time.Duration {
	random := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex // guards latencies and failed
	var latencies []time.Duration
	var done sync.WaitGroup
	due := time.Now()
	for end := due.Add(time.Duration(seconds) * time.Second); due.Before(end); {
		due = due.Add(time.Duration(random.ExpFloat64() / rate * float64(time.Second)))
		time.Sleep(time.Until(due))
		begun := due
		done.Go(func() {
			_, err := pool[0].Put(ctx, fmt.Sprint("light-", begun.UnixNano()), value())
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				*failed++
				return
			}
			latencies = append(latencies, time.Since(begun))
		})
	}
	done.Wait()
	return latencies
}

func quantiles(latencies []time.Duration) (p50, p99 float64) {
	if len(latencies) == 0 {
		return 0, 0
	}
	slices.Sort(latencies)
	at := func(q float64) float64 {
		return float64(latencies[min(len(latencies)-1, int(q*float64(len(latencies))))].Microseconds()) / 1000
	}
	return at(0.50), at(0.99)
}

// usage is the processor time of all members so far, and the memory of the largest.
func usage(children []*exec.Cmd) (seconds float64, rss int64) {
	for _, child := range children {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child.Process.Pid))
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 22 {
			continue
		}
		user, _ := strconv.ParseFloat(fields[11], 64)
		system, _ := strconv.ParseFloat(fields[12], 64)
		pages, _ := strconv.ParseInt(fields[21], 10, 64)
		seconds += (user + system) / 100
		rss = max(rss, pages*int64(os.Getpagesize()))
	}
	return seconds, rss
}
