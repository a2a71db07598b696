// Liar is a validator that misbehaves, for tests only: it is assembled from the same parts as a real one, with
// some of them wrapped. It needs a home that `tetrad testnet` wrote, and keeps to the protocol in everything
// but the lies it is told to tell:
//
//	votes      signs a second, conflicting vote for every block it votes for, and sends it to everybody
//	proposals  proposes blocks with bad signatures, malformed transactions, duplicates and broken frames
//	pool       floods its peers' pools with garbage
//	answers    tells readers that everybody has more than they have
//
// Use:
//
//	liar --home D/node3 --lies votes,proposals,pool,answers
package main
