// Package probe asks nodes how they are, for the balancers of clients and gateways that live long enough for it.
//
// # Promise
//
// What a node says of itself is read with a bound, and taken as what it is: a report, of which package balance
// believes no more than it must.
//
// # Example
//
//	b, err := balance.New(balance.Options{Nodes: urls, Probe: probe.Status(http.DefaultClient)})
//	go b.Run(ctx)
package probe
