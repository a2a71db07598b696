package main

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

const neverConflicts = `

Such operations never conflict: they take effect whatever others do at the same time, and in whatever order blocks
hold them the outcome is the same. The first operation on a path decides what kind of entry it is.`

func newTxAdd(c *cli) *cobra.Command {
	var t txFlags
	var minus bool
	cmd := &cobra.Command{
		Use:     "add PATH N --from NAME",
		Short:   "Add to a counter in the acting account's namespace",
		Long:    "Add to a counter in the acting account's namespace. A counter at zero is no entry any more." + neverConflicts,
		Example: "  tetrad tx add visits 1 --from alice\n  tetrad tx add visits 5 --minus --from alice",
		Args:    names("PATH", "N"),
		RunE: func(cmd *cobra.Command, args []string) error {
			text := args[1]
			if minus {
				text = "-" + text
			}
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil || n == 0 {
				return usagef("%q is not a whole number of 64 bits other than 0", text)
			}
			return c.transact(cmd.Context(), &t, func(*builder) (func(*client.Draft), error) {
				return func(d *client.Draft) { d.Add(args[0], n) }, nil
			})
		},
	}
	t.add(cmd)
	cmd.Flags().BoolVar(&minus, "minus", false, "take N away instead")
	return cmd
}

func newTxSetAdd(c *cli) *cobra.Command {
	var t txFlags
	cmd := &cobra.Command{
		Use:     "set-add PATH ELEMENT --from NAME",
		Short:   "Put an element into a set in the acting account's namespace",
		Long:    "Put an element into a set in the acting account's namespace." + neverConflicts,
		Example: "  tetrad tx set-add friends bob --from alice",
		Args:    names("PATH", "ELEMENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.transact(cmd.Context(), &t, func(*builder) (func(*client.Draft), error) {
				return func(d *client.Draft) { d.SetAdd(args[0], []byte(args[1])) }, nil
			})
		},
	}
	t.add(cmd)
	return cmd
}

func newTxSetRemove(c *cli) *cobra.Command {
	var t txFlags
	var seen []string
	cmd := &cobra.Command{
		Use:   "set-remove PATH ELEMENT --from NAME",
		Short: "Take an element out of a set in the acting account's namespace",
		Long: `Take an element out of a set in the acting account's namespace: the additions of it that a node knows of now, or
those that --seen names. One that is on its way and not known of wins, and the element stays.` + neverConflicts,
		Example: "  tetrad tx set-remove friends bob --from alice",
		Args:    names("PATH", "ELEMENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.transact(cmd.Context(), &t, func(b *builder) (func(*client.Draft), error) {
				tags, err := b.seenTags(args[0], seen, func(v *rpc.EntryValue) bool { return string(v.Value) == args[1] })
				if err != nil {
					return nil, err
				}
				if len(tags) == 0 {
					return nil, &failure{exit: exitError, slug: "not_found", class: "state", message: "there is no " + args[1] + " in " + args[0]}
				}
				return func(d *client.Draft) {
					for part := range slices.Chunk(tags, ledger.SeenMax) {
						d.SetRemove(args[0], part...)
					}
				}, nil
			})
		},
	}
	t.add(cmd)
	addSeen(cmd, &seen)
	return cmd
}

func newTxWriteLast(c *cli) *cobra.Command {
	var t txFlags
	var file string
	var empty bool
	var depth uint64
	cmd := &cobra.Command{
		Use:   "write-last PATH [VALUE] --from NAME",
		Short: "Write a register in which the last write wins",
		Long: `Write a register in the acting account's namespace in which the last write wins: the one that follows on most
others, and no clock. It follows on what a node knows of now, or on a write of one less than --depth.` + neverConflicts,
		Example: "  tetrad tx write-last status open --from alice",
		Args:    valueArgs(&file, &empty),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.transact(cmd.Context(), &t, func(b *builder) (func(*client.Draft), error) {
				value, err := c.entryValue(args, file, empty)
				if err != nil {
					return nil, err
				}
				if depth == 0 {
					now, err := b.ownEntry(args[0], "--depth")
					if err != nil {
						return nil, err
					}
					depth = now.Depth + 1
				}
				return func(d *client.Draft) { d.WriteLast(args[0], value, depth) }, nil
			})
		},
	}
	t.add(cmd)
	addValue(cmd, &file, &empty, "empty", "write an empty value")
	cmd.Flags().Uint64Var(&depth, "depth", 0, "how many writes it follows on, itself included (default one more than a node knows of)")
	return cmd
}

