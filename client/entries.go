package client

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

const (
	// EntriesMax bounds a list that is read as a whole: some ten thousand entries and, where they are proven,
	// as many proofs take a second and tens of megabytes. Longer ones are read page by page.
	EntriesMax = 10_000
	// entryPagesMax bounds the pages of such a list. Pages are short where many entries were deleted.
	entryPagesMax = 1000
	// entryListsMax is how often a list is begun anew because its height was given up while it was read.
	entryListsMax = 4
)

// EntriesOptions choose a page of a namespace. The zero value is the first page of all there is.
type EntriesOptions struct {
	Prefix string // only paths that begin so
	After  string // only paths behind this one: Next of the page before
	Limit  int    // at most so many, up to rpc.EntriesPageMax; 0: as many as the node likes
}

// EntriesTooManyError says that a namespace is too large to be read as a whole.
type EntriesTooManyError struct{ Count uint64 }

// Error says what can be done.
func (e *EntriesTooManyError) Error() string {
	return fmt.Sprintf("the list has %d entries, at most %d are read at once: read it page by page, or choose a prefix", e.Count, EntriesMax)
}

// errEndless is of a list that goes on and on.
var errEndless = fmt.Errorf("the list did not end after %d pages", entryPagesMax)

// EntriesPage reads one page of a namespace's entries, as a node tells it.
func (c *Client) EntriesPage(ctx context.Context, namespace string, page EntriesOptions, o ReadOptions) (rpc.Entries, error) {
	var out rpc.Entries
	r := c.readRequest(o, readPath(rpc.PathEntries, namespace))
	page.add(r.query)
	_, err := c.anywhere(ctx, r, &out)
	return out, err
}

func (p EntriesOptions) add(query url.Values) {
	if p.Prefix != "" {
		query.Set("prefix", p.Prefix)
	}
	if p.After != "" {
		query.Set("after", p.After)
	}
	if p.Limit > 0 {
		query.Set("limit", strconv.Itoa(p.Limit))
	}
}

// Entries reads all entries of a namespace whose paths begin with prefix, at one height, as nodes tell it.
func (c *Client) Entries(ctx context.Context, namespace, prefix string, o ReadOptions) (rpc.Entries, error) {
	return wholeList(o, func(o ReadOptions) (rpc.Entries, error) {
		return gather(prefix, o, func(page EntriesOptions, o ReadOptions) (rpc.Entries, error) {
			return c.EntriesPage(ctx, namespace, page, o)
		})
	})
}

// gather puts the pages of a list together. The first one says at which height the others are read.
func gather(prefix string, o ReadOptions, read func(EntriesOptions, ReadOptions) (rpc.Entries, error)) (rpc.Entries, error) {
	page := EntriesOptions{Prefix: prefix, Limit: rpc.EntriesPageMax}
	all, err := read(page, o)
	if err != nil {
		return all, err
	}
	if prefix == "" && all.Count > EntriesMax {
		return all, &EntriesTooManyError{Count: all.Count}
	}
	o.Height = all.Height
	for pages := 1; all.Next != ""; pages++ {
		if pages == entryPagesMax || all.Next <= page.After {
			return all, errEndless
		}
		page.After = all.Next
		next, err := read(page, o)
		if err != nil {
			return all, err
		}
		all.Entries, all.Next = append(all.Entries, next.Entries...), next.Next
		if len(all.Entries) > EntriesMax {
			return all, &EntriesTooManyError{Count: all.Count}
		}
	}
	return all, nil
}

// wholeList reads a list, and again from its beginning if nodes gave up the height of its first page before the
// last one was read.
func wholeList(o ReadOptions, read func(ReadOptions) (rpc.Entries, error)) (rpc.Entries, error) {
	for lists := 1; ; lists++ {
		all, err := read(o)
		var refused *rpc.Error
		if o.Height == 0 && lists < entryListsMax && errors.As(err, &refused) && ledger.Code(refused.Code) == ledger.CodePruned {
			continue
		}
		return all, err
	}
}

// choose keeps the entries whose paths begin with a prefix.
func choose(entries []rpc.EntryData, prefix string) []rpc.EntryData {
	out := []rpc.EntryData{}
	for _, e := range entries {
		if strings.HasPrefix(e.Path, prefix) {
			out = append(out, e)
		}
	}
	return out
}
