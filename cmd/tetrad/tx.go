package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

func newTx(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tx",
		Short: "Sign and send transactions, and learn what became of them",
		Long: `Sign and send transactions, and learn what became of them.

The transaction's id is printed before anything is sent, so that its outcome can always be asked for.
Amounts are a number and an asset, such as 12.50usd. Accounts are addresses or the names of your keys.`,
	}
	cmd.AddCommand(newTxTransfer(c), newTxAccount(c), newTxAsset(c), newTxPut(c),
		newTxAdd(c), newTxSetAdd(c), newTxSetRemove(c), newTxWriteLast(c), newTxWriteMulti(c), newTxProveEquivocation(c),
		newTxSetNode(c), newTxApproveRegion(c),
		newTxSend(c), newTxSign(c), newTxBroadcast(c), newTxStatus(c), newTxReceipt(c))
	addKeyringFlag(cmd)
	return cmd
}

// What --wait can wait for.
const (
	waitNone      = "none"
	waitAccepted  = "accepted"
	waitCommitted = "committed"
	waitProof     = "proof"
)

// txFlags are common to all commands that make a transaction.
type txFlags struct {
	from           string
	signWith       []string
	memo           string
	validFor       time.Duration
	wait           string
	dryRun         bool
	offline        bool
	idempotencyKey string
	scales         []string
	onPartition    string
}

func (t *txFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&t.from, "from", "", "acting account: one of your keys, or an address (default client.toml's default_key)")
	f.StringSliceVar(&t.signWith, "sign-with", nil, "keys to sign with, where they are not the acting account's own `NAMES`")
	f.StringVar(&t.memo, "memo", "", "a short public note")
	f.DurationVar(&t.validFor, "valid-for", 60*time.Second, "how long the transaction may wait for a block; with --on-partition queue 9m unless it is said")
	f.BoolVar(&t.dryRun, "dry-run", false, "ask a node what would happen, and send nothing")
	f.BoolVar(&t.offline, "offline", false, "ask no node and print the signed transaction; needs chain_id and genesis_hash in client.toml, and --scale for amounts")
	f.StringVar(&t.idempotencyKey, "idempotency-key", "", "with the same key, a repeated command sends the same transaction again, which takes effect at most once")
	t.addWait(cmd)
	addPassphraseFlags(cmd)
	for _, flag := range []string{"from", "sign-with"} {
		_ = cmd.RegisterFlagCompletionFunc(flag, completeKeys)
	}
}

// addScales is for commands whose amounts need to know an asset's decimals.
func (t *txFlags) addScales(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&t.scales, "scale", nil, "decimals of an asset, instead of asking a node: 2, or usd=2")
}

func (t *txFlags) addWait(cmd *cobra.Command) {
	cmd.Flags().StringVar(&t.wait, "wait", waitCommitted, "what to wait for: none, accepted (by a node), committed (in a block) or proof (that a node cannot have made up)")
	cmd.Flags().StringVar(&t.onPartition, "on-partition", "", "what a node is to do that is cut off from the others: fail (refuse at once) or queue (keep the transaction, pass it on later); default queue for add, set-add, set-remove, write-last and write-multi, fail for all others")
	_ = cmd.RegisterFlagCompletionFunc("on-partition", cobra.FixedCompletions([]string{rpc.OnPartitionFail, rpc.OnPartitionQueue}, cobra.ShellCompDirectiveNoFileComp))
}

// queuedFor is how long a transaction is valid that may have to wait for a network that is cut: a minute less than what
// networks allow, since clocks differ.
const queuedFor = 9 * time.Minute

func (t *txFlags) check() error {
	if err := checkWait(t.wait); err != nil {
		return err
	}
	if err := checkOnPartition(t.onPartition); err != nil {
		return err
	}
	if t.validFor < time.Second || t.validFor > 24*time.Hour {
		return usagef("--valid-for must be between 1s and 24h, not %s", t.validFor)
	}
	if t.offline && t.dryRun {
		return usagef("--offline asks no node, and --dry-run asks one: choose")
	}
	if t.offline && t.idempotencyKey != "" {
		return usagef("--idempotency-key is about sending, and --offline sends nothing: choose")
	}
	if len(t.idempotencyKey) > idempotencyKeyBytesMax {
		return usagef("the idempotency key has %d bytes, at most %d are allowed", len(t.idempotencyKey), idempotencyKeyBytesMax)
	}
	if len(t.memo) > ledger.MemoBytesMax {
		return usagef("the memo has %d bytes, at most %d are allowed", len(t.memo), ledger.MemoBytesMax)
	}
	return nil
}

