package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// HistoryEntriesMax bounds what one call gathers, some 200 MB; NextBefore says where the next one goes on.
const HistoryEntriesMax = 1 << 20

// HistoryOptions choose a part of an account's history. The zero value is its newest transactions.
type HistoryOptions struct {
	// Height takes the log as it was after that block; 0: the newest. Consistency is that of ReadOptions.
	ReadOptions
	// Before leaves out the account's transactions from this one on, which is NextBefore of an earlier call.
	Before uint64
	// Limit is how many entries are wanted; 0: rpc.HistoryLimitDefault, negative: all.
	Limit int
	// FromHeight and ToHeight leave out the transactions of blocks below the one and above the other; 0: none.
	FromHeight, ToHeight uint64
	// ProveTimes makes Verified compare the time of every entry with its block's header, which costs a header
	// for each height. Without it times are the node's word, since the log binds heights alone.
	ProveTimes bool

	page int // entries asked for at once; tests choose fewer
}

func (o HistoryOptions) limit() int {
	switch {
	case o.Limit < 0 || o.Limit > HistoryEntriesMax:
		return HistoryEntriesMax
	case o.Limit == 0:
		return rpc.HistoryLimitDefault
	}
	return o.Limit
}

// pageLimit is how large pages are asked for. What is left out is asked for as well.
func (o HistoryOptions) pageLimit() int {
	switch {
	case o.page > 0:
		return o.page
	case o.ToHeight > 0 || o.Before > 0:
		return rpc.HistoryLimitMax
	}
	return min(o.limit(), rpc.HistoryLimitMax)
}

// History lists the transactions of an account, newest first, as nodes say. It asks for as many pages as it needs.
func (c *Client) History(ctx context.Context, id string, o HistoryOptions) (rpc.History, error) {
	begin := o.Before
	o.Before = 0
	return walkHistory(id, o, begin, func(before uint64) (rpc.History, error) {
		var page rpc.History
		r := c.historyRequest(id, o, before)
		if before > 0 && o.Height > 0 {
			r.query.Set("height", strconv.FormatUint(o.Height, 10))
		}
		_, err := c.anywhere(ctx, r, &page)
		if err == nil {
			err = inOrder(page, before)
		}
		return page, err
	})
}

// historyRequest asks for a page. Only the first one must be of a certain state: older entries never change.
func (c *Client) historyRequest(id string, o HistoryOptions, before uint64) request {
	path := readPath(rpc.PathAccounts, id, "history")
	r := request{method: http.MethodGet, path: path, header: http.Header{}, query: url.Values{}, aside: true}
	if before == 0 {
		r = c.readRequest(o.ReadOptions, path)
	} else {
		r.query.Set("before", strconv.FormatUint(before, 10))
	}
	r.query.Set("limit", strconv.Itoa(o.pageLimit()))
	return r
}

// inOrder keeps a node from leading its caller around in circles. It is no check of what the entries say.
func inOrder(page rpc.History, before uint64) error {
	last := before
	for i, e := range page.Entries {
		if e.Seq == 0 || last > 0 && e.Seq >= last {
			return fmt.Errorf("the history is not in order: entry %d is transaction %d of the account", i, e.Seq)
		}
		last = e.Seq
	}
	if page.NextBefore > 0 && (len(page.Entries) == 0 || page.NextBefore != last) {
		return fmt.Errorf("the history does not go on where it ends: at transaction %d of the account, not %d", last, page.NextBefore)
	}
	return nil
}

