// Package balance decides which node of a network is asked next. The client, the CLI and the gateway share it.
//
// # Promise
//
// Every node is in the order that Order returns, the fit ones first: when all have failed, asking again is
// better than giving up unasked. What nodes say about themselves moves nobody but them: heights are compared
// with the (f+1)-th largest that was reported, which an honest node has reached, so that a node that claims a
// height nobody has makes no other look late.
//
// # Down, unfit, ejected
//
// A node is down when it could not be reached or did not answer in time. That is a fact about now: it is asked
// last for half a second, then for twice as long after each further failure. Where nodes are checked, it stays down
// until it passed two checks in a row, and two failed checks in a row make it down without any request. A node is unfit for reads while it
// says that it catches up, is cut off from a quorum, or lies behind the reference height; it stays in the order
// after the fit ones. Ejection is a judgement, over failures that the node answered with, and over lies: it
// lasts longer, needs two good checks to end, and at most f nodes are ejected at a time, since a rule that
// ejects more is itself the outage. A lie counts for more than failures and takes their place if there are
// too many.
//
// # Hedging
//
// Read asks a second node when the first takes longer than nineteen of twenty answers took. What that may cost
// is bounded: one extra request in twenty, in the long run, and none while so many are slow that more requests
// would only make it worse.
//
// # Example
//
//	b, err := balance.New(balance.Options{Nodes: nodes, Policy: balance.EWMA, Probe: probe})
//	go b.Run(ctx)
//	answer, node, err := balance.Read(ctx, b, balance.Want{}, ask)
package balance
