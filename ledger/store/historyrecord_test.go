package store

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// touchedList decodes chunks into the names of each list.
func touchedList(t testing.TB, chunks [][]byte) (lists [][]string, width int) {
	t.Helper()
	for _, chunk := range chunks {
		err := eachTouched(chunk, func(names []byte, w int) error {
			width = w
			var list []string
			for ; len(names) > 0; names = names[w:] {
				list = append(list, string(names[:w]))
			}
			lists = append(lists, list)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return lists, width
}

// TestTouchedNames: names are as short as can be and still tell accounts apart, whoever chose the ids; lists come
// back as they were, over any number of chunks.
func TestTouchedNames(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, one := range []struct {
		accounts, shared, txs int
		width                 int // 0: any
	}{{1, 0, 3, 1}, {2, 31, 5, 32}, {2, 8, 5, 9}, {2, 7, 5, 8}, {300, 0, 50_000, 0}, {40, 3, 10, 4}} {
		var state []ledger.Change
		var accounts []crypto.Address
		begin := randomBytes(rng, one.shared)
		for i := range one.accounts {
			id := crypto.Address(append(slices.Clone(begin), randomBytes(rng, 32-one.shared)...))
			id[one.shared] = byte(i)
			accounts = append(accounts, id)
			state = append(state, ledger.Change{Key: ledger.KeyAccount(id), Value: []byte{1}})
		}
		state = append(state, ledger.Change{Key: ledger.KeyParams(), Value: []byte{1}}, ledger.Change{Key: []byte{ledger.PrefixAccount, 3}, Value: []byte{1}})
		sortChanges(state)
		touched := make([][]crypto.Address, one.txs)
		for i := range touched {
			for range rng.IntN(3) {
				touched[i] = append(touched[i], accounts[rng.IntN(len(accounts))])
			}
		}
		chunks := encodeTouched(state, touched)
		lists, width := touchedList(t, chunks)
		if len(lists) != one.txs || one.width > 0 && width != one.width || width > one.shared+3 {
			t.Fatalf("%+v: %d lists, width %d", one, len(lists), width)
		}
		if one.txs > 40_000 && len(chunks) < 2 {
			t.Errorf("%d chunks", len(chunks))
		}
		for i, list := range lists {
			if len(list) != len(touched[i]) {
				t.Fatalf("list %d has %d accounts, want %d", i, len(list), len(touched[i]))
			}
			for k, name := range list {
				matching := slices.DeleteFunc(slices.Clone(accounts), func(a crypto.Address) bool { return !bytes.HasPrefix(a[:], []byte(name)) })
				if len(matching) != 1 || matching[0] != touched[i][k] {
					t.Fatalf("name %x stands for %v, want %s", name, matching, touched[i][k])
				}
			}
		}
	}
	if encodeTouched(nil, nil) != nil {
		t.Error("no lists make a chunk")
	}
}

// TestFormatFirst: heads written before there were touched accounts are read, and written again the same.
func TestFormatFirst(t *testing.T) {
	e := headEntry{Head: Head{Format: FormatFirst, Height: 4, TimeMS: 5}, Chunks: [sections]uint32{1, 2, 3}, Bytes: 9, Firsts: [][]byte{{1, 2}}}
	encoded := e.encode()
	if len(encoded) != headEntryLen(FormatFirst)+3 {
		t.Fatalf("%d bytes", len(encoded))
	}
	got, err := decodeHeadEntry(encoded)
	if err != nil || got.Chunks != e.Chunks || got.Bytes != 9 || !bytes.Equal(got.encode(), encoded) {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, format := range []uint32{0, Format + 1} {
		e.Format = format
		if _, err := decodeHeadEntry(e.encode()); err == nil {
			t.Errorf("format %d is read", format)
		}
	}
}

// FuzzTouched: what decodes has names within the chunk, and nothing panics.
func FuzzTouched(f *testing.F) {
	a, b := crypto.Address{1}, crypto.Address{2}
	state := []ledger.Change{{Key: ledger.KeyAccount(a)}, {Key: ledger.KeyAccount(b)}}
	for _, chunk := range encodeTouched(state, [][]crypto.Address{{a}, nil, {a, b}}) {
		f.Add(chunk)
	}
	f.Add([]byte{33, 1, 1})
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, chunk []byte) {
		size := 1
		err := eachTouched(chunk, func(names []byte, width int) error {
			if len(names)%width != 0 {
				t.Fatalf("%d bytes of names of %d", len(names), width)
			}
			size += 1 + len(names)
			return nil
		})
		if err == nil && size > len(chunk) {
			t.Fatalf("%d bytes of lists in a chunk of %d", size, len(chunk))
		}
	})
}
