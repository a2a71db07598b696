package ledger

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
	"pgregory.net/rapid"
)

// someLeaves has one good leaf of every kind, by the key that says how to read it.
func someLeaves() map[string]struct{ key, leaf []byte } {
	alice := testKey("alice")
	usd := AssetIDOf("usd")
	account := Account{
		Policy: *SingleKey(crypto.PublicKey{Type: crypto.KeyEd25519, Bytes: alice.public}),
		Lanes:  []LaneState{{ID: 1, Seq: 2}, {ID: 9, Seq: 1}}, LogCount: 3, LogHead: crypto.Sum([]byte("head")),
		Balances: []Balance{{Asset: usd, Amount: Amount{Lo: 1250}}},
	}
	barred := account
	barred.Equivocation = Equivocation{Count: 2, Height: 9, Barred: true}
	asset := Asset{Code: "usd", Scale: 2, Issuer: alice.address, MaxSupply: SupplyMax, Supply: Amount{Lo: 1250}}
	entry := Entry{Version: 7, ModifiedHeight: 3, Value: []byte("blue")}
	counter := Entry{Kind: KindCounter, Sum: Sum{Negative: true, Magnitude: Amount{Hi: 1, Lo: 5}}}
	last := Entry{Kind: KindLast, Value: []byte("blue"), Depth: 9, Tag: Tag{TxID: TxID{3}, Op: 2}}
	items := []Item{{Tag{TxID: TxID{1}}, []byte("red")}, {Tag{TxID: TxID{1}, Op: 4}, []byte("blue")}}
	multi := Entry{Kind: KindMulti, Items: items, Removed: []Removed{{Tag{TxID: TxID{2}}, testTimeMS}}}
	set := Entry{Kind: KindSet, Items: items}
	validator := Validator{KeyType: crypto.KeyEd25519, PublicKey: alice.public, Power: 10, Name: "v1", Faults: 1, LastFaultHeight: 2}
	validator.Operator = testKey("bob").address
	ids := []crypto.ValidatorID{{1}, {2}}
	node := Node{
		ServiceKey: testKey("service").public, Claimed: "eu/de/fra1", Approved: true, Approvals: ids,
		URLs: []string{"https://a.example:8443/api", "http://192.0.2.1:26658"}, Plane: "/ip4/192.0.2.1/tcp/26659",
	}
	namespace := Namespace{Entries: 300}
	return map[string]struct{ key, leaf []byte }{
		"account":    {KeyAccount(alice.address), account.Append(nil)},
		"barred":     {KeyAccount(alice.address), barred.Append(nil)},
		"page":       {KeyPage(alice.address, 1), AppendPage(nil, account.Balances)},
		"asset":      {KeyAsset(usd), asset.Append(nil)},
		"entry":      {KeyEntry(alice.address, "config/colour"), entry.Append(nil)},
		"counter":    {KeyEntry(alice.address, "visits"), counter.Append(nil)},
		"last":       {KeyEntry(alice.address, "status"), last.Append(nil)},
		"multi":      {KeyEntry(alice.address, "draft"), multi.Append(nil)},
		"set":        {KeyEntry(alice.address, "friends"), set.Append(nil)},
		"namespace":  {KeyNamespace(alice.address), namespace.Append(nil)},
		"validator":  {KeyValidator(validator.ID()), validator.Append(nil)},
		"validators": {KeyValidators(), AppendValidators(nil, ids)},
		"node":       {KeyNode(validator.ID()), node.Append(nil)},
		"params":     {KeyParams(), DefaultParams().Append(nil)},
		"chain":      {KeyChain(), Chain{Revision: 7, BucketsFrom: 3, BucketsTo: 5}.Append(nil)},
		"record":     {KeyRecord(5, TxID{1}), Record{Code: CodeAssertFailed, Height: 3, Index: 4, Op: 1}.Append(nil)},
		"bucket":     {KeyBucket(5), Bucket{Root: crypto.Sum([]byte("root")), Count: 9}.Append(nil)},
	}
}

// decodeLeaf decodes a leaf of the kind that the prefix names.
func decodeLeaf(prefix byte, leaf []byte) error {
	_, err := encodeAgain(prefix, leaf)
	return err
}

func TestLeavesAreReversible(t *testing.T) {
	for name, l := range someLeaves() {
		if err := CheckLeaf(l.key, l.leaf); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, key := range [][]byte{nil, l.key[:len(l.key)-1], append(bytes.Clone(l.key), make([]byte, EntryPathMax+1)...), {0x7f}} {
			if CheckLeaf(key, l.leaf) == nil && !bytes.HasPrefix(key, []byte{PrefixEntry}) {
				t.Errorf("%s is good under the key %x", name, key)
			}
		}
	}
}