// walkHistory gathers the entries that are wanted, page by page, beginning before a transaction of the account.
func walkHistory(id string, o HistoryOptions, begin uint64, next func(before uint64) (rpc.History, error)) (rpc.History, error) {
	out, err := next(begin)
	if err != nil {
		return out, err
	}
	page := out
	out.Entries, out.NextBefore, out.LogHeadBefore, out.FirstSeq, out.FirstHeight = []rpc.HistoryEntry{}, 0, nil, 0, 0
	for {
		for _, e := range page.Entries {
			switch {
			case o.FromHeight > 0 && e.Height < o.FromHeight:
				return out, nil
			case o.ToHeight > 0 && e.Height > o.ToHeight, o.Before > 0 && e.Seq >= o.Before:
				continue
			case len(out.Entries) == o.limit():
				out.NextBefore = out.Entries[len(out.Entries)-1].Seq
				return out, nil
			}
			e.Time = timeText(e.TimeMS)
			out.Entries = append(out.Entries, e)
		}
		before := cmp.Or(page.NextBefore, page.FirstSeq)
		if before <= 1 || len(page.Entries) == 0 {
			return out, nil
		}
		if len(out.Entries) == o.limit() {
			out.NextBefore, out.FirstSeq, out.FirstHeight = page.NextBefore, page.FirstSeq, page.FirstHeight
			return out, nil
		}
		older, err := next(before) // where one node's history ends, another's may go on
		switch {
		case err == nil:
			page = older
		case page.NextBefore == 0 && errors.Is(err, errPruned):
			return endsEarly(id, o, out, page)
		default:
			return out, err
		}
	}
}

// endsEarly is a history of which no node keeps the rest. That is an error where the rest was asked for.
func endsEarly(id string, o HistoryOptions, out, last rpc.History) (rpc.History, error) {
	out.FirstSeq, out.FirstHeight = last.FirstSeq, last.FirstHeight
	if o.FromHeight > 0 {
		return out, rpc.ErrHistoryPruned(id, last.FirstSeq, last.FirstHeight)
	}
	return out, nil
}

// History lists the transactions of an account, newest first, and proves that they are all there are between any
// two of them: the head of the log stands in the account's leaf, which is proven, and every entry leads to the
// head before it. An entry is thereby proven to be a committed transaction of the account, by its height and its
// number; its time only if that was asked for. Before and ToHeight leave out what had to be checked anyway.
func (v *Verified) History(ctx context.Context, id string, o HistoryOptions) (rpc.History, error) {
	a, err := accountOf(id)
	if err != nil {
		return rpc.History{}, err
	}
	w := &historyWalk{v: v, id: id, account: a, options: o, told: map[uint64]string{}}
	out, err := walkHistory(id, o, 0, func(before uint64) (rpc.History, error) {
		if before == 0 {
			return w.first(ctx)
		}
		return w.next(ctx, before)
	})
	if err != nil {
		return out, err
	}
	out.Verified = true
	if o.ProveTimes {
		err = w.proveTimes(ctx, out.Entries)
		out.TimesVerified = err == nil
	}
	return out, err
}

// historyWalk is a walk along an account's log, from a proven head on.
type historyWalk struct {
	v       *Verified
	id      string
	account crypto.Address
	options HistoryOptions
	node    string            // that answered last
	seq     uint64            // the newest entry that is not checked yet
	head    crypto.Hash       // of the log after that entry; it is known to be true
	timeMS  uint64            // of the oldest entry so far
	told    map[uint64]string // which node said when the block of a height was
}

// first asks for the newest page with the proof of the account's leaf.
func (w *historyWalk) first(ctx context.Context) (rpc.History, error) {
	var page rpc.History
	q := query[rpc.History]{
		request: w.v.client.historyRequest(w.id, w.options, 0),
		build: func(p *proven) (rpc.History, error) {
			leaf, _, err := provenAccount(p, w.account)
			w.seq, w.head, w.timeMS = leaf.LogCount, leaf.LogHead, p.timeMS
			return rpc.History{Account: w.id, Address: w.account.String(), LogCount: leaf.LogCount, LogHead: leaf.LogHead, Height: p.height}, err
		},
		agree: func(claimed, built rpc.History) error {
			if claimed.Account != built.Account || claimed.Address != built.Address || claimed.Height != built.Height ||
				claimed.LogCount != built.LogCount || claimed.LogHead != built.LogHead {
				return lie(LieValue, "it said that the log of %s has %d transactions and the head %s", cut(claimed.Address), claimed.LogCount, claimed.LogHead)
			}
			page = claimed
			page.Proof = nil
			return w.check(&page)
		},
	}
	_, _, node, err := prove(ctx, w.v, w.options.ReadOptions, q)
	w.node = node
	w.note(page)
	return page, err
}

