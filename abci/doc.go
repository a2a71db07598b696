// Package abci translates between CometBFT's ABCI 2.0 and package app. It decides nothing.
//
// # Table
//
// What each method becomes, and what an error from it means. A Go error on the consensus connection makes
// CometBFT panic, so there it means "this replica must stop"; a bad transaction is never one.
//
//	ABCI method         app method       an error means
//	Info                Head             (never)
//	Query               Query            (never: a code in the answer)
//	CheckTx             CheckTx          (never: a code; CometBFT would leave the caller without an answer)
//	InsertTx            Insert           (never: a code)
//	ReapTxs             Reap             (never)
//	InitChain           InitChain        the document and the engine disagree: stop
//	PrepareProposal     Prepare          the disk failed: stop
//	ProcessProposal     Process          the disk failed: stop (a bad block is a rejection)
//	ExtendVote          -                vote extensions are off; being asked for one is a bug: stop
//	VerifyVoteExtension -                the same
//	FinalizeBlock       Finalize         the disk failed or state is corrupt: stop
//	Commit              Commit           the same
//	ListSnapshots       Snapshots        (never)
//	OfferSnapshot       OfferSnapshot    (never: an answer)
//	LoadSnapshotChunk   SnapshotChunk    (never: no such chunk)
//	ApplySnapshotChunk  ApplyChunk       (never: an answer)
//
// Codes above 32000 tell CometBFT to forget that it saw a transaction, so that the same bytes may come again:
// they are the ledger's retryable codes plus 32000. All other codes are the ledger's own.
//
// # Promise
//
// Every method is written out, so that a method added to ABCI is a compile error here and not a silent
// default. NewClientCreator connects CometBFT without any lock: a query never waits for a block.
//
//	application := abci.New(theApp, abci.Options{Logger: logger})
//	creator := abci.NewClientCreator(application)
package abci
