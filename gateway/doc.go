// Package gateway is an HTTP front over all nodes of a network, for clients that know one address and are not
// written in Go. It keeps nothing: any number of gateways may stand side by side.
//
// # Promise
//
// The node's API is served as it is, by whichever node is fit. A read that one node cannot answer is asked of
// another, and one that is slow is asked of a second beside it, within a budget. The bytes of a transaction may be
// handed to several nodes: a transaction takes effect at most once. X-Tetrad-Min-Height steers to nodes that have
// reached the height. A stream of events goes on, without a gap and without an event twice, when the node behind it
// dies. Where no node is fit the freshest is asked all the same, and the answer says so: X-Tetrad-Degraded: 1.
// X-Tetrad-Node names the node that answered.
//
// What a gateway does not relay it redirects, with 307: everything outside of the API, which is
// the documentation. That is pages of one node, which ask that node, and a browser that trusts a gateway's origin
// must not be shown what any node likes. With StrictRegion a request that no node of the region can take is refused,
// not sent elsewhere.
//
// A gateway is not to be trusted any more than a node. It notices nodes that are silent, late, that contradict
// themselves or leave out events, and leaves them; it cannot tell whether an answer is true, and could change it by
// itself. Only the client can, with proof=true; package client and the command line do.
//
// # Example
//
//	g, err := gateway.New(gateway.Options{Nodes: urls, Logger: logger})
//	err = g.Serve(ctx, listener) // until ctx ends
package gateway
