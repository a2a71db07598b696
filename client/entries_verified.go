package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// Entries reads all entries of a namespace whose paths begin with prefix. Nothing can be left out: the leaf that
// counts the namespace's entries is proven, and as many different entries at the same height, whatever their
// paths; the choice by prefix is made here. A namespace of more than EntriesMax entries is an
// EntriesTooManyError.
func (v *Verified) Entries(ctx context.Context, namespace, prefix string, o ReadOptions) (rpc.Entries, error) {
	return v.entries(ctx, namespace, prefix, rpc.EntriesPageMax, o)
}

// entries is Entries with pages of another size.
func (v *Verified) entries(ctx context.Context, namespace, prefix string, limit int, o ReadOptions) (rpc.Entries, error) {
	a, err := accountOf(namespace)
	if err != nil {
		return rpc.Entries{}, err
	}
	if o.Prove != nil {
		return rpc.Entries{}, errors.New("client: there are proof documents of single entries, not of lists of them")
	}
	if len(prefix) > ledger.EntryPathMax {
		return rpc.Entries{}, fmt.Errorf("the prefix has %d characters, at most %d are possible", len(prefix), ledger.EntryPathMax)
	}
	out, err := wholeList(o, func(o ReadOptions) (rpc.Entries, error) { return v.gather(ctx, namespace, a, limit, o) })
	if err == nil {
		out.Prefix, out.Entries = prefix, choose(out.Entries, prefix)
	}
	return out, err
}

// gather proves page after page until there are as many entries as the namespace counts.
func (v *Verified) gather(ctx context.Context, namespace string, a crypto.Address, limit int, o ReadOptions) (rpc.Entries, error) {
	l := listing{account: a, limit: limit}
	var all rpc.Entries
	for pages := 1; ; pages++ {
		r := v.client.readRequest(o, readPath(rpc.PathEntries, namespace))
		EntriesOptions{After: l.after, Limit: limit}.add(r.query)
		page, _, _, err := prove(ctx, v, o, query[rpc.Entries]{request: r, build: l.build, agree: l.agree})
		if err != nil {
			return rpc.Entries{}, err
		}
		if page.Count > EntriesMax {
			return rpc.Entries{}, &EntriesTooManyError{Count: page.Count}
		}
		if pages == 1 {
			all, o.Height = page, page.Height
		} else {
			all.Entries = append(all.Entries, page.Entries...)
		}
		l.seen += len(page.Entries)
		if uint64(l.seen) == page.Count {
			all.Next = ""
			return all, nil
		}
		if pages == entryPagesMax {
			return rpc.Entries{}, errEndless
		}
		l.after = l.next
	}
}

// listing is a list that is being proven page by page, in order of paths.
type listing struct {
	account crypto.Address
	limit   int
	after   string // every entry up to this path was asked for
	seen    int    // entries proven so far, all different, since each page lies behind the one before
	next    string // where the node says that the page just read ends
}

// build makes a page of what is proven. The proof may show the namespace's leaf, and entries that are in the
// namespace, there, and behind the page before; the keys are looked up under what that makes them.
func (l *listing) build(p *proven) (rpc.Entries, error) {
	out := rpc.Entries{Namespace: l.account.String(), Entries: []rpc.EntryData{}, Height: p.height, Verified: true}
	leaf, err := p.asked(ledger.KeyNamespace(l.account))
	if err != nil {
		return out, err
	}
	count, _, err := decoded(leaf, ledger.DecodeNamespace)
	if err != nil {
		return out, err
	}
	out.Count = count.Entries
	paths, err := l.paths(p)
	if err != nil {
		return out, err
	}
	for _, path := range paths {
		leaf, err := p.element(ledger.KeyEntry(l.account, path))
		if err != nil {
			return out, err
		}
		e, found, err := decoded(leaf, ledger.DecodeEntry)
		if err == nil && !found {
			err = lie(LieForeign, "it lists %q and proves that it is not there", path)
		}
		if err != nil {
			return out, err
		}
		out.Entries = append(out.Entries, rpc.DescribeEntry(path, &e))
	}
	return out, nil
}

// paths finds the entries that a proof shows, and refuses whatever else is in it.
func (l *listing) paths(p *proven) ([]string, error) {
	own, prefix := string(ledger.KeyNamespace(l.account)), ledger.KeyEntry(l.account, "")
	var paths []string
	for key := range p.items {
		if key == own {
			continue
		}
		path, ok := bytes.CutPrefix([]byte(key), prefix)
		if !ok || len(path) == 0 {
			return nil, lie(LieForeign, "the key %x is not one of the namespace", key)
		}
		paths = append(paths, string(path))
	}
	slices.Sort(paths)
	switch {
	case len(paths) > l.limit:
		return nil, lie(LieShape, "%d entries, asked for at most %d", len(paths), l.limit)
	case len(paths) > 0 && paths[0] <= l.after:
		return nil, lie(LieDoubled, "%q is not behind %q, up to where the list was told before", paths[0], l.after)
	}
	return paths, nil
}

// agree compares what a page says with what it proves, and with what was proven before. Where it ends is the
// node's word: a page that ends too far on skips entries, and the count will miss them.
func (l *listing) agree(claimed, built rpc.Entries) error {
	told := map[string]bool{}
	for _, e := range claimed.Entries {
		if told[e.Path] {
			return lie(LieDoubled, "it lists %q twice", e.Path)
		}
		told[e.Path] = true
	}
	last := l.after
	for _, e := range built.Entries {
		if !told[e.Path] {
			return lie(LieMissing, "it proves %q and does not list it", e.Path)
		}
		delete(told, e.Path)
		last = e.Path
	}
	for path := range told {
		return lie(LieUnproven, "it lists %q and does not prove it", path)
	}
	if n := uint64(l.seen + len(built.Entries)); n != built.Count {
		if n > built.Count {
			return fmt.Errorf("the namespace counts %d entries at height %d and has %d: the network's state is damaged", built.Count, built.Height, n)
		}
		if claimed.Next == "" {
			return lie(LieMissing, "the namespace has %d entries, it lists %d", built.Count, n)
		}
		if claimed.Next < last || claimed.Next == l.after {
			return lie(LieShape, "the list goes on at %q, and is at %q already", claimed.Next, last)
		}
	}
	l.next = claimed.Next
	claimed.Next = "" // not proven, and not needed once the count is reached
	return sameFields(claimed, built)
}
