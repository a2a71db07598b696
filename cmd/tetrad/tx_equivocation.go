package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

func newTxProveEquivocation(c *cli) *cobra.Command {
	var t txFlags
	cmd := &cobra.Command{
		Use:   "prove-equivocation A B --from NAME",
		Short: "Prove that an account has signed two different things in one place",
		Long: `Prove that an account has signed two different things in one place: two transactions with one nonce, or with one
number of a lane, whose operations never conflict ('tetrad tx add --help') and differ. A and B are files as
'tx sign' and --offline print them, or base64; nodes list what they have seen under /v1/equivocations.

From then on such operations by the account are refused until it changes its key ('tetrad tx account KEY');
everything else goes on. Both transactions must still be valid when the proof comes into a block.`,
		Example: "  tetrad tx prove-equivocation a.json b.json --from bob",
		Args:    names("A", "B"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var said []*ledger.Transaction
			for _, file := range args {
				signed, err := c.readSigned(file)
				if err != nil {
					return err
				}
				tx, err := ledger.DecodeTransaction(signed.Raw)
				if err != nil {
					return err
				}
				said = append(said, tx)
			}
			if !ledger.Equivocate(said[0], said[1]) {
				return usagef("the two transactions do not contradict each other").
					next("two that do are of one account and one nonce or number in a lane, and differ in operations that never conflict")
			}
			op, fits := ledger.EvidenceFor(said[0], said[1])
			if !fits {
				return usagef("the two transactions are too large for a proof: at most %d bytes each", ledger.EvidenceBytesMax)
			}
			return c.transact(cmd.Context(), &t, func(*builder) (func(*client.Draft), error) {
				return func(d *client.Draft) { d.Op(op) }, nil
			})
		},
	}
	t.add(cmd)
	return cmd
}

// equivocated says what was proven of an account, for people.
func equivocated(e *rpc.Equivocation) string {
	if e == nil {
		return ""
	}
	text := fmt.Sprintf("%d times, last proven at height %d", e.Proofs, e.Height)
	if e.Barred {
		text += "; barred from operations that merge until it has another key"
	}
	return text
}
