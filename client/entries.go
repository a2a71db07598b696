package client

import (
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// entryData is what a leaf says.
func entryData(path string, e *ledger.Entry) rpc.EntryData {
	out := rpc.EntryData{Path: path, Value: e.Value, Version: e.Version, ModifiedHeight: e.ModifiedHeight}
	if readable(e.Value) {
		text := string(e.Value)
		out.Text = &text
	}
	return out
}
