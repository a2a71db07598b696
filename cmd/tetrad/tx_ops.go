package main

import (
	"crypto/rand"
	"encoding/hex"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

func newTxTransfer(c *cli) *cobra.Command {
	var t txFlags
	var upTo bool
	cmd := &cobra.Command{
		Use:     "transfer TO AMOUNT --from NAME",
		Short:   "Move an amount of an asset to another account",
		Long:    "Move an amount of an asset to another account. From the asset's issuer it mints, to the issuer it burns.",
		Example: "  tetrad tx transfer bob 12.50usd --from alice",
		Args:    names("TO", "AMOUNT"),

		ValidArgsFunction: completeFirst,
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := splitAmount(args[1]); err != nil {
				return err // before any node is asked
			}
			return c.transact(cmd.Context(), &t, func(b *builder) (func(*client.Draft), error) {
				to, err := c.address(args[0])
				if err != nil {
					return nil, err
				}
				asset, amount, err := b.amount(args[1])
				if err != nil {
					return nil, err
				}
				return func(d *client.Draft) {
					if upTo {
						d.TransferUpTo(to, asset, amount)
					} else {
						d.Transfer(to, asset, amount)
					}
				}, nil
			})
		},
	}
	t.add(cmd)
	t.addScales(cmd)
	cmd.Flags().BoolVar(&upTo, "up-to", false, "move what there is, at most the amount, instead of failing")
	return cmd
}

func newTxAccount(c *cli) *cobra.Command {
	var t txFlags
	var create bool
	var saltText string
	cmd := &cobra.Command{
		Use:   "account KEY --from NAME",
		Short: "Make an account answer to another key, or create a further account",
		Long: `Make the acting account answer to another key from now on: its address stays what it is. KEY is the name of
one of your keys or a public key, ed25519:HEX. Sign for the account with --sign-with from then on.

With --create, a further account is made that answers to KEY; its address is printed.`,
		Example: `  tetrad tx account alice2 --from alice              alice's account now answers to the key alice2
  tetrad tx transfer bob 1usd --from alice --sign-with alice2
  tetrad tx account alice --from alice --create      a second account that alice's key speaks for`,
		Args: names("KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.transact(cmd.Context(), &t, func(b *builder) (func(*client.Draft), error) {
				key, err := c.publicKey(args[0])
				if err != nil {
					return nil, err
				}
				if !create && saltText == "" {
					return func(d *client.Draft) { d.SetKey(key) }, nil
				}
				salt, err := b.salt(saltText)
				if err != nil {
					return nil, err
				}
				b.created = ledger.CreatedAddress(b.actor, salt[:], ledger.SingleKey(key)).String()
				return func(d *client.Draft) { d.CreateAccount(key, salt) }, nil
			})
		},
	}
	t.add(cmd)
	cmd.Flags().BoolVar(&create, "create", false, "create a further account instead")
	cmd.Flags().StringVar(&saltText, "salt", "", "with --create: 32 hex digits the new address is derived from (default random)")
	return cmd
}

// publicKey understands the name of a key of this home, and a public key.
func (c *cli) publicKey(text string) (crypto.PublicKey, error) {
	if key, err := crypto.ParsePublicKey(text); err == nil {
		if err := key.CheckPoint(); err != nil {
			return key, usagef("%v", err)
		}
		return key, nil
	}
	ring, err := c.keyring()
	if err != nil {
		return crypto.PublicKey{}, err
	}
	info, err := c.key(ring, text)
	return info.PublicKey, err
}

// salt tells accounts of one creator apart. It is random, but the same for every attempt under one
// idempotency key.
func (b *builder) salt(text string) (salt [ledger.SaltLen]byte, err error) {
	switch {
	case text != "":
		raw, err := hex.DecodeString(text)
		if err != nil || len(raw) != len(salt) {
			return salt, usagef("--salt must be %d hex digits, not %q", 2*len(salt), text)
		}
		copy(salt[:], raw)
	case b.flags.idempotencyKey != "":
		sum := crypto.Sum([]byte("salt/"), []byte(b.flags.idempotencyKey))
		copy(salt[:], sum[:])
	default:
		rand.Read(salt[:]) // never fails
	}
	return salt, nil
}

func newTxAsset(c *cli) *cobra.Command {
	var t txFlags
	var scale uint8
	var maxSupply string
	cmd := &cobra.Command{
		Use:   "asset CODE --from NAME",
		Short: "Create an asset that the acting account issues, or lower its largest supply",
		Long: `Create an asset that the acting account issues, or lower the largest supply of one. The issuer makes units by
transferring them to others, and takes them out of the world by getting them back.`,
		Example: "  tetrad tx asset gold --scale 3 --max-supply 5000000 --from alice",
		Args:    names("CODE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.transact(cmd.Context(), &t, func(*builder) (func(*client.Draft), error) {
				var limit ledger.Amount
				if maxSupply != "" {
					var err error
					if limit, err = ledger.ParseAmount(maxSupply, scale); err != nil {
						return nil, badAmount("--max-supply: %v", err).next("a number with at most %d decimals", scale)
					}
				}
				return func(d *client.Draft) { d.SetAsset(args[0], scale, limit) }, nil
			})
		},
	}
	t.add(cmd)
	cmd.Flags().Uint8Var(&scale, "scale", 2, "digits after the point; fixed for ever")
	cmd.Flags().StringVar(&maxSupply, "max-supply", "", "largest supply (default as much as an asset can have)")
	return cmd
}

func newTxPut(c *cli) *cobra.Command {
	var t txFlags
	var file string
	var remove bool
	var ifVersion uint64
	cmd := &cobra.Command{
		Use:   "put PATH [VALUE] --from NAME",
		Short: "Write a register in the acting account's namespace",
		Example: `  tetrad tx put config/limit 250 --from alice
  tetrad tx put locks/printer me --if-version 0 --from alice    only if nobody has it`,
		Args: func(cmd *cobra.Command, args []string) error {
			want := []string{"PATH", "VALUE"}
			if remove || file != "" {
				want = want[:1]
			}
			return names(want...)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.transact(cmd.Context(), &t, func(*builder) (func(*client.Draft), error) {
				value, err := c.entryValue(args, file, remove)
				if err != nil {
					return nil, err
				}
				return func(d *client.Draft) {
					if cmd.Flags().Changed("if-version") {
						d.PutIf(args[0], value, ifVersion)
					} else {
						d.Put(args[0], value)
					}
				}, nil
			})
		},
	}
	t.add(cmd)
	f := cmd.Flags()
	f.StringVar(&file, "file", "", "take the value from this file; - is standard input")
	f.BoolVar(&remove, "delete", false, "delete the register")
	f.Uint64Var(&ifVersion, "if-version", 0, "only if the register is at this version; 0: only if there is none")
	return cmd
}

func (c *cli) entryValue(args []string, file string, remove bool) ([]byte, error) {
	if remove {
		if file != "" {
			return nil, usagef("--delete and --file exclude each other")
		}
		return nil, nil
	}
	value := []byte(nil)
	if file != "" {
		var err error
		if value, err = c.readInput(file); err != nil {
			return nil, err
		}
	} else {
		value = []byte(args[1])
	}
	if len(value) == 0 {
		return nil, usagef("the value is empty").next("to delete the register, say --delete")
	}
	return value, nil
}
