package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/tetradledger/tetrad/crypto"
)

// outbox keeps signed transactions by the caller's idempotency key. The bytes are on disk before they are
// sent for the first time, so that a caller that crashed, or never heard an answer, sends the very same
// transaction again: the ledger executes it at most once whatever happened to the first attempt.
type outbox struct{ home *clientHome }

// outboxEntry is one file of the outbox.
type outboxEntry struct {
	Key     string      `json:"idempotency_key"`
	Request crypto.Hash `json:"request"` // what was asked for, apart from nonce and expiry
	TxID    crypto.Hash `json:"txid"`
	Raw     []byte      `json:"tx"`
}

// idempotencyKeyBytesMax keeps keys to what an identifier needs.
const idempotencyKeyBytesMax = 256

func (o outbox) file(key string) string {
	return o.home.path("outbox", crypto.Sum([]byte(key)).String()+".json")
}

// find returns what was stored under a key, or nil. The same key for a different request is refused: one
// of the two would silently not happen.
func (o outbox) find(key string, request crypto.Hash) (*outboxEntry, error) {
	var entry outboxEntry
	found, err := readJSON(o.file(key), &entry)
	if err != nil || !found {
		return nil, err
	}
	if entry.Request != request {
		f := usagef("idempotency key %q was used for a different request, transaction %s", key, entry.TxID).
			next("use a new key for a new request")
		f.slug = "idempotency_conflict"
		return nil, f
	}
	return &entry, nil
}

// keep stores a signed transaction under its key before it is sent. Where another process was faster, its
// entry is returned and must be sent instead.
func (o outbox) keep(entry outboxEntry) (*outboxEntry, error) {
	data, err := json.Marshal(entry)
	if err != nil {
		return nil, fmt.Errorf("encode the outbox entry: %w", err)
	}
	err = createFile(o.file(entry.Key), append(data, '\n'), 0o600)
	if errors.Is(err, fs.ErrExist) {
		return o.find(entry.Key, entry.Request)
	}
	if err != nil {
		return nil, err
	}
	return &entry, nil
}
