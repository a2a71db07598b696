package ledger

// Everything that comes from outside has a bound, and every bound is here with its reason. The bounds of
// this file hold for the shape of a transaction and of a leaf, whatever the state; those that a network may
// choose for itself are in Params.
const (
	// TxBytesMax leaves room for 64 operations with a few full entry values, and keeps a frame of hundreds
	// of ordinary transactions (about 250 bytes each) far below a block.
	TxBytesMax = 64 << 10
	// OpsMax bounds what one transaction may make every replica do.
	OpsMax = 64
	// SigsMax bounds the signature checks one transaction may ask for; it equals the members of a policy.
	SigsMax = 32
	// MemoBytesMax is a reference or a short sentence; longer texts belong in an entry or elsewhere.
	MemoBytesMax = 256
	// ChainIDMax is the engine's own bound.
	ChainIDMax = 50
	// NonceLen makes an accidental collision of two random nonces of one account impossible in practice.
	NonceLen = 16
	// SaltLen lets a creator choose among any number of accounts with one policy.
	SaltLen = 16

	// AssetCodeMax keeps codes readable and amounts such as 12.5usd unambiguous.
	AssetCodeMax = 16
	// ScaleMax is the most digits after the point: 2^96 has 29 digits.
	ScaleMax = 30

	// EntryPathMax and EntryValueMax keep a state leaf within a disk page or two.
	EntryPathMax  = 128
	EntryValueMax = 4096

	// SetItemsMax and SetElementMax keep the leaf of a set, which every change of it writes anew, at 12 KiB.
	SetItemsMax   = 128
	SetElementMax = 64
	// MultiItemsMax is more authors than write one register at once and do not know of each other.
	MultiItemsMax = 16
	MultiValueMax = 1024
	// RemovedMax bounds the writes that an entry remembers as removed before they came; each for the lifetime of
	// a transaction.
	RemovedMax = 64
	// SeenMax lets one operation name most of what a set can hold; more take further operations.
	SeenMax = 64
	// LastDepthAhead is how many writes that follow on each other may come into one block, at the least: those
	// made on one side of a partition before anything is committed.
	LastDepthAhead = 1024

	// EvidenceBytesMax lets two transactions fit into a third that proves something of them. Of larger ones nobody
	// could, so that nobody is shown them before they are in a block.
	EvidenceBytesMax = 32000

	// PendingOpsMax bounds the operations that one look at an entry with what is pending executes: some ten
	// milliseconds for the largest sets.
	PendingOpsMax = 4096

	// PolicyMembersMax bounds the work of checking an account's authority.
	PolicyMembersMax = 32
	// LanesMax bounds the account leaf, which carries the last sequence number of each lane.
	LanesMax = 64

	// BalancesInline balances live in the account leaf itself, so that a transfer between ordinary
	// accounts touches two leaves; further ones live in at most PagesMax pages of BalancesPerPage.
	BalancesInline  = 8
	BalancesPerPage = 32
	PagesMax        = 32

	// ValidatorNameMax is the bound of the engine's monikers.
	ValidatorNameMax = 70
	// ValidatorPowerMax times ValidatorsLimit stays far below the engine's bound on total power, 2^60.
	ValidatorPowerMax = 1 << 40
	// ValidatorsLimit bounds Params.ValidatorsMax: each validator signs every block.
	ValidatorsLimit = 256

	// RegionMax and RegionLevelsMax allow a continent, a country and a site.
	RegionMax       = 48
	RegionLevelsMax = 3
	// NodeURLsMax and NodeURLMax are addresses of one node inside and outside its network, by name and by number.
	NodeURLsMax = 4
	NodeURLMax  = 128
	// PlaneMax is a multiaddr of a name, a port and a peer id.
	PlaneMax = 128

	// FrameTxsMax and FrameBytesMax bound what one frame carries: enough to make its own cost vanish,
	// little enough that losing or re-sending one is cheap.
	FrameTxsMax   = 512
	FrameBytesMax = 256 << 10

	// bucketsDroppedMax bounds the replay buckets dropped in one block; after a long halt the rest follow
	// in the blocks after it.
	bucketsDroppedMax = 512

	// amountTextMax bounds what ParseAmount looks at: 39 digits, a point, and generous leading zeros.
	amountTextMax = 80
)

// SupplyMax is the largest supply an asset can have, 2^96-1. Balances never exceed a supply, so sums over
// them stay 2^32 times below the end of the integer.
var SupplyMax = Amount{Hi: 1<<32 - 1, Lo: 1<<64 - 1}
