package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/tetradledger/tetrad/client"
)

// trustDocument is a block that a node can begin from, and what each node says of it.
type trustDocument struct {
	Trust  string          `json:"trust,omitempty"` // HEIGHT:HASH
	Height uint64          `json:"height"`
	Hash   string          `json:"hash,omitempty"`
	Agree  bool            `json:"agree"`
	Nodes  []trustedByNode `json:"nodes"`
}

// trustedByNode is what one node says.
type trustedByNode struct {
	Endpoint string `json:"endpoint"`
	Hash     string `json:"hash,omitempty"`
	Error    string `json:"error,omitempty"`
}

// printTrust prints the root of trust for a node that begins anew. Nothing stands behind it but the nodes that were
// asked: that is why all of them are, and why each is named that says something else.
func (c *cli) printTrust(ctx context.Context, cl *client.Client) error {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	d, err := askTrust(ctx, cl)
	if err != nil {
		return err
	}
	for _, n := range d.Nodes {
		if n.Error != "" {
			c.note("%s does not answer: %s", n.Endpoint, n.Error)
		} else if c.output != "json" {
			c.note("%s: block %d is %s", n.Endpoint, d.Height, n.Hash)
		}
	}
	if !d.Agree {
		return &failure{
			exit: exitProof, slug: "nodes_disagree", class: "proof", document: d,
			message: fmt.Sprintf("the nodes disagree about block %d: at least one of them lies, or is of another network", d.Height),
			hint:    "ask the operators; trust none of these hashes before you know which is right",
		}
	}
	return c.show(d, func(w io.Writer) { fmt.Fprintln(w, d.Trust) })
}

// askTrust asks all nodes for one block.
func askTrust(ctx context.Context, cl *client.Client) (*trustDocument, error) {
	all := cl.StatusAll(ctx)
	d := &trustDocument{Height: trustHeight(all), Agree: true}
	none := &client.NoNodeError{}
	for _, n := range all {
		said := trustedByNode{Endpoint: n.Endpoint}
		if err := n.Err; err == nil {
			block, err := cl.BlockAt(ctx, n.Endpoint, d.Height, "", 0)
			if err == nil {
				said.Hash = block.Hash.String()
			} else {
				n.Err = err
			}
		}
		if n.Err != nil {
			said.Error = statusError(n)
			none.Attempts = append(none.Attempts, &client.NodeError{Endpoint: n.Endpoint, Err: errors.New(said.Error)})
		}
		d.Nodes = append(d.Nodes, said)
	}
	if len(none.Attempts) == len(d.Nodes) {
		return nil, none
	}
	for _, n := range d.Nodes {
		if d.Hash == "" {
			d.Hash = n.Hash
		} else if n.Hash != "" && n.Hash != d.Hash {
			d.Agree = false
		}
	}
	if d.Agree {
		d.Trust = fmt.Sprintf("%d:%s", d.Height, d.Hash)
	} else {
		d.Hash = ""
	}
	return d, nil
}

// trustHeight chooses a block that all nodes have: at their snapshots, since a light client goes up from a trusted
// block in leaps and down step by step, or else a little below the newest.
func trustHeight(all []client.NodeStatus) uint64 {
	var snapshots, heights []uint64
	first := uint64(1)
	for _, n := range all {
		if n.Err != nil || n.Status.Height == 0 {
			continue
		}
		heights = append(heights, n.Status.Height)
		if n.Status.Snapshot > 0 {
			snapshots = append(snapshots, n.Status.Snapshot)
		}
		first = max(first, n.Status.FirstBlock)
	}
	switch {
	case len(heights) == 0:
		return first
	case len(snapshots) > 0 && slices.Min(snapshots) >= first:
		return slices.Min(snapshots)
	}
	return max(first, slices.Min(heights)-min(slices.Min(heights), 2))
}
