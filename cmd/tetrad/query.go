package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/rpc"
)

// queryFlags are common to all reads.
type queryFlags struct {
	consistency string
	maxAge      time.Duration
	height      uint64
	trust       string
	prove       bool
	from        string

	// Filled by ask.
	level readLevel
	proof client.Proof
}

func newQuery(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "query",
		Aliases: []string{"q"},
		Short:   "Ask what the ledger says",
		Long: `Ask what the ledger says, and believe no node. Nodes must prove their answers against block headers that the
validators signed; the genesis hash in client.toml is all that is taken for granted. "verified" is then true, and a
node that does not tell the truth ends the command with exit code 9.

--consistency says how much an answer is worth, as one or more of these, joined by +:
  verified  it is proven
  session   it is not older than what earlier commands of this home have seen, on whichever node it lands
  eventual  it is of any age
  bounded   it is not older than --max-age
  strong    nothing newer was acknowledged to anybody when the command began: validators with more than two thirds of
            the voting power attest it, and those with more than a third agree on the answer (with "verified" it is
            proven). Where so many cannot be reached the command ends with no_quorum within two seconds
Without "verified" or "strong" the node's word is taken. With --proof and -o json the answer is a document that proves itself to
anybody who has the genesis hash: 'tetrad verify proof' checks it offline.`,
		Example: `  tetrad query balance bob usd
  tetrad query balance bob usd --consistency session
  tetrad query balance bob usd --consistency strong
  tetrad query balance bob usd --proof -o json > proof.json`,
	}
	var q queryFlags
	f := cmd.PersistentFlags()
	f.StringVar(&q.consistency, "consistency", consistencyDefault, "what an answer must be: verified, strong, session or eventual, bounded, joined by +")
	f.DurationVar(&q.maxAge, "max-age", 0, "how old the newest state may be that the answer is made of (default 10s with bounded, 1m0s with verified)")
	f.BoolVar(&q.prove, "proof", false, "add the proof to the answer; with -o json it can be verified offline")
	f.StringVar(&q.trust, "trust", "", "begin verification with a block header from somebody you trust, as `HEIGHT:HASH`, and remember it")
	f.StringVar(&q.from, "from", "", "with strong: a key that signs a transaction without effect to find the newest state, where attestations do not suffice (default client.toml's default_key, in a test keyring)")
	f.Uint64Var(&q.height, "height", 0, "read the state after this block instead of the newest")
	cmd.AddCommand(newQueryAccount(c, &q), newQueryBalance(c, &q), newQueryAsset(c, &q), newQuerySupply(c, &q),
		newQueryEntry(c, &q), newQueryEntries(c, &q), newQueryValidators(c, &q), newQueryNode(c, &q), newQueryParams(c, &q), newQueryBlock(c, &q))
	cmd.AddCommand(newQueryHistory(c, &q))
	addRoutingFlags(f)
	addKeyringFlag(cmd)
	_ = cmd.RegisterFlagCompletionFunc("from", completeKeys)
	return cmd
}

func (q *queryFlags) options() client.ReadOptions {
	o := client.ReadOptions{Height: q.height, Consistency: q.level.fresh, MaxAge: q.level.maxAge}
	if q.prove {
		o.Prove = &q.proof
	}
	return o
}

// ask runs one read and prints its answer.
func ask[T any](ctx context.Context, c *cli, q *queryFlags, read func(ctx context.Context, l *link) (T, error), human func(w io.Writer, v T)) error {
	var err error
	if q.level, err = q.readLevel(); err != nil {
		return err
	}
	if q.level.checked() {
		if _, err := c.trusted(); err != nil {
			return err
		}
	}
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	l, err := c.connect(ctx, q.level.fresh)
	if err != nil {
		return err
	}
	switch {
	case q.level.strong:
		err = l.askValidators(c, q)
	case q.level.verified:
		err = l.believeNobody(c, q.level.fresh, q.trust)
	}
	if err != nil {
		return err
	}
	defer l.close()
	v, err := read(ctx, l)
	l.tellEvidence(c, err)
	if err != nil {
		return q.failed(err)
	}
	return c.show(answerDocument{answer: v, consistency: q.level.String(), proof: q.proven()}, func(w io.Writer) {
		human(w, v)
		if p := q.proven(); p != nil {
			writeProof(w, p)
		}
	})
}

// proven is the answer's proof, if one was asked for and made.
func (q *queryFlags) proven() *client.Proof {
	if q.proof.Format == 0 {
		return nil
	}
	return &q.proof
}