// next asks for the page before a transaction of the account: whoever answers, the page before says what it must
// lead to.
func (w *historyWalk) next(ctx context.Context, before uint64) (rpc.History, error) {
	out, node, err := anyNode(ctx, w.v, func(ctx context.Context, node string) (rpc.History, bool, error) {
		var page rpc.History
		if err := w.v.client.ask(ctx, node, w.v.client.historyRequest(w.id, w.options, before), &page); err != nil {
			return page, false, err
		}
		return page, false, from(node, 0, w.check(&page))
	})
	if err == nil {
		w.node = node
		w.note(out)
	}
	return out, err
}

func (w *historyWalk) note(page rpc.History) {
	for _, e := range page.Entries {
		w.told[e.Height] = w.node
	}
}

// check compares a page with the head that it must lead to, and goes on to the head before it.
func (w *historyWalk) check(page *rpc.History) error {
	n := uint64(len(page.Entries))
	switch {
	case w.seq == 0 && n == 0:
		return w.checkEnd(page, 0)
	case n == 0:
		return lie(LieHistory, "it lists nothing, and the log has %d transactions", w.seq)
	case n > w.seq || n > uint64(w.options.pageLimit()):
		return lie(LieHistory, "it lists %d transactions", n)
	case page.LogHeadBefore == nil:
		return lie(LieHistory, "it does not say which head comes before the page")
	}
	entries := make([]ledger.LogEntry, 0, n)
	last := w.timeMS
	for i, e := range page.Entries {
		if want := w.seq - uint64(i); e.Seq != want {
			return lie(LieHistory, "where transaction %d of the account must stand, stands transaction %d", want, e.Seq)
		}
		if e.Code != 0 {
			return lie(LieHistory, "it says that transaction %d of the account failed with code %d, and what fails is in no log", e.Seq, e.Code)
		}
		if e.TimeMS > last {
			return lie(LieHistory, "it says that transaction %d of the account was later than what came after it", e.Seq)
		}
		last = e.TimeMS
		entries = append(entries, ledger.LogEntry{Seq: e.Seq, Height: e.Height, TimeMS: e.TimeMS, TxID: e.TxID})
	}
	oldest := entries[n-1].Seq
	before := *page.LogHeadBefore
	if (oldest == 1) != before.IsZero() {
		return lie(LieHistory, "before transaction %d of the account it says that the head was %s", oldest, before)
	}
	if head := ledger.FoldLog(before, entries); head != w.head {
		return lie(LieHistory, "transactions %d to %d of the account lead to the head %s, and it is %s", oldest, w.seq, head, w.head)
	}
	if err := w.checkEnd(page, oldest); err != nil {
		return err
	}
	w.seq, w.head, w.timeMS = oldest-1, before, last
	return nil
}

// checkEnd checks what a page says about older entries: that there are some, or none, or that they are not kept.
func (w *historyWalk) checkEnd(page *rpc.History, oldest uint64) error {
	kept := page.NextBefore == oldest && page.FirstSeq == 0 && page.FirstHeight == 0
	dropped := page.NextBefore == 0 && page.FirstSeq == oldest && oldest > 0 && page.FirstHeight == page.Entries[len(page.Entries)-1].Height
	if oldest <= 1 {
		kept = page.NextBefore == 0 && page.FirstSeq == 0 && page.FirstHeight == 0
		dropped = false
	}
	if kept || dropped {
		return nil
	}
	return lie(LieHistory, "it leaves out what comes before transaction %d of the account", oldest)
}

// proveTimes compares the times of entries with the headers of their blocks.
func (w *historyWalk) proveTimes(ctx context.Context, entries []rpc.HistoryEntry) error {
	known := map[uint64]uint64{}
	for _, e := range entries {
		timeMS, ok := known[e.Height]
		if !ok {
			header, err := w.v.light.header(ctx, w.told[e.Height], e.Height)
			if err != nil {
				return err
			}
			timeMS = uint64(max(0, header.Time.UnixMilli()))
			known[e.Height] = timeMS
		}
		if e.TimeMS != timeMS {
			return from(w.told[e.Height], e.Height, lie(LieValue, "it said that the block was made at %s, its header says %s", e.Time, timeText(timeMS)))
		}
	}
	return nil
}

func timeText(ms uint64) string { return time.UnixMilli(int64(ms)).UTC().Format(time.RFC3339Nano) }
