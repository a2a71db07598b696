package ledger

import "github.com/tetradledger/tetrad/crypto"

// Powers are the voting powers of a validator set.
type Powers map[crypto.ValidatorID]uint64

// ReadIndex finds the height that a linearizable read must have reached: every block that was committed before the
// reader drew its nonce has that height or a lower one. With wait the block may not exist yet; the reader waits for it, or
// takes another way if it does not come. Without ok the answers have too little power to tell.
//
// The caller has verified each answer, its nonce too, and holds the header that it names: an answer whose header it
// cannot get must be left out, or a liar could send it to wait for a block that never comes. The powers must be those of
// the set that signs block height+1. Height and wait do not depend on them, so that a caller who has taken another set
// first asks again with the right one. Several answers of one validator are harmless.
//
// Why it holds. Let F be the highest committed height in the answers. Block h is committed once validators with more than
// two thirds of the power of its set have signed a precommit for it; an honest one of them had executed h-1 by then, and
// ever after says that it has committed h-1 or more, and that h is committed or pending. Answers with more than two thirds
// of the same power share an honest validator with those signers.
//
//   - Nothing above F+1 was committed: an honest answer would say that F+1 is, and F is the highest that anyone says.
//   - If no answer has F+1 pending, F+1 was not committed either: an honest answer would say so.
//
// The first needs the set of F+2, the second the set of F+1, which is height+1 both times. A liar can at most claim that
// F+1 is pending, and make the reader wait for one block.
func ReadIndex(answers []Attestation, powers Powers) (height uint64, wait, ok bool) {
	var reached, pending uint64
	for _, a := range answers {
		reached, pending = max(reached, a.Committed), max(pending, a.Pending)
	}
	if pending > reached {
		return reached + 1, true, hasQuorum(answers, powers)
	}
	return reached, false, hasQuorum(answers, powers)
}

// hasQuorum tells whether validators with more than two thirds of all power have answered.
func hasQuorum(answers []Attestation, powers Powers) bool {
	var answered, total uint64
	counted := make(map[crypto.ValidatorID]bool, len(answers))
	for _, a := range answers {
		if !counted[a.Validator] {
			counted[a.Validator] = true
			answered += powers[a.Validator]
		}
	}
	// order: a sum
	for _, power := range powers {
		total += power
	}
	return 3*answered > 2*total
}