// TestLeavesAreStrict cuts, extends and relabels every leaf: none of it decodes.
func TestLeavesAreStrict(t *testing.T) {
	for name, l := range someLeaves() {
		for n := range l.leaf {
			if decodeLeaf(l.key[0], l.leaf[:n]) == nil {
				t.Errorf("%s: the first %d of %d bytes decode", name, n, len(l.leaf))
			}
		}
		if err := decodeLeaf(l.key[0], append(bytes.Clone(l.leaf), 0)); err == nil || !strings.Contains(err.Error(), "1 bytes left over") {
			t.Errorf("%s: a trailing byte: %v", name, err)
		}
		other := bytes.Clone(l.leaf)
		other[0] = 99
		if err := decodeLeaf(l.key[0], other); err == nil || !strings.Contains(err.Error(), "version 99 is not known") {
			t.Errorf("%s: another version: %v", name, err)
		}
	}
}

func TestLeafBounds(t *testing.T) {
	balances := func(n int) (list []Balance) {
		for i := range n {
			list = append(list, Balance{Asset: crypto.Hash{byte(i), byte(i >> 8)}, Amount: Amount{Lo: 1}})
		}
		return list
	}
	lanes := func(n int) (list []LaneState) {
		for i := range n {
			list = append(list, LaneState{ID: uint64(i), Seq: 1})
		}
		return list
	}
	encode := func(a Account) []byte { return a.Append(nil) }
	asset := func(a Asset) []byte { return a.Append(nil) }
	validator := func(v Validator) []byte { return v.Append(nil) }
	node := func(change func(*Node)) []byte {
		n := Node{ServiceKey: testKey("s").public, Claimed: "eu", Approvals: []crypto.ValidatorID{{1}}}
		change(&n)
		return n.Append(nil)
	}
	entry := func(e Entry) []byte { return e.Append(nil) }
	key := testKey("v").public
	twice := balances(2)
	twice[1].Asset = twice[0].Asset
	for name, c := range map[string]struct {
		prefix byte
		leaf   []byte
		want   string
	}{
		"account empty":          {PrefixAccount, encode(Account{}), ""},
		"account most balances":  {PrefixAccount, encode(Account{Balances: balances(8)}), ""},
		"account many balances":  {PrefixAccount, encode(Account{Balances: balances(9)}), "9 balances, at most 8 allowed"},
		"account most lanes":     {PrefixAccount, encode(Account{Lanes: lanes(64)}), ""},
		"account many lanes":     {PrefixAccount, encode(Account{Lanes: lanes(65)}), "65 lanes, at most 64 allowed"},
		"account lane order":     {PrefixAccount, encode(Account{Lanes: []LaneState{{2, 1}, {1, 1}}}), "lanes are not ascending"},
		"account lane twice":     {PrefixAccount, encode(Account{Lanes: []LaneState{{1, 1}, {1, 2}}}), "lanes are not ascending"},
		"account lane zero":      {PrefixAccount, encode(Account{Lanes: []LaneState{{1, 0}}}), "hold a zero"},
		"account most pages":     {PrefixAccount, encode(Account{Pages: 32, Balances: balances(8)}), ""},
		"account many pages":     {PrefixAccount, encode(Account{Pages: 33, Balances: balances(8)}), "too many pages"},
		"account sparse":         {PrefixAccount, encode(Account{Pages: 1, Balances: balances(7)}), "pages behind a list that is not full"},
		"account zero balance":   {PrefixAccount, encode(Account{Balances: make([]Balance, 1)}), "balance is zero"},
		"account asset twice":    {PrefixAccount, encode(Account{Balances: twice}), "two balances of one asset"},
		"account most members":   {PrefixAccount, encode(Account{Policy: Policy{Threshold: 1, Members: make([]Member, 32)}}), ""},
		"account many members":   {PrefixAccount, encode(Account{Policy: Policy{Threshold: 1, Members: make([]Member, 33)}}), "33 policy members, at most 32 allowed"},
		"account no proof":       {PrefixAccount, append([]byte{equivocationVersion}, make([]byte, 60)...), "an equivocation without a proof"},
		"account half barred":    {PrefixAccount, append([]byte{equivocationVersion, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 2}, encode(Account{})[1:]...), "neither barred nor not"},
		"account barred":         {PrefixAccount, append([]byte{equivocationVersion, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1}, encode(Account{})[1:]...), ""},
		"account no members":     {PrefixAccount, encode(Account{Policy: Policy{Threshold: 1}}), "policy has a threshold and no members"},
		"page full":              {PrefixPage, AppendPage(nil, balances(32)), ""},
		"page too full":          {PrefixPage, AppendPage(nil, balances(33)), "33 balances, at most 32 allowed"},
		"page empty":             {PrefixPage, AppendPage(nil, nil), "page is empty"},
		"asset longest code":     {PrefixAsset, asset(Asset{Code: strings.Repeat("a", 16), MaxSupply: SupplyMax}), ""},
		"asset long code":        {PrefixAsset, asset(Asset{Code: strings.Repeat("a", 17)}), "17 characters, at most 16 allowed"},
		"asset no code":          {PrefixAsset, asset(Asset{}), "bad code"},
		"asset largest scale":    {PrefixAsset, asset(Asset{Code: "a", Scale: 30}), ""},
		"asset large scale":      {PrefixAsset, asset(Asset{Code: "a", Scale: 31}), "bad scale"},
		"asset largest supply":   {PrefixAsset, asset(Asset{Code: "a", MaxSupply: SupplyMax, Supply: SupplyMax}), ""},
		"asset supply above max": {PrefixAsset, asset(Asset{Code: "a", Supply: Amount{Lo: 1}}), "supply out of bounds"},
		"asset max above all":    {PrefixAsset, asset(Asset{Code: "a", MaxSupply: Amount{Hi: 1 << 32}}), "supply out of bounds"},
		"entry longest":          {PrefixEntry, entry(Entry{Version: 1, Value: make([]byte, 4096)}), ""},
		"entry too long":         {PrefixEntry, entry(Entry{Version: 1, Value: make([]byte, 4097)}), "a value of 4097 bytes, must have 1 to 4096"},
		"entry empty":            {PrefixEntry, entry(Entry{Version: 1}), "a value of 0 bytes, must have 1 to 4096"},
		"entry version":          {PrefixEntry, entry(Entry{Value: []byte{1}}), "the version is zero"},
		"namespace empty":        {PrefixNamespace, (&Namespace{}).Append(nil), "it counts no entry"},
		"counter zero":           {PrefixEntry, entry(Entry{Kind: KindCounter}), "the sum is zero"},
		"counter largest":        {PrefixEntry, entry(Entry{Kind: KindCounter, Sum: Sum{true, amountMax}}), ""},
		"counter sign":           {PrefixEntry, append([]byte{2, 1, 2}, make([]byte, 16)...), "a sign that is not known"},
		"last empty":             {PrefixEntry, entry(Entry{Kind: KindLast, Depth: 1}), ""},
		"last longest":           {PrefixEntry, entry(Entry{Kind: KindLast, Depth: 1, Value: make([]byte, 4096)}), ""},
		"last too long":          {PrefixEntry, entry(Entry{Kind: KindLast, Depth: 1, Value: make([]byte, 4097)}), "a value of 4097 bytes"},
		"last without depth":     {PrefixEntry, entry(Entry{Kind: KindLast}), "the depth is zero"},
		"multi most":             {PrefixEntry, entry(Entry{Kind: KindMulti, Items: someItems(16, 1024)}), ""},
		"multi too many":         {PrefixEntry, entry(Entry{Kind: KindMulti, Items: someItems(17, 1)}), "17 items, at most 16 allowed"},
		"multi too long":         {PrefixEntry, entry(Entry{Kind: KindMulti, Items: someItems(1, 1025)}), "a value of 1025 bytes"},
		"set most":               {PrefixEntry, entry(Entry{Kind: KindSet, Items: someItems(128, 64)}), ""},
		"set too many":           {PrefixEntry, entry(Entry{Kind: KindSet, Items: someItems(129, 1)}), "129 items, at most 128 allowed"},
		"set too long":           {PrefixEntry, entry(Entry{Kind: KindSet, Items: someItems(1, 65)}), "a value of 65 bytes"},
		"set empty element":      {PrefixEntry, entry(Entry{Kind: KindSet, Items: someItems(1, 0)}), "a value of 0 bytes"},
		"set empty":              {PrefixEntry, entry(Entry{Kind: KindSet}), "it holds nothing"},
		"set order":              {PrefixEntry, entry(Entry{Kind: KindSet, Items: append(someItems(2, 1), someItems(1, 1)...)}), "items are not ascending"},
		"set most removed":       {PrefixEntry, entry(Entry{Kind: KindSet, Removed: someRemoved(64)}), ""},
		"set many removed":       {PrefixEntry, entry(Entry{Kind: KindSet, Removed: someRemoved(65)}), "65 removed, at most 64 allowed"},
		"set removed order":      {PrefixEntry, entry(Entry{Kind: KindSet, Removed: append(someRemoved(2), someRemoved(1)...)}), "removed are not ascending"},
		"set removed for ever":   {PrefixEntry, entry(Entry{Kind: KindSet, Removed: make([]Removed, 1)}), "one has no end"},
		"set there and removed":  {PrefixEntry, entry(Entry{Kind: KindSet, Items: someItems(1, 1), Removed: someRemoved(1)}), "both there and removed"},
		"entry of no kind":       {PrefixEntry, []byte{2, 0}, "kind 0 is not known"},
		"entry of a later kind":  {PrefixEntry, []byte{2, 5}, "kind 5 is not known"},
		"validator most power":   {PrefixValidator, validator(Validator{KeyType: 1, PublicKey: key, Power: 1 << 40}), ""},
		"validator much power":   {PrefixValidator, validator(Validator{KeyType: 1, PublicKey: key, Power: 1<<40 + 1}), "bad power"},
		"validator longest name": {PrefixValidator, validator(Validator{KeyType: 1, PublicKey: key, Name: strings.Repeat("n", 70)}), ""},
		"validator long name":    {PrefixValidator, validator(Validator{KeyType: 1, PublicKey: key, Name: strings.Repeat("n", 71)}), "71 characters, at most 70 allowed"},
		"validator short key":    {PrefixValidator, validator(Validator{KeyType: 1, PublicKey: key[1:]}), "bad key"},
		"validators order":       {PrefixValidators, AppendValidators(nil, []crypto.ValidatorID{{2}, {1}}), "ids are not ascending"},
		"validators twice":       {PrefixValidators, AppendValidators(nil, []crypto.ValidatorID{{1}, {1}}), "ids are not ascending"},
		"validators most":        {PrefixValidators, AppendValidators(nil, someIDs(ValidatorsLimit)), ""},
		"validators too many":    {PrefixValidators, AppendValidators(nil, someIDs(ValidatorsLimit+1)), "too many validators"},
		"validator old layout":   {PrefixValidator, []byte{1}, "version 1 is not known"},
		"node approved":          {PrefixNode, node(func(n *Node) { n.Approved = true }), ""},
		"node without region":    {PrefixNode, node(func(n *Node) { n.Claimed, n.Approvals = "", nil }), ""},
		"node most approvals":    {PrefixNode, node(func(n *Node) { n.Approvals = someIDs(ValidatorsLimit) }), ""},
		"node many approvals":    {PrefixNode, node(func(n *Node) { n.Approvals = someIDs(ValidatorsLimit + 1) }), "too many validators"},
		"node approval twice":    {PrefixNode, node(func(n *Node) { n.Approvals = []crypto.ValidatorID{{1}, {1}} }), "ids are not ascending"},
		"node approves nothing":  {PrefixNode, node(func(n *Node) { n.Claimed = "" }), "approvals of no region"},
		"node approved nothing":  {PrefixNode, node(func(n *Node) { n.Claimed, n.Approvals, n.Approved = "", nil, true }), "approvals of no region"},
		"node approved oddly":    {PrefixNode, append(append(node(func(*Node) {})[:1+32+3], 2, 0, 0), 0, 0), "approvals of no region"},
		"node longest region":    {PrefixNode, node(func(n *Node) { n.Claimed = strings.Repeat("a", 48) }), ""},
		"node long region":       {PrefixNode, node(func(n *Node) { n.Claimed = strings.Repeat("a", 49) }), "49 characters, at most 48 allowed"},
		"node bad region":        {PrefixNode, node(func(n *Node) { n.Claimed = "EU" }), "bad region"},
		"node most urls":         {PrefixNode, node(func(n *Node) { n.URLs = someURLs(4) }), ""},
		"node many urls":         {PrefixNode, node(func(n *Node) { n.URLs = someURLs(5) }), "5 urls, at most 4 allowed"},
		"node longest url":       {PrefixNode, node(func(n *Node) { n.URLs = []string{"http://" + strings.Repeat("a", 121)} }), ""},
		"node long url":          {PrefixNode, node(func(n *Node) { n.URLs = []string{"http://" + strings.Repeat("a", 122)} }), "129 characters, at most 128 allowed"},
		"node bad url":           {PrefixNode, node(func(n *Node) { n.URLs = []string{"ftp://a"} }), "bad url"},
		"node longest plane":     {PrefixNode, node(func(n *Node) { n.Plane = "/" + strings.Repeat("a", 127) }), ""},
		"node long plane":        {PrefixNode, node(func(n *Node) { n.Plane = "/" + strings.Repeat("a", 128) }), "129 characters, at most 128 allowed"},
		"node bad plane":         {PrefixNode, node(func(n *Node) { n.Plane = "ip4" }), "bad plane address"},
		"node short key":         {PrefixNode, []byte{1, 2}, "ends early"},
		"chain backwards":        {PrefixChain, Chain{BucketsFrom: 2, BucketsTo: 1}.Append(nil), "buckets end before they begin"},
		"params bad":             {PrefixParams, Params{}.Append(nil), "valid_for_max_ms is 0"},
	} {
		err := decodeLeaf(c.prefix, c.leaf)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	bad := encode(Account{Policy: Policy{Threshold: 1, Members: make([]Member, 1)}})
	bad[1+4+1] = 2
	if err := decodeLeaf(PrefixAccount, bad); err == nil || !strings.Contains(err.Error(), "policy member of unknown kind 2") {
		t.Errorf("unknown kind of member: %v", err)
	}
}

func someURLs(n int) (urls []string) {
	for i := range n {
		urls = append(urls, fmt.Sprintf("http://127.0.0.1:%d", 26658+i))
	}
	return urls
}

func someItems(n, size int) (items []Item) {
	for i := range n {
		items = append(items, Item{Tag: Tag{TxID: TxID{byte(i)}, Op: 1}, Value: make([]byte, size)})
	}
	return items
}

func someRemoved(n int) (removed []Removed) {
	for i := range n {
		removed = append(removed, Removed{Tag: Tag{TxID: TxID{byte(i)}, Op: 1}, UntilMS: 1})
	}
	return removed
}

func someIDs(n int) (ids []crypto.ValidatorID) {
	for i := range n {
		ids = append(ids, crypto.ValidatorID{byte(i >> 8), byte(i)})
	}
	return ids
}

func TestKeysAreDistinct(t *testing.T) {
	a := crypto.Address{1}
	keys := [][]byte{
		KeyAccount(a), KeyPage(a, 0), KeyPage(a, 1), KeyAsset(crypto.Hash(a)), KeyEntry(a, "p"), KeyNamespace(a), KeyValidator(crypto.ValidatorID(a)), KeyNode(crypto.ValidatorID(a)),
		KeyParams(), KeyChain(), KeyValidators(), KeyRecord(1, TxID(a)), KeyBucket(1),
	}
	seen := map[string]bool{}
	for _, k := range keys {
		if seen[string(k)] {
			t.Errorf("key %x twice", k)
		}
		seen[string(k)] = true
	}
	if got := fmt.Sprintf("%x", KeyRecord(0x0102, TxID{0xaa})[:10]); got != "100000000000000102aa" {
		t.Errorf("record key begins with %s", got)
	}
}

func TestParamsValidateListsEveryFault(t *testing.T) {
	if err := DefaultParams().Validate(); err != nil {
		t.Error(err)
	}
	bad := Params{ReplayGraceMS: paramGraceMax + 1, ReplayBucketMax: paramBucketCap + 1, ValidatorsMin: ValidatorsLimit + 1, ValidatorsMax: 1}
	err := bad.Validate()
	for _, name := range []string{"valid_for_max_ms", "replay_bucket_ms", "replay_grace_ms", "replay_bucket_max", "validators_min", "larger than validators_max"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("no word of %s in: %v", name, err)
		}
	}
}

