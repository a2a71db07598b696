package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/rpc"
)

// answerDocument is an answer with what it is worth, and its proof if there is one, as further fields.
type answerDocument struct {
	answer      any
	consistency string
	proof       *client.Proof
}

// MarshalJSON puts the further fields behind those of the answer.
func (d answerDocument) MarshalJSON() ([]byte, error) {
	text, err := json.Marshal(d.answer)
	if err != nil {
		return nil, err
	}
	var there struct {
		Consistency string `json:"consistency"`
	}
	if err := json.Unmarshal(text, &there); err != nil {
		return nil, err
	}
	var more struct {
		Consistency string        `json:"consistency,omitempty"`
		Proof       *client.Proof `json:"proof,omitempty"`
	}
	more.Proof = d.proof
	if there.Consistency == "" {
		more.Consistency = d.consistency
	}
	end, err := json.Marshal(more)
	if err != nil || string(end) == "{}" {
		return text, err
	}
	return append(append(bytes.TrimSuffix(text, []byte("}")), ','), end[1:]...), nil
}

// absentDocument says that there is nothing, and proves it.
type absentDocument struct {
	Error errorBody     `json:"error"`
	Proof *client.Proof `json:"proof"`
}

// writeProof says what the proof is; the proof itself is for programs.
func writeProof(w io.Writer, p *client.Proof) {
	size := 0
	if text, err := json.Marshal(p); err == nil {
		size = len(text)
	}
	fmt.Fprintln(w)
	fields(w, "proven at", fmt.Sprintf("height %d", p.Height), "chain", p.ChainID, "genesis", p.GenesisHash.String(),
		"headers", fmt.Sprint(len(p.LightBlocks)), "proof", bytesText(int64(size))+" with -o json")
}

// writeAnswer prints a proven answer of any kind.
func writeAnswer(w io.Writer, answer any) {
	switch a := answer.(type) {
	case rpc.Account:
		writeAccount(w, a)
	case rpc.Balance:
		writeBalance(w, a)
	case rpc.Asset:
		writeAsset(w, a)
	case rpc.Entry:
		writeEntry(w, a)
	case rpc.Validators:
		writeValidators(w, a)
	case rpc.Node:
		writeRegistered(w, a)
	case rpc.Params:
		writeParams(w, a)
	case rpc.Block:
		writeBlock(w, a)
	}
}

func writeAccount(w io.Writer, a rpc.Account) {
	keys := "the key of its address"
	if a.Policy != nil {
		list := make([]string, len(a.Policy.Members))
		for i, m := range a.Policy.Members {
			list[i] = m.Key
		}
		keys = strings.Join(list, ", ")
	}
	name := a.Account
	if name == a.Address {
		name = ""
	}
	fields(w, "account", name, "address", a.Address, "answers to", keys,
		"transactions", fmt.Sprint(a.LogCount), "equivocated", equivocated(a.Equivocation), "height", fmt.Sprint(a.Height))
	if len(a.Balances) == 0 {
		fmt.Fprintln(w, "\nno balances")
		return
	}
	fmt.Fprintln(w)
	g := newGrid("asset", "amount", "available").right(1, 2)
	for _, b := range a.Balances {
		g.add(b.Asset, grouped(b.Amount), grouped(b.Available))
	}
	g.write(w)
}

func writeBalance(w io.Writer, b rpc.Balance) {
	g := newGrid("account", "asset", "amount", "available", "height").right(2, 3, 4)
	g.add(b.Account, b.Asset, grouped(b.Amount), grouped(b.Available), fmt.Sprint(b.Height))
	g.write(w)
}

func writeAsset(w io.Writer, a rpc.Asset) {
	fields(w, "asset", a.Asset, "issuer", a.Issuer, "decimals", fmt.Sprint(a.Scale),
		"supply", grouped(a.Supply), "max supply", grouped(a.MaxSupply), "height", fmt.Sprint(a.Height))
}

func writeValidators(w io.Writer, v rpc.Validators) {
	g := newGrid("name", "power", "faults", "region", "validator").right(1, 2)
	for _, one := range v.Validators {
		g.add(one.Name, fmt.Sprint(one.Power), fmt.Sprint(one.Faults), regionText(one), one.ID)
	}
	g.write(w)
}

func writeParams(w io.Writer, p rpc.Params) {
	ms := func(n uint64) string { return (time.Duration(n) * time.Millisecond).String() }
	fields(w, "longest validity", ms(p.Params.ValidForMaxMS), "replay bucket", ms(p.Params.ReplayBucketMS),
		"replay grace", ms(p.Params.ReplayGraceMS), "records per bucket", fmt.Sprint(p.Params.ReplayBucketMax),
		"fewest validators", fmt.Sprint(p.Params.ValidatorsMin), "most validators", fmt.Sprint(p.Params.ValidatorsMax),
		"height", fmt.Sprint(p.Height))
}

func writeBlock(w io.Writer, b rpc.Block) {
	fields(w, "height", fmt.Sprint(b.Height), "time", b.Time, "hash", b.Hash.String(), "app hash", b.AppHash.String(),
		"proposer", b.Proposer, "transactions", fmt.Sprint(b.TxCount))
	if len(b.Receipts) == 0 {
		return
	}
	fmt.Fprintln(w)
	g := newGrid("#", "txid", "result").right(0)
	for i, r := range b.Receipts {
		g.add(fmt.Sprint(i), r.TxID.String(), codeText(r.Code))
	}
	g.write(w)
}
