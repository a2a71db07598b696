package ledger

import (
	"math"
	"slices"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
)

// A reader is a rule for the height that a linearizable read must have reached. Lost are the answers whose header the
// reader could not get.
type reader func(answers, lost []Attestation, powers Powers) (height uint64, ok bool)

func oursReads(answers, _ []Attestation, powers Powers) (uint64, bool) {
	height, _, ok := ReadIndex(answers, powers)
	return height, ok
}

// naiveReaders are rules that look right, each with what it overlooks. The model must find every one of them stale, or
// it could not find us stale either.
var naiveReaders = map[string]reader{
	"the highest committed height": func(answers, _ []Attestation, powers Powers) (uint64, bool) {
		return slices.Max(heightsOf(answers)), hasQuorum(answers, powers)
	},
	"a height that an honest validator vouches for": func(answers, _ []Attestation, powers Powers) (uint64, bool) {
		heights := heightsOf(answers)
		slices.Sort(heights)
		return heights[len(heights)-1-(len(powers)-1)/3], hasQuorum(answers, powers)
	},
	"pending of a majority": func(answers, _ []Attestation, powers Powers) (uint64, bool) {
		height, pending := slices.Max(heightsOf(answers)), 0
		for _, a := range answers {
			if a.Pending > height {
				pending++
			}
		}
		if 2*pending > len(answers) {
			height++
		}
		return height, hasQuorum(answers, powers)
	},
	"one answer too few": func(answers, _ []Attestation, powers Powers) (uint64, bool) {
		height, _, _ := ReadIndex(answers, powers)
		return height, 3*(len(answers)+1) > 2*len(powers)
	},
	"counting answers it has left out": func(answers, lost []Attestation, powers Powers) (uint64, bool) {
		height, _, _ := ReadIndex(answers, powers)
		return height, hasQuorum(slices.Concat(answers, lost), powers)
	},
}

func heightsOf(answers []Attestation) (heights []uint64) {
	for _, a := range answers {
		heights = append(heights, a.Committed)
	}
	return heights
}

// newestCommitted is the newest committed block of the model. Nothing depends on the number.
const newestCommitted = 10

// A honestState is what an honest validator may be doing at the moment of a read.
type honestState struct {
	signed             bool // its precommit helped to commit the newest block
	committed, pending uint64
}

// honestStates are all of them, for a validator that is at most two blocks behind. Whoever has signed a precommit for a
// block has executed the one before it; whoever has not may know of the commit all the same.
var honestStates = func() (all []honestState) {
	const h = newestCommitted
	for _, committed := range []uint64{h - 2, h - 1, h} {
		for _, pending := range []uint64{0, committed + 1} {
			for _, signed := range []bool{false, true} {
				switch {
				case signed && committed == h-2, signed && committed == h-1 && pending == 0, !signed && committed == h-1 && pending == h:
					continue // impossible, impossible, and a signature after all
				}
				all = append(all, honestState{signed, committed, pending})
			}
		}
	}
	return all
}()

// lies are all answers that a liar can give whose header exists.
var lies = func() (all []Attestation) {
	for _, committed := range []uint64{newestCommitted - 2, newestCommitted - 1, newestCommitted} {
		all = append(all, Attestation{Committed: committed}, Attestation{Committed: committed, Pending: committed + 1})
	}
	return all
}()

// stale counts the cases of the model in which a rule misses the newest committed block, and all cases, until it has found
// enough. There are 3f+1 validators of equal power, f of which lie. The newest block was committed before the read began, so that f+1 honest
// validators have signed it at least. Equal validators may be counted up to order; who does not answer has signed, for that
// is what serves the liars best.
func stale(f int, rule reader, enough int) (stale, cases int) {
	n := 3*f + 1
	powers := Powers{}
	for i := range n {
		powers[crypto.ValidatorID{byte(i + 1)}] = 1
	}
	for liars := range f + 1 {
		for honest := 2*f + 1 - liars; honest <= 2*f+1; honest++ {
			silent := 2*f + 1 - honest
			multisets(len(honestStates), honest, func(states []int) {
				signed, answers := silent, []Attestation(nil)
				for _, s := range states {
					if honestStates[s].signed {
						signed++
					}
					answers = append(answers, Attestation{Committed: honestStates[s].committed, Pending: honestStates[s].pending})
				}
				if signed < f+1 || stale >= enough {
					return
				}
				multisets(len(lies), liars, func(told []int) {
					all := slices.Clone(answers)
					for _, i := range told {
						all = append(all, lies[i])
					}
					for i := range all {
						all[i].Validator = crypto.ValidatorID{byte(i + 1)}
					}
					// Every answer may be the one whose header cannot be had, or none.
					for lost := -1; lost < len(all); lost++ {
						kept, left := all, []Attestation(nil)
						if lost >= 0 {
							left = all[lost : lost+1]
							kept = slices.Concat(all[:lost], all[lost+1:])
						}
						if height, ok := rule(kept, left, powers); ok {
							cases++
							if height < newestCommitted {
								stale++
							}
						}
					}
				})
			})
		}
	}
	return stale, cases
}

