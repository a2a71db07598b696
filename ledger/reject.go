package ledger

import (
	"fmt"
	"slices"
)

// Code says what became of a transaction. Zero is success. Codes are part of consensus, since receipts
// carry them: they are only ever added, never renumbered.
type Code uint32

// CodeOK is the code of a committed or accepted transaction.
const CodeOK Code = 0

// Malformed: the bytes can never become a valid transaction.
const (
	CodeBadEncoding    Code = 1
	CodeTooLarge       Code = 2
	CodeTooMany        Code = 3
	CodeUnknownVersion Code = 4
	CodeWrongChain     Code = 5
	CodeBadReplayGuard Code = 6
	CodeNoOps          Code = 7
	CodeUnknownOp      Code = 8
	CodeBadField       Code = 9
	CodeBadAmount      Code = 10
	CodeSelfTransfer   Code = 11
	CodeBadFrame       Code = 12
)

// Auth: the signatures do not carry the transaction.
const (
	CodeBadSignature       Code = 100
	CodeNotAuthorised      Code = 101
	CodeUnusedSignature    Code = 102
	CodeDuplicateSignature Code = 103
	CodeUnsupportedPolicy  Code = 104
	CodeUnsupportedKey     Code = 105
)

// Replay: the transaction came twice, too late, too early or out of turn.
const (
	CodeDuplicate   Code = 200
	CodeExpired     Code = 201
	CodeTooFarAhead Code = 202
	CodeLaneGap     Code = 203
	CodeLanePast    Code = 204
	CodeLanesFull   Code = 205
	CodeBucketFull  Code = 206
)

// Funds: the balances do not allow it.
const (
	CodeInsufficientFunds Code = 300
	CodeSupplyExceeded    Code = 301
	CodeSystemRecipient   Code = 302
	CodeBalancesFull      Code = 303
	CodeAmountOverflow    Code = 304
)

// State: the state is not what the transaction needs it to be.
const (
	CodeAssetNotFound   Code = 600
	CodeAssetExists     Code = 601
	CodeScaleFixed      Code = 602
	CodeSupplyAboveMax  Code = 603
	CodeMaxSupplyRaised Code = 604
	CodeAccountExists   Code = 605
	CodeVersionConflict Code = 606
	CodeAssertFailed    Code = 607
	CodeKindMismatch    Code = 608
	CodeEntryFull       Code = 609
	CodeDepthAhead      Code = 610
	CodeSeenTooFar      Code = 611

	CodeValidatorNotFound Code = 620
	CodeNodeNotFound      Code = 621
	CodeNotOperator       Code = 622
	CodeServiceKeyTaken   Code = 623
	CodeRegionMismatch    Code = 624

	CodeAuthorBarred     Code = 630
	CodeAlreadyBarred    Code = 631
	CodeEvidenceExpired  Code = 632
	CodeEvidenceUnsigned Code = 633
)

// Governance: only the network itself may do it.
const (
	CodeSystemOnly     Code = 700
	CodeValidatorsFull Code = 701
)

// Limit: a node is protecting itself or its callers; never in a block.
const (
	CodePoolFull     Code = 800
	CodeAccountQuota Code = 801
	CodeRateLimited  Code = 802
	CodeOutboxFull   Code = 803
)

// Node: the node cannot answer now, or not this; never in a block.
const (
	CodeSyncing     Code = 900
	CodeUnavailable Code = 901
	CodeDiskLow     Code = 902
	CodePruned      Code = 903
	CodeFuture      Code = 904
	CodeBehind      Code = 905
	CodeNoQuorum    Code = 906
	CodeTimeout     Code = 907
	CodeNotFound    Code = 908
	CodeBadRequest  Code = 909
	CodeInternal    Code = 910
	CodeTooStale    Code = 911
)

// Class groups codes by what a caller does about them.
type Class string

const (
	ClassOK         Class = "ok"
	ClassMalformed  Class = "malformed"
	ClassAuth       Class = "auth"
	ClassReplay     Class = "replay"
	ClassFunds      Class = "funds"
	ClassState      Class = "state"
	ClassGovernance Class = "governance"
	ClassLimit      Class = "limit"
	ClassNode       Class = "node"
	ClassUnknown    Class = "unknown"
)

// CodeInfo is what the registry knows of a code. Retryable means that the same signed bytes may succeed
// later; a transaction that failed in a block is never retryable, since it has used up its nonce.
type CodeInfo struct {
	Code      Code
	Slug      string
	Class     Class
	Message   string
	Retryable bool
}

