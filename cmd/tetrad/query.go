package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/rpc"
)

// queryFlags are common to all reads.
type queryFlags struct {
	consistency string
	height      uint64
	trust       string
	fresh       string // how fresh an answer must be: what is left of consistency without "verified"
}

func newQuery(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "query",
		Aliases: []string{"q"},
		Short:   "Ask what the ledger says",
		Long: `Ask what the ledger says. Reads see at least what earlier commands of this home have seen, on whichever
node they land (--consistency session). With --consistency verified+session nodes must prove what they say, against
block headers that the validators signed, and the genesis hash in client.toml is all that is believed: "verified" is
then true, and a node that does not tell the truth ends the command with exit code 9.`,
	}
	var q queryFlags
	f := cmd.PersistentFlags()
	f.StringVar(&q.consistency, "consistency", rpc.ConsistencySession, "session (not older than what this home has seen) or eventual; verified+session and verified make the node prove its answer")
	f.StringVar(&q.trust, "trust", "", "begin verification with a block header from somebody you trust, as `HEIGHT:HASH`")
	f.Uint64Var(&q.height, "height", 0, "read the state after this block instead of the newest")
	cmd.AddCommand(newQueryAccount(c, &q), newQueryBalance(c, &q), newQueryAsset(c, &q), newQuerySupply(c, &q),
		newQueryEntry(c, &q), newQueryEntries(c, &q), newQueryValidators(c, &q), newQueryParams(c, &q), newQueryBlock(c, &q))
	addKeyringFlag(cmd)
	return cmd
}

func (q *queryFlags) options() client.ReadOptions {
	return client.ReadOptions{Height: q.height, Consistency: q.fresh}
}

// ask runs one read and prints its answer.
func ask[T any](ctx context.Context, c *cli, q *queryFlags, read func(ctx context.Context, l *link) (T, error), human func(w io.Writer, v T)) error {
	verified, fresh, err := q.level()
	if err != nil {
		return err
	}
	q.fresh = fresh
	if verified {
		if _, err := c.trusted(); err != nil {
			return err
		}
	}
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	l, err := c.connect(ctx, fresh)
	if err != nil {
		return err
	}
	if verified {
		if err := l.believeNobody(c, fresh, q.trust); err != nil {
			return err
		}
	}
	defer l.close()
	v, err := read(ctx, l)
	if err != nil {
		return queryFailure(err)
	}
	return c.show(v, func(w io.Writer) { human(w, v) })
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
		"transactions", fmt.Sprint(a.LogCount), "height", fmt.Sprint(a.Height))
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
				b.Consistency = describe(b.Verified, q.fresh)
				return b, err
			}, func(w io.Writer, b rpc.Balance) {
				g := newGrid("account", "asset", "amount", "available", "height").right(2, 3, 4)
				g.add(b.Account, b.Asset, grouped(b.Amount), grouped(b.Available), fmt.Sprint(b.Height))
				g.write(w)
			})
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
			}, func(w io.Writer, a rpc.Asset) {
				fields(w, "asset", a.Asset, "issuer", a.Issuer, "decimals", fmt.Sprint(a.Scale),
					"supply", grouped(a.Supply), "max supply", grouped(a.MaxSupply), "height", fmt.Sprint(a.Height))
			})
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
			}, func(w io.Writer, v rpc.Validators) {
				g := newGrid("name", "power", "faults", "validator").right(1, 2)
				for _, one := range v.Validators {
					g.add(one.Name, fmt.Sprint(one.Power), fmt.Sprint(one.Faults), one.ID)
				}
				g.write(w)
			})
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
			}, func(w io.Writer, p rpc.Params) {
				ms := func(n uint64) string { return (time.Duration(n) * time.Millisecond).String() }
				fields(w, "longest validity", ms(p.Params.ValidForMaxMS), "replay bucket", ms(p.Params.ReplayBucketMS),
					"replay grace", ms(p.Params.ReplayGraceMS), "records per bucket", fmt.Sprint(p.Params.ReplayBucketMax),
					"fewest validators", fmt.Sprint(p.Params.ValidatorsMin), "most validators", fmt.Sprint(p.Params.ValidatorsMax),
					"height", fmt.Sprint(p.Height))
			})
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
			if strings.Contains(q.consistency, consistencyVerified) {
				return usagef("blocks are not proven yet; use --consistency session")
			}
			which := client.ReceiptsNone
			if receipts {
				which = client.ReceiptsList
			}
			return ask(cmd.Context(), c, q, func(ctx context.Context, l *link) (rpc.Block, error) {
				return l.Block(ctx, height, which)
			}, writeBlock)
		},
	}
	cmd.Flags().BoolVar(&receipts, "receipts", false, "list the block's transactions")
	return cmd
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