func TestParamsBounds(t *testing.T) {
	for name, c := range map[string]struct {
		change func(p *Params)
		good   bool
	}{
		"valid for least":       {func(p *Params) { p.ValidForMaxMS = 1000 }, true},
		"valid for too little":  {func(p *Params) { p.ValidForMaxMS = 999 }, false},
		"valid for most":        {func(p *Params) { p.ValidForMaxMS, p.ReplayBucketMS = paramValidForMax, 60_000 }, true},
		"valid for too much":    {func(p *Params) { p.ValidForMaxMS, p.ReplayBucketMS = paramValidForMax+1, 60_000 }, false},
		"bucket least":          {func(p *Params) { p.ReplayBucketMS, p.ReplayGraceMS = 1000, 0 }, true},
		"bucket too small":      {func(p *Params) { p.ReplayBucketMS, p.ReplayGraceMS = 999, 0 }, false},
		"buckets most":          {func(p *Params) { p.ReplayBucketMS, p.ReplayGraceMS = 1000, 4_096_999-p.ValidForMaxMS }, true},
		"buckets too many":      {func(p *Params) { p.ReplayBucketMS, p.ReplayGraceMS = 1000, 4_097_000-p.ValidForMaxMS }, false},
		"one record":            {func(p *Params) { p.ReplayBucketMax = 1 }, true},
		"no record":             {func(p *Params) { p.ReplayBucketMax = 0 }, false},
		"validators most":       {func(p *Params) { p.ValidatorsMax = ValidatorsLimit }, true},
		"validators too many":   {func(p *Params) { p.ValidatorsMax = ValidatorsLimit + 1 }, false},
		"validators min is max": {func(p *Params) { p.ValidatorsMin = p.ValidatorsMax }, true},
		"validators min above":  {func(p *Params) { p.ValidatorsMin = p.ValidatorsMax + 1 }, false},
		"no validators":         {func(p *Params) { p.ValidatorsMin = 0 }, false},
	} {
		p := DefaultParams()
		c.change(&p)
		if err := p.Validate(); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBucketHoldsWhatExpiresInIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := DefaultParams()
		p.ReplayBucketMS = rapid.Uint64Range(paramBucketMin, paramBucketMax).Draw(t, "bucket")
		until := rapid.Uint64Range(0, 1<<50).Draw(t, "until")
		b := p.Bucket(until)
		if until >= p.BucketEndMS(b) || b > 0 && until < p.BucketEndMS(b-1) {
			t.Fatalf("%d lies in bucket %d, which ends at %d", until, b, p.BucketEndMS(b))
		}
	})
}