func newTxWriteMulti(c *cli) *cobra.Command {
	var t txFlags
	var file string
	var remove, beside bool
	var seen []string
	cmd := &cobra.Command{
		Use:   "write-multi PATH [VALUE] --from NAME",
		Short: "Write a register that keeps all values nobody has replaced",
		Long: `Write a register in the acting account's namespace that keeps all values nobody has replaced. It replaces the
values that a node knows of now, or those that --seen names; values on their way that it does not know of stay
beside it, until somebody reads them all and writes one for them.` + neverConflicts,
		Example: "  tetrad tx write-multi plan 'meet at noon' --from alice",
		Args:    valueArgs(&file, &remove),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.transact(cmd.Context(), &t, func(b *builder) (func(*client.Draft), error) {
				value, err := c.entryValue(args, file, remove)
				if err != nil {
					return nil, err
				}
				var tags []ledger.Seen
				if !beside {
					if tags, err = b.seenTags(args[0], seen, func(*rpc.EntryValue) bool { return true }); err != nil {
						return nil, err
					}
				}
				return func(d *client.Draft) { d.WriteMulti(args[0], value, tags...) }, nil
			})
		},
	}
	t.add(cmd)
	addValue(cmd, &file, &remove, "delete", "only take values back")
	addSeen(cmd, &seen)
	cmd.Flags().BoolVar(&beside, "beside", false, "replace nothing")
	return cmd
}

func addSeen(cmd *cobra.Command, seen *[]string) {
	cmd.Flags().StringSliceVar(seen, "seen", nil, "the writes to take back, as 'query entry -o json' shows them (default those that a node knows of) `TXID/N`")
}

// addValue adds the flags of a value that is not an argument.
func addValue(cmd *cobra.Command, file *string, none *bool, name, usage string) {
	cmd.Flags().StringVar(file, "file", "", "take the value from this file; - is standard input")
	cmd.Flags().BoolVar(none, name, false, usage)
}

// valueArgs are PATH and VALUE, or PATH alone where a flag gives the value.
func valueArgs(file *string, none *bool) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if *none || *file != "" {
			return names("PATH")(cmd, args)
		}
		return names("PATH", "VALUE")(cmd, args)
	}
}

// ownEntry reads an entry of the acting account, which may be nothing. flag is what to say instead where nobody
// can be asked, or where asking would give another transaction each time.
func (b *builder) ownEntry(path, flag string) (rpc.Entry, error) {
	if b.link == nil {
		return rpc.Entry{}, usagef("what %s holds is not known offline", path).next("say it with %s", flag)
	}
	if b.flags.idempotencyKey != "" {
		return rpc.Entry{}, usagef("with --idempotency-key the command must be the same each time").next("say with %s what it follows on", flag)
	}
	e, err := b.link.Entry(b.ctx, b.actor.String(), path, client.ReadOptions{})
	var refused *rpc.Error
	if errors.As(err, &refused) && ledger.Code(refused.Code) == ledger.CodeNotFound {
		return rpc.Entry{}, nil
	}
	return e, err
}

// seenTags names the writes to take back: those given, or those of the values a node knows of that are meant.
func (b *builder) seenTags(path string, given []string, meant func(*rpc.EntryValue) bool) ([]ledger.Seen, error) {
	if len(given) == 0 {
		e, err := b.ownEntry(path, "--seen")
		if err != nil {
			return nil, err
		}
		for i := range e.Values {
			if v := &e.Values[i]; meant(v) {
				given = append(given, v.Tags...)
			}
		}
	}
	seen, err := client.SeenTags(given...)
	if err != nil {
		return nil, usagef("--seen %s: %v", strings.Join(given, ","), err)
	}
	return seen, nil
}
