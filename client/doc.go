// Package client is how programs use a Tetrad network: it builds and signs transactions, submits them
// through any of the nodes it knows, waits for what becomes of them, and reads.
//
// # Purpose
//
// The command line, the load generator and every Go program share it. It spreads what one node cannot
// promise over several: a node that is down, catching up or overloaded is left alone for a while and another
// one is asked; the same signed bytes may go to any number of nodes, because a transaction takes effect at
// most once.
//
// # Promise
//
// A transaction that was signed has a TxID before anything is sent, so whatever happens afterwards can be
// asked for. Waiting ends with committed, failed, never_will, or ErrUnknownOutcome; the last means that
// nobody could be asked in time, never that nothing happened. Reads see at least what this client has already
// seen, on whichever node they land. Answers are bounded in size and redirects are not followed.
//
// What a node says to a Client is believed. AskQuorum asks so many nodes that one of them must be honest, and
// names those that disagree.
//
// Verified believes no node at all. It knows the genesis hash, follows the headers that the network's validators
// signed from there on (or from a newer header that the user was given), and checks every answer against the app
// hash in one of them: that it is about the key that was asked for, of the height that was asked for, not too
// old, and complete. A node that is caught is named in an error that is an ErrLie and says which check it was;
// two blocks of one height, both signed, are kept as evidence, in files if a directory is named for them. A Receipt
// proves offline, to anybody who has the genesis hash, what became of a transaction, or that nothing ever will; a
// Proof does so for the answer to a Question, a block included.
//
// # Example
//
//	c, err := client.New(client.Options{Endpoints: []string{"http://127.0.0.1:26658", "http://127.0.0.1:26668"}})
//	...
//	tx, err := client.NewTx(chainID, genesisHash, key.Public().Address()).
//		Transfer(to, "usd", amount).ValidFor(time.Minute).Sign(key)
//	...
//	if _, err := c.Submit(ctx, tx.Raw); err != nil { ... }
//	outcome, err := c.WaitCommitted(ctx, tx)
//	...
//	v, err := client.NewVerified(client.VerifiedOptions{Options: options, ChainID: chainID, GenesisHash: genesisHash})
//	...
//	balance, err := v.Balance(ctx, account, "usd", client.ReadOptions{}) // proven, or errors.Is(err, client.ErrLie)
package client
