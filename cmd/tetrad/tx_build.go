package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// builder makes one transaction: it knows the chain, who acts, and how to look up what the command line
// leaves open.
type builder struct {
	cli   *cli
	ctx   context.Context
	flags *txFlags
	link  *link // nil with --offline
	chain chainIdentity
	actor crypto.Address
	fill  func(*client.Draft) // adds the operations; may be called more than once

	created string           // address of the account the transaction creates, if it creates one
	scales  map[string]uint8 // decimals of assets, from --scale and from nodes; "" stands for all assets
}

// buildFunc turns a command's arguments into operations.
type buildFunc func(b *builder) (func(*client.Draft), error)

func (c *cli) newBuilder(ctx context.Context, t *txFlags) (*builder, error) {
	b := &builder{cli: c, ctx: ctx, flags: t}
	var err error
	if b.scales, err = parseScales(t.scales); err != nil {
		return nil, err
	}
	if err := b.setActor(); err != nil {
		return nil, err
	}
	if t.offline {
		b.chain, err = c.savedIdentity()
		if err == nil && (b.chain.id == "" || b.chain.genesis.IsZero()) {
			err = usagef("--offline needs chain_id and genesis_hash in %s", c.client.path("config", "client.toml")).
				next("'tetrad status -o json' shows both")
		}
		return b, err
	}
	b.link, err = c.connect(ctx, "")
	if err != nil {
		return nil, err
	}
	b.chain = b.link.chain
	return b, nil
}

// setActor finds out who acts: --from, or the default key of client.toml.
func (b *builder) setActor() error {
	home, err := b.cli.loadClientHome()
	if err != nil {
		return err
	}
	if b.flags.from == "" {
		b.flags.from = home.settings.DefaultKey
	}
	if b.flags.from == "" {
		return usagef("missing --from").next("name one of your keys ('tetrad keys list'), or set default_key in client.toml")
	}
	if !looksLikeAddress(b.flags.from) {
		ring, err := b.cli.keyring()
		if err != nil {
			return err
		}
		info, err := b.cli.key(ring, b.flags.from)
		b.actor = info.Address
		return err
	}
	b.actor, err = b.cli.address(b.flags.from)
	return err
}

// parseScales reads --scale 2 and --scale usd=2.
func parseScales(list []string) (map[string]uint8, error) {
	scales := map[string]uint8{}
	for _, item := range list {
		asset, text, named := strings.Cut(item, "=")
		if !named {
			asset, text = "", item
		}
		n, err := strconv.ParseUint(text, 10, 8)
		if err != nil || n > ledger.ScaleMax {
			return nil, usagef("--scale %s: decimals are a number from 0 to %d", item, ledger.ScaleMax)
		}
		scales[asset] = uint8(n)
	}
	return scales, nil
}

// scale is how many decimals an asset has.
func (b *builder) scale(asset string) (uint8, error) {
	if n, ok := b.scales[asset]; ok {
		return n, nil
	}
	if n, ok := b.scales[""]; ok {
		return n, nil
	}
	if b.link == nil {
		return 0, usagef("how many decimals %s has is not known offline", asset).next("say it with --scale %s=2", asset)
	}
	info, err := b.link.Asset(b.ctx, asset, client.ReadOptions{})
	if err != nil {
		return 0, err
	}
	b.scales[asset] = info.Scale
	return info.Scale, nil
}

// amount reads an amount such as 12.50usd.
func (b *builder) amount(text string) (asset string, amount ledger.Amount, err error) {
	parts, err := splitAmount(text)
	if err != nil {
		return "", amount, err
	}
	scale, err := b.scale(parts.asset)
	if err != nil {
		return "", amount, err
	}
	amount, err = parts.at(scale)
	return parts.asset, amount, err
}

// draft begins the transaction. Each draft has a nonce and an end of validity of its own.
func (b *builder) draft() *client.Draft {
	d := client.NewTx(b.chain.id, b.chain.genesis, b.actor).Memo(b.flags.memo)
	b.fill(d)
	return d
}

// sign makes a new transaction and signs it.
func (b *builder) sign() (client.Signed, error) {
	keys, err := b.keys()
	if err != nil {
		return client.Signed{}, err
	}
	return b.draft().ValidFor(b.flags.validFor).Sign(keys...)
}

// signOnce signs a new transaction, or finds the one that was signed before under the same idempotency key.
func (b *builder) signOnce() (signed client.Signed, again bool, err error) {
	if b.flags.idempotencyKey == "" || b.flags.dryRun {
		signed, err = b.sign()
		return signed, false, err
	}
	request, err := b.request()
	if err != nil {
		return signed, false, err
	}
	box := outbox{b.cli.client}
	entry, err := box.find(b.flags.idempotencyKey, request)
	if err != nil {
		return signed, false, err
	}
	again = entry != nil
	if !again {
		if signed, err = b.sign(); err != nil {
			return signed, false, err
		}
		entry, err = box.keep(outboxEntry{b.flags.idempotencyKey, request, signed.TxID, signed.Raw})
		if err != nil {
			return signed, false, err
		}
	}
	signed, err = client.Decode(entry.Raw)
	return signed, again, err
}

// request is the hash of what is asked for: the body without what differs between attempts.
func (b *builder) request() (crypto.Hash, error) {
	body, err := b.draft().Nonce([ledger.NonceLen]byte{}).ValidUntilMS(1).Body()
	if err != nil {
		return crypto.Hash{}, err
	}
	return crypto.Sum(b.chain.genesis[:], body), nil
}

// keys unlocks the keys to sign with: those of --sign-with, or the acting account's own.
func (b *builder) keys() ([]crypto.PrivateKey, error) {
	ring, err := b.cli.keyring()
	if err != nil {
		return nil, err
	}
	wanted := b.flags.signWith
	if len(wanted) == 0 {
		name, err := b.ownKey(ring)
		if err != nil {
			return nil, err
		}
		wanted = []string{name}
	}
	keys := make([]crypto.PrivateKey, len(wanted))
	for i, name := range wanted {
		if keys[i], err = b.cli.unlock(ring, name); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// ownKey is the name of the key that the acting account's address was derived from.
func (b *builder) ownKey(ring *crypto.Keyring) (string, error) {
	if !looksLikeAddress(b.flags.from) {
		return b.flags.from, nil
	}
	list, err := ring.List()
	for _, info := range list {
		if info.Address == b.actor {
			return info.Name, nil
		}
	}
	if err != nil {
		return "", err
	}
	return "", keyf("no_such_key", "none of the keys in %s is that of %s", b.cli.client.path("keys"), b.actor).
		next("say which keys sign for it with --sign-with NAME")
}
