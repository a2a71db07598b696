// Package rpc is the node's HTTP API: its JSON types, its errors and its server.
//
// # Purpose
//
// People and programs submit signed transactions here and read what the ledger holds. The package translates
// between HTTP and a Backend, which the node implements; it decides nothing about the ledger.
//
//	POST /v1/transactions                        one signed transaction
//	POST /v1/transactions:batch                  thousands, length-delimited; the fast way in
//	POST /v1/transactions:simulate               what would become of one
//	GET  /v1/transactions/{txid}                 what became of one; ?wait=committed asks until it is decided
//	GET  /v1/accounts/{id}[/balances[/{asset}]]  an account and its balances
//	GET  /v1/assets/{code}                       an asset and its supply
//	GET  /v1/entries/{namespace}/{path...}       a register
//	GET  /v1/validators · /v1/params             who decides, and by which numbers
//	GET  /v1/blocks/{height}                     a block, ?receipts=list|packed with what it decided
//	GET  /v1/events                              what blocks decide, as a stream that can be resumed anywhere
//	GET  /v1/light/{height} · /v1/genesis        signed headers and the genesis document: what proofs rest on
//	GET  /v1/status · /v1/ready · /v1/live       the node itself
//	GET  /v1/topology                            how far the others are, by its word
//	GET  /v1/errors                              every error code there is
//	GET  /openapi.json · /docs                   this list for programs, and for people
//
// # Promise
//
// Every answer that is not a success is an Error with a code of the one registry, whoever refused: the
// ledger, this package or the HTTP machinery below it. Nothing waits without a bound and nothing that comes
// from outside is held without one (limits.go). An answer says at which height it holds. It is what this one
// node says ("verified": false); with ?proof=true it carries every leaf that it was computed from, each with an
// ics23 proof under the root that the next block's header holds, so that a client need not trust the node.
// What is absent is proven absent, in the body of the 404 if need be.
//
// # Example
//
//	server := rpc.NewServer(backend, rpc.Options{Node: "node0", ChainID: "tetrad-dev", Logger: logger})
//	err := server.Serve(listener)
package rpc