var codes = []CodeInfo{
	{CodeOK, "ok", ClassOK, "The transaction is committed.", false},

	{CodeBadEncoding, "bad_encoding", ClassMalformed, "The bytes are not the canonical encoding of a transaction.", false},
	{CodeTooLarge, "too_large", ClassMalformed, "The transaction or one of its fields is larger than allowed.", false},
	{CodeTooMany, "too_many", ClassMalformed, "The transaction holds more items than allowed.", false},
	{CodeUnknownVersion, "unknown_version", ClassMalformed, "The version of the transaction's body is not known.", false},
	{CodeWrongChain, "wrong_chain", ClassMalformed, "The transaction is for another chain.", false},
	{CodeBadReplayGuard, "bad_replay_guard", ClassMalformed, "A transaction needs a nonce and an end of validity, or a lane.", false},
	{CodeNoOps, "no_ops", ClassMalformed, "The transaction holds no operation.", false},
	{CodeUnknownOp, "unknown_op", ClassMalformed, "The operation is missing or its kind is not known.", false},
	{CodeBadField, "bad_field", ClassMalformed, "A field holds a value that is never valid.", false},
	{CodeBadAmount, "bad_amount", ClassMalformed, "The amount is not valid.", false},
	{CodeSelfTransfer, "self_transfer", ClassMalformed, "A transfer needs two different accounts.", false},
	{CodeBadFrame, "bad_frame", ClassMalformed, "The bytes are not a well-formed list of transactions.", false},

	{CodeBadSignature, "bad_signature", ClassAuth, "A signature does not verify.", false},
	{CodeNotAuthorised, "not_authorised", ClassAuth, "The signatures do not satisfy the policy of an acting account.", false},
	{CodeUnusedSignature, "unused_signature", ClassAuth, "A signature serves no acting account.", false},
	{CodeDuplicateSignature, "duplicate_signature", ClassAuth, "Two signatures are of the same key.", false},
	{CodeUnsupportedPolicy, "unsupported_policy", ClassAuth, "The policy is not of a kind that is supported yet.", false},
	{CodeUnsupportedKey, "unsupported_key", ClassAuth, "The key is not of a type that is supported.", false},

	{CodeDuplicate, "duplicate", ClassReplay, "The transaction was in a block before; its first outcome stands.", false},
	{CodeExpired, "expired", ClassReplay, "The transaction's validity has ended.", false},
	{CodeTooFarAhead, "too_far_ahead", ClassReplay, "The transaction's validity ends too far in the future.", true},
	{CodeLaneGap, "lane_gap", ClassReplay, "An earlier sequence number of the lane is still missing.", true},
	{CodeLanePast, "lane_past", ClassReplay, "The sequence number of the lane is already used.", false},
	{CodeLanesFull, "lanes_full", ClassReplay, "The account has as many lanes as it can have.", false},
	{CodeBucketFull, "bucket_full", ClassReplay, "Too many transactions end their validity at about this time; choose another end.", true},

	{CodeInsufficientFunds, "insufficient_funds", ClassFunds, "The balance is smaller than the amount.", false},
	{CodeSupplyExceeded, "supply_exceeded", ClassFunds, "The asset's supply would exceed its maximum.", false},
	{CodeSystemRecipient, "system_recipient", ClassFunds, "System accounts hold no balances.", false},
	{CodeBalancesFull, "balances_full", ClassFunds, "The recipient holds as many assets as an account can hold.", false},
	{CodeAmountOverflow, "amount_overflow", ClassFunds, "The sum is larger than an amount can be.", false},

	{CodeAssetNotFound, "asset_not_found", ClassState, "There is no such asset.", false},
	{CodeAssetExists, "asset_exists", ClassState, "The asset exists and has another issuer.", false},
	{CodeScaleFixed, "scale_fixed", ClassState, "The scale of an asset cannot change.", false},
	{CodeSupplyAboveMax, "supply_above_max", ClassState, "The supply is already larger than the new maximum.", false},
	{CodeMaxSupplyRaised, "max_supply_raised", ClassState, "The maximum supply of an asset cannot be raised.", false},
	{CodeAccountExists, "account_exists", ClassState, "The account exists already.", false},
	{CodeVersionConflict, "version_conflict", ClassState, "The entry is at another version.", false},
	{CodeAssertFailed, "assert_failed", ClassState, "What the transaction asserts does not hold.", false},
	{CodeKindMismatch, "kind_mismatch", ClassState, "The entry is of another kind than the operation is for.", false},
	{CodeEntryFull, "entry_full", ClassState, "The entry holds as many values as it can hold.", false},
	{CodeDepthAhead, "depth_ahead", ClassState, "The write claims to follow on more writes than there can have been.", false},
	{CodeSeenTooFar, "seen_too_far", ClassState, "A pending write is said to be valid for longer than any can be.", false},

	{CodeValidatorNotFound, "validator_not_found", ClassState, "There is no such validator.", false},
	{CodeNodeNotFound, "node_not_found", ClassState, "The validator has registered no node.", false},
	{CodeNotOperator, "not_operator", ClassState, "The account does not operate the validator.", false},
	{CodeServiceKeyTaken, "service_key_taken", ClassState, "The service key is in use already.", false},
	{CodeRegionMismatch, "region_mismatch", ClassState, "The node claims another region.", false},

	{CodeAuthorBarred, "author_barred", ClassState, "The account was proven to say two things at once; until it changes its key, its operations that merge are refused.", false},
	{CodeAlreadyBarred, "already_barred", ClassState, "The account is barred already.", false},
	{CodeEvidenceExpired, "evidence_expired", ClassState, "The validity of one of the two transactions has ended.", false},
	{CodeEvidenceUnsigned, "evidence_unsigned", ClassState, "The signatures of the two transactions do not speak for their author.", false},

	{CodeSystemOnly, "system_only", ClassGovernance, "The operation is reserved to the network's governance.", false},
	{CodeValidatorsFull, "validators_full", ClassGovernance, "The network has as many validators as it can have.", false},

	{CodePoolFull, "pool_full", ClassLimit, "The node's pool of waiting transactions is full.", true},
	{CodeAccountQuota, "account_quota", ClassLimit, "The account has too many transactions waiting at this node.", true},
	{CodeRateLimited, "rate_limited", ClassLimit, "Too many requests.", true},
	{CodeOutboxFull, "outbox_full", ClassLimit, "The node keeps as many transactions for a network that is cut as it can.", true},

	{CodeSyncing, "syncing", ClassNode, "The node is catching up with the network.", true},
	{CodeUnavailable, "unavailable", ClassNode, "The node cannot take the request now.", true},
	{CodeDiskLow, "disk_low", ClassNode, "The node's disk is nearly full, so it takes no transactions.", true},
	{CodePruned, "pruned", ClassNode, "The node no longer keeps that height.", true},
	{CodeFuture, "future_height", ClassNode, "The node has not reached that height.", true},
	{CodeBehind, "behind", ClassNode, "The node is behind what the caller has already seen.", true},
	{CodeNoQuorum, "no_quorum", ClassNode, "Too few validators can be reached to answer.", true},
	{CodeTimeout, "timeout", ClassNode, "The time ran out before there was an answer.", true},
	{CodeNotFound, "not_found", ClassNode, "There is nothing by that name.", false},
	{CodeBadRequest, "bad_request", ClassNode, "The request is not well formed.", false},
	{CodeInternal, "internal", ClassNode, "The node failed; its log says why.", true},
	{CodeTooStale, "too_stale", ClassNode, "The node's newest state is older than the caller takes.", true},
}

