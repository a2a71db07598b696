package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// raftServer is a node's HTTP API. The leader gathers what clients send into entries, one under way at a time, as
// Tetrad's proposers gather it into blocks.
type raftServer struct {
	id       int
	raft     *raft.Raft
	fsm      *machine
	chainID  string
	genesis  crypto.Hash
	verifier *crypto.Verifier
	work     chan *proposal
	ready    atomic.Bool // this node leads, and has applied all that earlier leaders committed
}

// proposal is transactions that came together, with good signatures.
type proposal struct {
	raws [][]byte
	done chan error
}

// raftStatus is what a node says of itself.
type raftStatus struct {
	Leader  bool   `json:"leader"`
	Term    uint64 `json:"term"`
	Applied uint64 `json:"applied"`
}

// raftBodyMax bounds a request.
const raftBodyMax = 4 << 20

func (n *raftServer) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, raftStatus{n.ready.Load(), n.raft.CurrentTerm(), n.raft.AppliedIndex()})
	})
	mux.HandleFunc("POST /transactions", n.submit)
	mux.HandleFunc("GET /balances/{account}", n.balance)
	return mux
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a client that went away is not our problem
}

// follow notes when this node becomes the leader, and stops being it.
func (n *raftServer) follow(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case leads := <-n.raft.LeaderCh():
			n.ready.Store(false)
			if leads && n.raft.Barrier(10*time.Second).Error() == nil {
				n.ready.Store(n.raft.State() == raft.Leader)
			}
		}
	}
}

// submit takes transactions, each behind its length, and answers when they are committed.
func (n *raftServer) submit(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, raftBodyMax))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	raws, err := ledger.SplitDelimited(body, entryTxsMax/2)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	txs, err := n.check(raws)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	if !n.ready.Load() {
		http.Error(w, "another node leads", http.StatusMisdirectedRequest)
		return
	}
	p := &proposal{raws: raws, done: make(chan error, 1)}
	select {
	case n.work <- p:
	case <-r.Context().Done():
		return
	}
	select {
	case err = <-p.done:
	case <-r.Context().Done():
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	for _, t := range txs {
		if code, known := n.fsm.outcome(t.ID); !known || code != ledger.CodeOK {
			http.Error(w, "failed: "+code.Info().Message, http.StatusUnprocessableEntity)
			return
		}
	}
	reply(w, struct{}{})
}

// check decodes transactions and verifies their signatures, in one batch.
func (n *raftServer) check(raws [][]byte) ([]*ledger.Transaction, error) {
	txs := make([]*ledger.Transaction, len(raws))
	var signed []crypto.Signed
	for i, raw := range raws {
		t, err := ledger.DecodeTransaction(raw)
		if err == nil {
			err = t.CheckChain(n.chainID)
		}
		if err != nil {
			return nil, err
		}
		txs[i] = t
		signed = append(signed, t.Signed(n.genesis)...)
	}
	if bad := n.verifier.Verify(signed); len(bad) > 0 {
		return nil, errors.New("a signature does not verify")
	}
	return txs, nil
}

// propose makes entries of what waits, until the context ends.
func (n *raftServer) propose(ctx context.Context) {
	for {
		var batch []*proposal
		select {
		case <-ctx.Done():
			return
		case first := <-n.work:
			batch = append(batch, first)
		}
		raws := batch[0].raws
		for more := true; more && len(raws) < entryTxsMax/2; {
			select {
			case p := <-n.work:
				batch = append(batch, p)
				raws = append(raws[:len(raws):len(raws)], p.raws...)
			default:
				more = false
			}
		}
		err := n.apply(raws)
		for _, p := range batch {
			p.done <- err
		}
	}
}

// apply has an entry committed and executed.
func (n *raftServer) apply(raws [][]byte) error {
	future := n.raft.Apply(encodeEntry(uint64(time.Now().UnixMilli()), raws), 5*time.Second)
	if err := future.Error(); err != nil {
		return err
	}
	if fault, broken := future.Response().(error); broken {
		panic("the state machine failed: " + fault.Error())
	}
	return nil
}

// balance reads from this node's state. With strong=1 only a leader answers, after a majority has confirmed that it
// still leads.
func (n *raftServer) balance(w http.ResponseWriter, r *http.Request) {
	account, err := crypto.ParseAddress(r.PathValue("account"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if r.FormValue("strong") == "1" {
		if err := n.confirm(); err != nil {
			http.Error(w, err.Error(), http.StatusMisdirectedRequest)
			return
		}
	}
	amount, err := n.fsm.balance(ledger.KeyAccount(account))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	reply(w, struct {
		Amount uint64 `json:"amount"`
	}{amount})
}

// confirm makes sure that this node leads now. Its state then holds every write that was acknowledged before the question:
// a leader executes a write before it acknowledges it, and what earlier leaders committed before it is ready.
func (n *raftServer) confirm() error {
	if !n.ready.Load() {
		return errors.New("another node leads")
	}
	return n.raft.VerifyLeader().Error()
}