// failed adds the proof that there is nothing to the document that says so.
func (q *queryFlags) failed(err error) error {
	f, _ := queryFailure(err).(*failure)
	if p := q.proven(); p != nil {
		f.document = absentDocument{Error: f.body(), Proof: p}
	}
	return f
}

// queryFailure keeps exit code 3 for transactions: a read that finds nothing is not refused by any rule.
func queryFailure(err error) error {
	f := *classify(err)
	if f.exit == exitRefused {
		f.exit = exitError
	}
	return &f
}

func newQueryAccount(c *cli, q *queryFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "account ACCOUNT",
		Short: "An account and all it holds",
		Args:  names("ACCOUNT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := c.address(args[0])
			if err != nil {
				return err
			}
			return ask(cmd.Context(), c, q, func(ctx context.Context, l *link) (rpc.Account, error) {
				a, err := l.reads.Account(ctx, address.String(), q.options())
				a.Account = args[0]
				return a, err
			}, writeAccount)
		},
	}
}

func newQueryBalance(c *cli, q *queryFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "balance ACCOUNT ASSET",
		Short: "What an account holds of an asset",
		Args:  names("ACCOUNT", "ASSET"),
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := c.address(args[0])
			if err != nil {
				return err
			}
			return ask(cmd.Context(), c, q, func(ctx context.Context, l *link) (rpc.Balance, error) {
				b, err := l.reads.Balance(ctx, address.String(), args[1], q.options())
				b.Account = args[0]
				b.Consistency = q.level.String()
				return b, err
			}, writeBalance)
		},
	}
}

func newQueryAsset(c *cli, q *queryFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "asset CODE",
		Short: "An asset: who issues it, its decimals and supply",
		Args:  names("CODE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd.Context(), c, q, func(ctx context.Context, l *link) (rpc.Asset, error) {
				return l.reads.Asset(ctx, args[0], q.options())
			}, writeAsset)
		},
	}
}

// supplyDocument is the part of an asset that people ask for by itself.
type supplyDocument struct {
	Asset     string `json:"asset"`
	Supply    string `json:"supply"`
	MaxSupply string `json:"max_supply"`
	Height    uint64 `json:"height"`
	Verified  bool   `json:"verified"`
}

func newQuerySupply(c *cli, q *queryFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "supply CODE",
		Short: "How much of an asset there is",
		Args:  names("CODE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd.Context(), c, q, func(ctx context.Context, l *link) (supplyDocument, error) {
				a, err := l.reads.Asset(ctx, args[0], q.options())
				return supplyDocument{a.Asset, a.Supply, a.MaxSupply, a.Height, a.Verified}, err
			}, func(w io.Writer, s supplyDocument) {
				g := newGrid("asset", "supply", "max supply", "height").right(1, 2, 3)
				g.add(s.Asset, grouped(s.Supply), grouped(s.MaxSupply), fmt.Sprint(s.Height))
				g.write(w)
			})
		},
	}
}

func newQueryValidators(c *cli, q *queryFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "validators",
		Short: "Who agrees on blocks, and with what power",
		Args:  names(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(cmd.Context(), c, q, func(ctx context.Context, l *link) (rpc.Validators, error) {
				return l.reads.Validators(ctx, q.options())
			}, writeValidators)
		},
	}
}

func newQueryParams(c *cli, q *queryFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "params",
		Short: "The bounds and times that the network chose for itself",
		Args:  names(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(cmd.Context(), c, q, func(ctx context.Context, l *link) (rpc.Params, error) {
				return l.reads.Params(ctx, q.options())
			}, writeParams)
		},
	}
}

func newQueryBlock(c *cli, q *queryFlags) *cobra.Command {
	var receipts bool
	cmd := &cobra.Command{
		Use:   "block [HEIGHT]",
		Short: "A block, the newest if no height is given",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			height := q.height
			if len(args) == 1 {
				n, err := strconv.ParseUint(args[0], 10, 64)
				if err != nil || n == 0 {
					return usagef("height %q is not a positive number", args[0])
				}
				height = n
			}
			q.height = height
			which := client.ReceiptsNone
			if receipts {
				which = client.ReceiptsList
			}
			return ask(cmd.Context(), c, q, func(ctx context.Context, l *link) (rpc.Block, error) {
				return l.reads.ReadBlock(ctx, which, q.options())
			}, writeBlock)
		},
	}
	cmd.Flags().BoolVar(&receipts, "receipts", false, "list the block's transactions")
	return cmd
}