func TestCodesAreARegistry(t *testing.T) {
	slugs := map[string]bool{}
	var last Code
	classes := map[Code]Class{
		0: ClassOK, 1: ClassMalformed, 100: ClassAuth, 200: ClassReplay, 300: ClassFunds,
		600: ClassState, 700: ClassGovernance, 800: ClassLimit, 900: ClassNode,
	}
	for i, c := range Codes() {
		if i > 0 && c.Code <= last {
			t.Errorf("%d follows %d", c.Code, last)
		}
		last = c.Code
		begin := c.Code / 100 * 100
		if begin == 0 && c.Code > 0 {
			begin = 1
		}
		if classes[begin] != c.Class {
			t.Errorf("%d is of class %s, its range is %s", c.Code, c.Class, classes[begin])
		}
		if slugs[c.Slug] || strings.Trim(c.Slug, "abcdefghijklmnopqrstuvwxyz_") != "" {
			t.Errorf("bad slug %q", c.Slug)
		}
		slugs[c.Slug] = true
		if !strings.HasSuffix(c.Message, ".") || strings.ToUpper(c.Message[:1]) != c.Message[:1] {
			t.Errorf("%q is not a sentence", c.Message)
		}
		if found, ok := CodeBySlug(c.Slug); !ok || found != c.Code {
			t.Errorf("slug %s finds %d", c.Slug, found)
		}
	}
	if info := Code(99_999).Info(); info.Class != ClassUnknown || info.Slug != "code_99999" {
		t.Errorf("an unknown code is %+v", info)
	}
	if _, ok := CodeBySlug("no_such"); ok {
		t.Error("an unknown slug was found")
	}
}

func TestReceiptIsReversible(t *testing.T) {
	r := Receipt{Txid: make([]byte, 32), Height: 7, Index: 1, Code: uint32(CodeAssertFailed), Op: 2}
	got, err := DecodeReceipt(r.Encode())
	if err != nil || !got.Equal(&r) || got.Outcome() != CodeAssertFailed || got.ID() != (TxID{}) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range [][]byte{nil, append(r.Encode(), 0), (&Receipt{Txid: make([]byte, 31)}).Encode()} {
		if _, err := DecodeReceipt(bad); err == nil {
			t.Errorf("%x decodes", bad)
		}
	}
	record := Record{Code: CodeAssertFailed, Height: 7, Index: 1, Op: 2}
	if again := record.Receipt(TxID{}); !again.Equal(&r) {
		t.Errorf("the record's receipt is %+v", again)
	}
}