func checkWait(wait string) error {
	switch wait {
	case waitNone, waitAccepted, waitCommitted, waitProof:
		return nil
	}
	return usagef("--wait must be none, accepted, committed or proof, not %q", wait)
}

func checkOnPartition(how string) error {
	switch how {
	case rpc.OnPartitionDefault, rpc.OnPartitionFail, rpc.OnPartitionQueue:
		return nil
	}
	return usagef("--on-partition must be fail or queue, not %q", how)
}

// txDocument is what tx commands print.
type txDocument struct {
	TxID    string     `json:"txid"`
	Status  string     `json:"status"`
	Height  uint64     `json:"height"`
	Index   *uint32    `json:"index,omitempty"`
	Code    uint32     `json:"code"`
	Op      uint32     `json:"op,omitempty"`
	Account string     `json:"account,omitempty"`
	Proven  bool       `json:"verified,omitempty"`
	DryRun  bool       `json:"dry_run,omitempty"`
	Error   *errorBody `json:"error,omitempty"`

	Partition string `json:"partition,omitempty"`
	QueuedAt  string `json:"queued_at,omitempty"`
	ExpiresAt string `json:"expires_at,omitempty"`
}

// transact takes a command all the way: build, sign, keep, send, wait, print.
func (c *cli) transact(ctx context.Context, t *txFlags, build buildFunc) error {
	if t.onPartition == rpc.OnPartitionQueue && !c.command.Flags().Changed("valid-for") {
		t.validFor = queuedFor
	}
	if err := t.check(); err != nil {
		return err
	}
	c.onPartition = t.onPartition
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	b, err := c.newBuilder(ctx, t)
	if err != nil {
		return err
	}
	if b.link != nil {
		defer b.link.close()
	}
	if b.fill, err = build(b); err != nil {
		return err
	}
	if t.offline {
		signed, err := b.sign()
		if err != nil {
			return err
		}
		return c.writeJSON(documentOfSigned(signed, b.chain.id))
	}
	signed, again, err := b.signOnce()
	if err != nil {
		return err
	}
	c.announce(signed.TxID, again)
	if t.dryRun {
		return c.simulate(ctx, b.link, signed)
	}
	if again {
		// It may have been decided long ago, when sending it once more would only be refused as expired.
		if status, err := b.link.Tx(ctx, signed.TxID, signed.ValidUntilMS); err == nil && status.Decided() {
			return c.finish(documentOfStatus(status).creating(b.created))
		}
	}
	return c.deliver(ctx, b.link, signed, t.wait, b.created)
}

// announce prints the id before anything is sent. With -o json it is in the one document, whatever happens.
func (c *cli) announce(id crypto.Hash, stored bool) {
	if c.output == "json" {
		return
	}
	txLine(c.out, "txid", id.String())
	if stored {
		c.note("This idempotency key was used before: the same transaction is sent again.")
	}
}

// deliver sends a signed transaction, waits as asked, and prints what became of it.
func (c *cli) deliver(ctx context.Context, l *link, signed client.Signed, wait, created string) error {
	if wait == waitProof {
		if err := l.believeNobody(c, "", ""); err != nil {
			return err
		}
	}
	status, err := c.submitAndWait(ctx, l, signed, wait)
	document := documentOfStatus(status).creating(created)
	document.TxID = signed.TxID.String()
	document.Proven = wait == waitProof && err == nil
	if err != nil {
		return c.failWith(document, err)
	}
	return c.finish(document)
}

func (c *cli) submitAndWait(ctx context.Context, l *link, signed client.Signed, wait string) (rpc.TxStatus, error) {
	status := rpc.TxStatus{TxID: signed.TxID, Status: rpc.StatusUnknown}
	answer, err := l.Submit(ctx, signed.Raw)
	if err != nil {
		f := classify(err)
		switch {
		case f.exit == exitUnknown && wait == waitNone:
			return status, nil // nobody asked for more than that it was sent
		case f.exit == exitUnknown && wait == waitCommitted || wait == waitProof:
			return l.await(ctx, signed, wait) // perhaps it arrived after all, and another node knows
		case f.exit != exitUnknown && f.exit != exitUnreachable:
			status.Status = rpc.StatusRefused
		}
		if f.code == uint32(ledger.CodeNoQuorum) {
			return status, f.next("try again when the network is whole, or have a node keep the transaction until then: --on-partition queue")
		}
		return status, err
	}
	status.Status, status.Height, status.Code = answer.Status, answer.Height, answer.Code
	status.QueuedAt, status.ExpiresAt = answer.QueuedAt, answer.ExpiresAt
	if wait != waitCommitted && wait != waitProof {
		return status, nil
	}
	waited, err := l.await(ctx, signed, wait)
	if err != nil && answer.Status == rpc.StatusQueued && !waited.Decided() {
		return status, stillQueued(answer, err)
	}
	return waited, err
}

