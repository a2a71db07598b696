package node

import (
	"testing"
)

// validatorSteps is the life of a validator in consensus: it signs for a height once it has executed the one before,
// and executes it later, with its own help or without.
type validatorSteps struct {
	signed, committed uint64
	flag              bool // raised with a precommit, lowered when its block is committed: what must not be done
	n                 int
}

func newValidatorSteps() *validatorSteps { return &validatorSteps{signed: 9, committed: 9} }

// advance takes steps. At every third height it learns of the commit without having signed.
func (v *validatorSteps) advance(steps int) {
	for range steps {
		next := v.committed + 1
		if v.signed < next && next%3 != 0 && v.n%2 == 0 {
			v.signed, v.flag = next, true
		} else {
			v.committed, v.flag = next, false
		}
		v.n++
	}
}

// interleave calls a reading of the validator's attestable with every number of steps before it, and between its two
// looks, and counts the readings that lose a precommit given away before they began, and those that say more than an
// attestation may.
func interleave(read func(pledged, flagged func() (uint64, bool), height func() uint64) (committed, pending uint64)) (lost, wrong int) {
	const most = 9
	for before := range most {
		for between := range most {
			v := newValidatorSteps()
			v.advance(before)
			released, looks := v.signed, 0
			look := func() {
				if looks++; looks == 2 {
					v.advance(between)
				}
			}
			pledged := func() (uint64, bool) {
				look()
				return v.signed, v.flag
			}
			committed, pending := read(pledged, pledged, func() uint64 {
				look()
				return v.committed
			})
			if committed < released && pending < released {
				lost++
			}
			if pending != 0 && pending != committed+1 {
				wrong++
			}
		}
	}
	return lost, wrong
}

func TestStandingLosesNoPrecommit(t *testing.T) {
	lost, wrong := interleave(func(pledged, _ func() (uint64, bool), height func() uint64) (uint64, uint64) {
		committed, pending, err := attestable(func() uint64 { p, _ := pledged(); return p }, height)
		if err != nil {
			t.Fatal(err)
		}
		return committed, pending
	})
	if lost > 0 || wrong > 0 {
		t.Errorf("%d readings lose a precommit, %d are no attestation", lost, wrong)
	}
}

// TestInterleavingFindsTheLoss shows that the test above would see what it looks for.
func TestInterleavingFindsTheLoss(t *testing.T) {
	if lost, _ := interleave(func(_, flagged func() (uint64, bool), height func() uint64) (uint64, uint64) {
		committed := height()
		if _, raised := flagged(); raised {
			return committed, committed + 1
		}
		return committed, 0
	}); lost == 0 {
		t.Error("a flag that is lowered at the commit, read last, is not found to lose a precommit")
	}
	if _, wrong := interleave(func(pledged, _ func() (uint64, bool), height func() uint64) (uint64, uint64) {
		committed := height()
		if signed, _ := pledged(); signed > committed {
			return committed, signed
		}
		return committed, 0
	}); wrong == 0 {
		t.Error("reading the height first is not found to say too much")
	}
}

func TestStandingKeepsSilent(t *testing.T) {
	for _, c := range []struct {
		signed, committed, pending uint64
		ok                         bool
	}{
		{0, 0, 0, false},
		{1, 0, 0, false},
		{0, 1, 0, true},
		{7, 7, 0, true},
		{8, 7, 8, true},
		{9, 7, 0, false}, // it has lost its data
		{107, 7, 0, false},
	} {
		committed, pending, err := attestable(func() uint64 { return c.signed }, func() uint64 { return c.committed })
		if (err == nil) != c.ok || c.ok && (committed != c.committed || pending != c.pending) {
			t.Errorf("signed %d, committed %d: says %d, %d, %v", c.signed, c.committed, committed, pending, err)
		}
	}
}