// multisets calls visit with every way to choose k of n kinds, order aside.
func multisets(n, k int, visit func([]int)) {
	chosen := make([]int, 0, k)
	var from func(least int)
	from = func(least int) {
		if len(chosen) == k {
			visit(chosen)
			return
		}
		for kind := least; kind < n; kind++ {
			chosen = append(chosen, kind)
			from(kind)
			chosen = chosen[:len(chosen)-1]
		}
	}
	from(0)
}

func TestReadIndexIsNeverStale(t *testing.T) {
	for _, f := range []int{1, 2} {
		missed, cases := stale(f, oursReads, math.MaxInt)
		t.Logf("%d validators: %d stale of %d cases", 3*f+1, missed, cases)
		if missed > 0 || cases < 500 {
			t.Errorf("%d validators: %d stale of %d cases", 3*f+1, missed, cases)
		}
	}
}

func TestNaiveReadIndexIsStale(t *testing.T) {
	for name, rule := range naiveReaders {
		for _, f := range []int{1, 2} {
			missed, cases := stale(f, rule, 1)
			if missed == 0 {
				t.Errorf("%s, %d validators: the model finds none of %d cases stale", name, 3*f+1, cases)
			}
		}
	}
}

// TestReadIndexSchedule is the schedule that breaks the highest committed height: A has seen three precommits
// for 10 and answers its client, B and C have signed and not seen each other's, D is behind.
func TestReadIndexSchedule(t *testing.T) {
	powers := Powers{{1}: 1, {2}: 1, {3}: 1, {4}: 1}
	b := Attestation{Validator: crypto.ValidatorID{2}, Committed: 9, Pending: 10}
	c := Attestation{Validator: crypto.ValidatorID{3}, Committed: 9, Pending: 10}
	d := Attestation{Validator: crypto.ValidatorID{4}, Committed: 9}
	if height, wait, ok := ReadIndex([]Attestation{b, c, d}, powers); height != 10 || !wait || !ok {
		t.Errorf("height %d, wait %v, ok %v", height, wait, ok)
	}
	a := Attestation{Validator: crypto.ValidatorID{1}, Committed: 10}
	if height, wait, ok := ReadIndex([]Attestation{a, b, d}, powers); height != 10 || wait || !ok {
		t.Errorf("height %d, wait %v, ok %v", height, wait, ok)
	}
}

func TestReadIndexNeedsMoreThanTwoThirds(t *testing.T) {
	answer := func(ids ...byte) (out []Attestation) {
		for _, id := range ids {
			out = append(out, Attestation{Validator: crypto.ValidatorID{id}, Committed: 7})
		}
		return out
	}
	most := uint64(ValidatorPowerMax)
	for name, c := range map[string]struct {
		answers []Attestation
		powers  Powers
		ok      bool
	}{
		"nobody":                       {nil, Powers{}, false},
		"nobody of somebody":           {nil, Powers{{1}: 1}, false},
		"two thirds":                   {answer(1, 2), Powers{{1}: 1, {2}: 1, {3}: 1}, false},
		"a bit more":                   {answer(1, 2), Powers{{1}: 1, {2}: 2, {3}: 1}, true},
		"one three times":              {answer(1, 1, 1), Powers{{1}: 1, {2}: 1, {3}: 1, {4}: 1}, false},
		"strangers":                    {answer(1, 2, 8, 9), Powers{{1}: 1, {2}: 1, {3}: 1, {4}: 1}, false},
		"without power":                {answer(1, 2, 3), Powers{{1}: 0, {2}: 0, {3}: 1, {4}: 1}, false},
		"three of four":                {answer(1, 2, 3), Powers{{1}: 1, {2}: 1, {3}: 1, {4}: 1}, true},
		"one with all power":           {answer(1), Powers{{1}: most}, true},
		"two thirds of large powers":   {answer(1, 2), Powers{{1}: most, {2}: most, {3}: most}, false},
		"one more than that":           {answer(1, 2), Powers{{1}: most, {2}: most, {3}: most - 1}, true},
		"largest set that can ever be": {answer(1), Powers{{1}: 256 * most, {2}: 128 * most}, false},
	} {
		if height, wait, ok := ReadIndex(c.answers, c.powers); ok != c.ok || wait || len(c.answers) > 0 && height != 7 {
			t.Errorf("%s: height %d, wait %v, ok %v", name, height, wait, ok)
		}
	}
}
