package node

import (
	"context"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	cmtcs "github.com/cometbft/cometbft/consensus"
	cmtp2p "github.com/cometbft/cometbft/p2p"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// Status describes the node without waiting for consensus.
func (b backend) Status(context.Context) (rpc.Status, error) {
	n := b.n
	out := rpc.Status{
		Node: n.config.Engine.Moniker, ChainID: n.doc.ChainID, GenesisHash: n.doc.Hash(), Version: n.options.version,
		CatchingUp: n.catchingUp(), NotReady: n.notReady(), UptimeS: int64(time.Since(n.born).Seconds()),
	}
	out.FirstBlock = uint64(max(0, n.engine.BlockStore().Base()))
	if all := n.app.Snapshots(); len(all) > 0 {
		out.Snapshot = all[len(all)-1].Height
	}
	heights := n.peerHeights()
	out.Peers = len(heights)
	if n.app.Ready() {
		view := n.app.View()
		defer view.Close()
		out.Height, out.AppHash = view.Height(), view.Root()
		out.FirstHeight = n.app.FirstHeight()
		at := time.UnixMilli(int64(view.TimeMS()))
		out.BlockTime = at.UTC().Format(time.RFC3339Nano)
		out.BlockAgeMS = max(0, time.Since(at).Milliseconds())
		var err error
		if out.Validators, err = validatorCount(view); err != nil {
			return rpc.Status{}, err
		}
		if out.Region, err = regionOf(view, n.identity.Validator); err != nil {
			return rpc.Status{}, err
		}
	}
	out.Lag = lag(out.Height, heights)
	out.Partition = n.reach.partition()
	out.Reachable, out.TotalPower = n.reach.reachable.Load(), n.reach.total.Load()
	waiting := n.outbox.Stats()
	out.OutboxTxs, out.OutboxBytes = waiting.Txs, int64(waiting.Bytes)
	out.NotAttesting, out.PlanePeers = nodeSource{n}.unfit(), n.planePeers()
	pool := n.app.PoolStats()
	out.PoolTxs, out.PoolBytes = pool.Txs, int64(pool.Bytes)
	out.CPUSeconds, out.RSSBytes = usage()
	return out, nil
}

// firstBlock is the lowest height whose block is kept or, right after a restore from a snapshot, the first that
// will be.
func (n *Node) firstBlock() uint64 {
	if base := n.engine.BlockStore().Base(); base > 0 {
		return uint64(base)
	}
	return n.app.FirstHeight() + 1
}

// catchingUp tells whether CometBFT is still fetching blocks that the others have.
func (n *Node) catchingUp() bool { return n.engine.ConsensusReactor().WaitSync() }

// notReady lists why the node should get no requests now.
func (n *Node) notReady() []string {
	var out []string
	if n.stopping.Load() {
		out = append(out, "stopping")
	}
	if n.starting.Load() {
		out = append(out, "starting")
	}
	if n.app.DiskLow() {
		out = append(out, "disk low: no new transactions are taken")
	}
	return out
}

// peerHeights are the heights that the peers say they have committed, one for each peer.
func (n *Node) peerHeights() []uint64 {
	var heights []uint64
	n.engine.Switch().Peers().ForEach(func(p cmtp2p.Peer) {
		var height uint64
		if state, ok := p.Get(cmttypes.PeerStateKey).(*cmtcs.PeerState); ok {
			height = uint64(max(0, state.GetHeight()-1)) // a peer works on the height after
		}
		heights = append(heights, height)
	})
	return heights
}

// lag is how far the node is behind a height that a third of its peers and one more have reached: fewer could
// all be lying.
func lag(own uint64, peers []uint64) uint64 {
	if len(peers) == 0 {
		return 0
	}
	slices.Sort(peers)
	reached := peers[len(peers)-1-len(peers)/3]
	// A peer is a block ahead in every round of consensus without anybody being behind.
	if reached <= own+1 {
		return 0
	}
	return reached - own
}

// regionOf is the approved region of a validator's node; empty where there is none.
func regionOf(r ledger.Reader, key crypto.PublicKey) (string, error) {
	raw, err := r.Get(ledger.KeyNode(crypto.ValidatorIDOf(key.Type, key.Bytes)))
	if err != nil || raw == nil {
		return "", err
	}
	n, err := ledger.DecodeNode(raw)
	return n.Region(), err
}

// validatorCount counts the validators with power.
func validatorCount(r ledger.Reader) (int, error) {
	raw, err := r.Get(ledger.KeyValidators())
	if err != nil || raw == nil {
		return 0, err
	}
	ids, err := ledger.DecodeValidators(raw)
	if err != nil {
		return 0, err
	}
	count := 0
	for _, id := range ids {
		raw, err := r.Get(ledger.KeyValidator(id))
		if err != nil {
			return 0, err
		}
		v, err := ledger.DecodeValidator(raw)
		if err != nil {
			return 0, err
		}
		if v.Power > 0 {
			count++
		}
	}
	return count, nil
}

// usage is the processor time and the memory the process has used. Where the system does not tell its
// memory, what Go took from it stands in.
func usage() (cpuSeconds float64, rssBytes int64) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err == nil {
		cpuSeconds = seconds(r.Utime) + seconds(r.Stime)
	}
	if data, err := os.ReadFile("/proc/self/statm"); err == nil {
		if fields := strings.Fields(string(data)); len(fields) > 1 {
			if pages, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
				return cpuSeconds, pages * int64(os.Getpagesize())
			}
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return cpuSeconds, int64(m.Sys)
}

func seconds(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
