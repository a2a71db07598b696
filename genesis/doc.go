// Package genesis is the document every replica starts from.
//
// It is a genesis.json as CometBFT reads it, with the ledger's part under app_state: parameters, assets,
// named accounts with their first balances, and accounts of load tests, which are derived instead of listed.
// Validators stand once, in CometBFT's own list. The document is never re-encoded on its way: its hash is
// the hash of the bytes as they were distributed, and every signature on the ledger covers that hash.
//
// Parse reads and names every field it does not know. Validate lists all faults at once, with their places,
// and refuses what CometBFT would silently default to something unsafe here (blocks of 53 MiB, for one).
// Outcome gives the ledger's first state.
//
//	doc, err := genesis.Parse(data)
//	if err == nil {
//		err = doc.Validate()
//	}
//	...
//	outcome, err := doc.Outcome()
//
// The package does not import CometBFT: it writes the JSON that CometBFT reads.
package genesis