// codeIndex finds a code's place in the list; it is written once, here.
var codeIndex = func() map[Code]int {
	index := make(map[Code]int, len(codes))
	for i, c := range codes {
		index[c.Code] = i
	}
	return index
}()

// Codes lists the registry in ascending order.
func Codes() []CodeInfo { return slices.Clone(codes) }

// Info looks the code up. A code of a newer network than this binary knows is reported as such, not as success.
func (c Code) Info() CodeInfo {
	if i, ok := codeIndex[c]; ok {
		return codes[i]
	}
	return CodeInfo{Code: c, Slug: fmt.Sprintf("code_%d", uint32(c)), Class: ClassUnknown, Message: "The code is not known to this version."}
}

// String is the code's slug.
func (c Code) String() string { return c.Info().Slug }

// CodeBySlug finds a code by its slug.
func CodeBySlug(slug string) (Code, bool) {
	for _, c := range codes {
		if c.Slug == slug {
			return c.Code, true
		}
	}
	return 0, false
}

// Reject says that a transaction is wrong, and how. Only the code is part of consensus; the detail names the
// place for people.
type Reject struct {
	Code   Code
	Detail string
}

// Error is the code's fixed sentence and the detail.
func (r *Reject) Error() string {
	message := r.Code.Info().Message
	if r.Detail == "" {
		return message
	}
	return message + " (" + r.Detail + ")"
}

// reject makes a Reject with a formatted detail.
func reject(code Code, format string, args ...any) *Reject {
	return &Reject{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// in puts a place before the detail, so that a nested fault reads from the outside in.
func (r *Reject) in(place string) *Reject {
	if r.Detail == "" {
		return &Reject{Code: r.Code, Detail: place}
	}
	return &Reject{Code: r.Code, Detail: place + ": " + r.Detail}
}
