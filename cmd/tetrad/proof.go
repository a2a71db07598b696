package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/client"
)

// provenDocument is what a proof file proves.
type provenDocument struct {
	Question    client.Question `json:"question"`
	Answer      any             `json:"answer"`          // null: it is proven that there is none
	Absent      *errorBody      `json:"absent,omitzero"` // what there is none of
	ChainID     string          `json:"chain_id"`
	GenesisHash string          `json:"genesis_hash"`
	Height      uint64          `json:"height"`
	BlockTime   string          `json:"block_time"`
	Verified    bool            `json:"verified"`
}

func documentOfProof(p client.ProvenAnswer) provenDocument {
	d := provenDocument{
		Question: p.Question, Answer: p.Answer, ChainID: p.ChainID, GenesisHash: p.GenesisHash.String(), Height: p.Height,
		BlockTime: p.BlockTime.UTC().Format(time.RFC3339Nano), Verified: true,
	}
	if p.Absent != nil {
		body := exitOfRPC(p.Absent).body()
		d.Absent = &body
	}
	return d
}

func (d provenDocument) write(w io.Writer) {
	if d.Absent != nil {
		fmt.Fprintln(w, d.Absent.Message)
	} else {
		writeAnswer(w, d.Answer)
	}
	fmt.Fprintln(w)
	fields(w, "question", d.Question.String(), "chain", d.ChainID, "genesis", d.GenesisHash,
		"proven at", fmt.Sprintf("height %d, before %s", d.Height, d.BlockTime))
}

func newVerifyProof(c *cli) *cobra.Command {
	var genesisHash string
	cmd := &cobra.Command{
		Use:   "proof FILE",
		Short: "Check an answer with its proof offline",
		Long: `Check an answer with its proof offline, as 'tetrad query ... --proof -o json' prints it, with nothing but the
genesis hash: that the validators of the genesis document, or those who followed them, signed a header of the state
that the answer is made of, and that the answer says nothing else. What is proven is printed; accounts are addresses
there, since a file cannot prove what its maker calls one. Exit code 9 means that the file proves nothing.`,
		Example: "  tetrad verify proof proof.json --genesis-hash 3b1f...",
		Args:    names("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			genesis, err := c.genesisHash(genesisHash)
			if err != nil {
				return err
			}
			data, err := c.readUpTo(args[0], client.ReceiptBytesMax)
			if err != nil {
				return err
			}
			p, err := client.VerifyProof(data, genesis, time.Now())
			if err != nil {
				return err
			}
			d := documentOfProof(p)
			return c.show(d, d.write)
		},
	}
	cmd.Flags().StringVar(&genesisHash, "genesis-hash", "", "the network's genesis hash (default this home's)")
	return cmd
}