// stillQueued says that waiting for a block was in vain because the network is cut. Other errors stay what they are.
func stillQueued(answer rpc.SubmitResponse, err error) error {
	f := exitOfUnknownOutcome(err)
	if f == nil {
		return err
	}
	f.slug = "queued"
	f.message = fmt.Sprintf("the network is cut (%s): the transaction is queued at a node, which passes it on when the network is whole; it is in no block yet and expires at %s",
		answer.Partition, answer.ExpiresAt)
	return f
}

// await waits until a transaction is decided, or until that is proven.
func (l *link) await(ctx context.Context, signed client.Signed, wait string) (rpc.TxStatus, error) {
	if wait == waitProof {
		return l.verified.WaitOutcome(ctx, signed)
	}
	return l.WaitCommitted(ctx, signed)
}

// simulate asks what would happen and prints it like an outcome.
func (c *cli) simulate(ctx context.Context, l *link, signed client.Signed) error {
	status, err := l.Simulate(ctx, signed.Raw)
	document := documentOfStatus(status)
	document.TxID, document.DryRun = signed.TxID.String(), true
	if err != nil {
		document.Status = rpc.StatusRefused
		return c.failWith(document, err)
	}
	return c.finish(document)
}

// finish prints a document and turns outcomes that are not success into failures.
func (c *cli) finish(d txDocument) error {
	switch d.Status {
	case rpc.StatusFailed:
		f := failureOfCode(ledger.Code(d.Code), ledger.Code(d.Code).Info().Message)
		f.exit, f.retryable = exitFailed, false
		if d.Op > 0 {
			f.message = fmt.Sprintf("operation %d failed: %s", d.Op, f.message)
		}
		return c.failWith(d, f)
	case rpc.StatusNeverWill:
		f := failureOfCode(ledger.CodeExpired, "the transaction expired before it reached a block; it can never take effect")
		return c.failWith(d, f)
	}
	return c.show(d, func(w io.Writer) { d.write(w) })
}

// failWith ends a command whose transaction has a name: the name and what is known of it are printed, too.
func (c *cli) failWith(d txDocument, err error) error {
	named := *classify(err)
	named.txid = d.TxID
	f := *c.classify(&named)
	if d.Code == 0 {
		d.Code = f.code
	}
	if d.Status == "" {
		d.Status = rpc.StatusUnknown
	}
	body := f.body()
	d.Error = &body
	f.document = d
	if c.output != "json" {
		d.write(c.out)
	}
	return &f
}

// creating adds the account that the transaction creates.
func (d txDocument) creating(account string) txDocument {
	d.Account = account
	return d
}

// write prints what comes after the id, which is on the screen already.
func (d txDocument) write(w io.Writer) {
	status := d.Status
	if d.DryRun {
		status = "would be " + status
	}
	txLine(w, "status", status)
	if d.Height > 0 {
		txLine(w, "height", fmt.Sprint(d.Height))
	}
	if d.Account != "" {
		txLine(w, "account", d.Account)
	}
	if d.Proven {
		txLine(w, "proof", "verified")
	}
	if d.ExpiresAt != "" {
		txLine(w, "expires", d.ExpiresAt)
	}
}

// txLine prints one line of an outcome. The lines come one by one, so their width is fixed.
func txLine(w io.Writer, name, value string) { fmt.Fprintf(w, "%-7s  %s\n", name, value) }

func documentOfStatus(s rpc.TxStatus) txDocument {
	d := txDocument{
		TxID: s.TxID.String(), Status: s.Status, Height: s.Height, Code: s.Code, Op: s.Op,
		QueuedAt: s.QueuedAt, ExpiresAt: s.ExpiresAt,
	}
	if s.Height > 0 && (s.Status == rpc.StatusCommitted || s.Status == rpc.StatusFailed) {
		d.Index = &s.Index
	}
	if s.Error != nil {
		body := exitOfRPC(s.Error).body()
		d.Error = &body
	}
	return d
}
