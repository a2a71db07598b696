// Package node assembles a replica and owns its life: configuration, homes, CometBFT in this process, the
// ledger, the HTTP API, metrics, and the order in which they start and stop.
//
// # Order
//
// New takes the home's lock, reads the genesis document, opens the ports, opens the ledger and then CometBFT,
// which executes the blocks that the ledger has not seen (a crash leaves at most a few). Nothing is served
// before Start. Stop ends clients first, then CometBFT, then the ledger, and the lock last; it takes less than
// five seconds, and the process may also be killed at any point.
//
// # Promises
//
//   - A setting comes from a flag, else from the environment, else from a file, else from the profile, and a key
//     that nobody reads is an error.
//   - One home serves one process, and a validator does not sign without the record of what it signed last.
//   - Peers that are not on the allow-list are dropped, on both transports.
//   - A node whose consensus has died does not live on: Done is closed with ErrConsensusDead, so that the
//     process can end and be restarted.
//   - Fsck and Replay audit a home on which nothing runs, and leave it as it was, byte for byte.
//   - Any number of nodes can live in one process, which is how the tests make networks.
//
// # Example
//
//	config, err := node.Load(home, nil)
//	...
//	n, err := node.New(config, logger, node.WithVersion(version))
//	...
//	err = n.Start()
//	...
//	select {
//	case <-signals:
//		err = n.Stop()
//	case <-n.Done():
//		err = errors.Join(n.Err(), n.Stop())
//	}
package node
