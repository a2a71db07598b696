// Package plane is the app plane: what validators say to each other outside of consensus, over a libp2p host of
// their own. Today that is attestations, from which a node learns how far a strong read must see, and echoes,
// from which it learns how long the way to the others is.
//
// # Who takes part
//
// A host is known by its validator's service key, which the ledger records together with the host's address. Admit
// tells the plane whom the ledger names; everybody else is refused as soon as the handshake shows who it is, and whoever
// is named no longer is disconnected. The key that signs votes is never here.
//
// # Promises
//
//   - Nothing that comes in is larger than a frame of fixed size, or lasts longer than a deadline; streams, connections
//     and memory are bounded for each member and for all of them, and each member's requests by rate.
//   - The plane dials the addresses that the ledger names, and no others that a member may announce.
//   - It works over either transport of CometBFT and takes nothing from it: a flood here cannot delay a vote.
//
// # Example
//
//	p, err := plane.New(plane.Options{Key: service, Listen: "127.0.0.1:26659", Attest: attest})
//	...
//	p.Admit(members)
//	err = p.Start()
//	...
//	signed, err := p.Ask(ctx, validator, nonce)
package plane
