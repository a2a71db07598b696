package ledger

// Precheck says what can be known of a transaction before it is in a block: whether its time has passed,
// whether it was in a block before, whether its signatures speak for the accounts that act. It says nothing
// of what its operations would do, since other transactions may come first. The error is a *Reject, or
// comes from the Reader.
func Precheck(r Reader, t *Transaction, nowMS uint64) error {
	if t.Fault != CodeOK {
		return &Reject{Code: t.Fault}
	}
	s, err := newState(r, 0, nowMS, 1)
	if err != nil {
		return err
	}
	return s.admit(t)
}
