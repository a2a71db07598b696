// Package stream follows the events of a network over any of its nodes. The client and the gateway share it.
//
// # Promise
//
// Events come in order, none twice and none left out, whatever happens to the nodes on the way: a stream that
// breaks, falls silent or stands still goes on at another node, right behind the last event. Where every event is
// asked for, what a node leaves out is noticed, since a block says how many transactions it has; such a node
// counts as one that lies. Where only some are asked for, a node's word is taken for what it leaves out.
//
// What a node sends is bounded, and so is how long it may be silent.
//
// # Example
//
//	err := stream.Follow(ctx, stream.Options{Balancer: b, HTTP: http.DefaultClient, After: rpc.BeforeHeight(1)},
//		func(node string, f stream.Frame) error { ... })
package stream
