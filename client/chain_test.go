package client

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmtcrypto "github.com/cometbft/cometbft/crypto"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	cmttypes "github.com/cometbft/cometbft/types"
	cmtcore "github.com/cometbft/cometbft/version"
	ics23 "github.com/cosmos/ics23/go"

	"github.com/tetradledger/tetrad/client/balance"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

// chain signs headers for a ledger of rpctest, with CometBFT's own types and keys.
type chain struct {
	id    string
	who   func(height uint64) []string // the validators' names
	mu    sync.Mutex
	made  map[uint64]*cmttypes.LightBlock
	spoil func(*cmttypes.Header) // makes another chain of the same validators
}

// validatorKey is that of the ledger's own validator of a name, if rpctest has one.
func validatorKey(name string) cmtcrypto.PrivKey {
	seed := crypto.DevKey("validator-" + name).Seed()
	return cmted25519.PrivKey(ed25519.NewKeyFromSeed(seed[:]))
}

func setOf(names []string) *cmttypes.ValidatorSet {
	var list []*cmttypes.Validator
	for _, name := range names {
		list = append(list, cmttypes.NewValidator(validatorKey(name).PubKey(), 10))
	}
	return cmttypes.NewValidatorSet(list)
}

func (c *chain) genesis(t testing.TB, at time.Time) []byte {
	t.Helper()
	doc := cmttypes.GenesisDoc{ChainID: c.id, GenesisTime: at, InitialHeight: 1, ConsensusParams: cmttypes.DefaultConsensusParams()}
	for _, v := range setOf(c.who(1)).Validators {
		doc.Validators = append(doc.Validators, cmttypes.GenesisValidator{Address: v.Address, PubKey: v.PubKey, Power: v.VotingPower})
	}
	data, err := cmtjson.MarshalIndent(doc, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return append(data, '\n')
}

// block makes the header of a height. It names the header before it if that was made, too.
func (c *chain) block(h rpctest.Header) *cmttypes.LightBlock {
	height := h.Height
	c.mu.Lock()
	defer c.mu.Unlock()
	if b := c.made[height]; b != nil {
		return b
	}
	filler := func(what string) []byte { h := crypto.Sum([]byte(what), []byte{byte(height)}); return h[:] }
	set, next := setOf(c.who(height)), setOf(c.who(height+1))
	header := &cmttypes.Header{
		Version: cmtversion.Consensus{Block: cmtcore.BlockProtocol}, ChainID: c.id, Height: int64(height),
		Time: time.UnixMilli(int64(h.TimeMS)).UTC(), AppHash: h.AppHash[:], ValidatorsHash: set.Hash(), NextValidatorsHash: next.Hash(),
		LastCommitHash: filler("commit"), DataHash: cmttypes.ToTxs(h.Txs).Hash(), ConsensusHash: filler("params"), LastResultsHash: resultsHash(h.LastResults),
		EvidenceHash: filler("evidence"), ProposerAddress: set.Validators[0].Address,
	}
	if before := c.made[height-1]; before != nil {
		header.LastBlockID = before.Commit.BlockID
	} else if height > 1 {
		header.LastBlockID = cmttypes.BlockID{Hash: filler("last"), PartSetHeader: cmttypes.PartSetHeader{Total: 1, Hash: filler("part")}}
	}
	if c.spoil != nil {
		c.spoil(header)
	}
	b := sign(header, set, c.who(height))
	c.made[height] = b
	return b
}

// resultsHash is the hash of a block's results as CometBFT makes it.
func resultsHash(results []rpctest.Result) []byte {
	var list []*abcitypes.ExecTxResult
	for _, r := range results {
		list = append(list, &abcitypes.ExecTxResult{Code: r.Code, Data: r.Data, Log: "not part of it"})
	}
	return cmttypes.NewResults(list).Hash()
}

// sign puts the names' signatures under a header.
func sign(header *cmttypes.Header, set *cmttypes.ValidatorSet, names []string) *cmttypes.LightBlock {
	part := crypto.Sum([]byte("part"))
	id := cmttypes.BlockID{Hash: header.Hash(), PartSetHeader: cmttypes.PartSetHeader{Total: 1, Hash: part[:]}}
	commit := &cmttypes.Commit{Height: header.Height, BlockID: id, Signatures: make([]cmttypes.CommitSig, set.Size())}
	for i := range commit.Signatures {
		commit.Signatures[i] = cmttypes.NewCommitSigAbsent()
	}
	for _, name := range names {
		key := validatorKey(name)
		i, v := set.GetByAddress(key.PubKey().Address())
		if v == nil {
			continue
		}
		commit.Signatures[i] = cmttypes.CommitSig{BlockIDFlag: cmttypes.BlockIDFlagCommit, ValidatorAddress: v.Address, Timestamp: header.Time}
		signature, err := key.Sign(commit.VoteSignBytes(header.ChainID, i))
		if err != nil {
			panic(err)
		}
		commit.Signatures[i].Signature = signature
	}
	return &cmttypes.LightBlock{SignedHeader: &cmttypes.SignedHeader{Header: header, Commit: commit}, ValidatorSet: set}
}

func encoded(t testing.TB, b *cmttypes.LightBlock) []byte {
	t.Helper()
	data, err := encodeBlock(b)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// proving is a network whose nodes prove what they say, and a way to put lies into their mouths.
type proving struct {
	*network
	chain   *chain
	genesis []byte
	apis    []http.Handler
}

var fourValidators = func(uint64) []string { return []string{"a", "b", "c", "d"} }

func newProving(t testing.TB, nodes int, who func(uint64) []string, more ...ledger.GenesisOp) *proving {
	t.Helper()
	begin := time.Now().Add(-time.Hour)
	p := &proving{
		chain:   &chain{id: "tetrad-test", who: who, made: map[uint64]*cmttypes.LightBlock{}},
		network: &network{Ledger: rpctest.NewLedger("tetrad-test", uint64(begin.UnixMilli()), more...)},
	}
	p.genesis = p.chain.genesis(t, begin)
	p.Genesis = crypto.Sum(p.genesis)
	p.ServeLight(p.genesis, func(h rpctest.Header) rpctest.Light {
		block := p.chain.block(h)
		data, err := encodeBlock(block)
		if err != nil {
			panic(err)
		}
		return rpctest.Light{Encoded: data, Hash: crypto.Hash(block.Hash()), Proposer: hex.EncodeToString(block.ProposerAddress)}
	})
	for i := range nodes {
		name := fmt.Sprintf("node%d", i)
		s := &server{node: p.Node(name), seen: make(chan *http.Request, 100)}
		api := rpc.NewHandler(s.node, rpc.Options{Node: name})
		p.apis = append(p.apis, api)
		s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.asked.Add(1)
			select {
			case s.seen <- r:
			default:
			}
			if fault := s.fault.Load(); fault != nil {
				(*fault)(w, r)
				return
			}
			if s.attest != nil && r.URL.Path == pathAttest {
				s.attest(w, r)
				return
			}
			api.ServeHTTP(w, r)
		}))
		t.Cleanup(s.die)
		p.servers = append(p.servers, s)
	}
	return p
}

// lies puts a liar before a node: change gets every answer and returns what is sent instead.
func (p *proving) lies(node int, change func(path string, body []byte) []byte) {
	api := p.apis[node]
	p.servers[node].fails(func(w http.ResponseWriter, r *http.Request) {
		honest := httptest.NewRecorder()
		api.ServeHTTP(honest, r)
		for name, values := range honest.Header() {
			if name != "Content-Length" {
				w.Header()[name] = values
			}
		}
		w.WriteHeader(honest.Code)
		w.Write(change(r.URL.Path, honest.Body.Bytes()))
	})
}

func (p *proving) verified(t testing.TB, o VerifiedOptions) *Verified {
	t.Helper()
	if o.Endpoints == nil {
		o.Endpoints = p.urls()
	}
	if o.MaxAge == 0 {
		o.MaxAge = -1
	}
	if o.Policy == "" {
		o.Policy, o.NoHedge = balance.Listed, true // tests say which node is asked, and when
	}
	o.ChainID, o.GenesisHash, o.Timeout = p.chain.id, p.Genesis, 20*time.Second
	v, err := NewVerified(o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// submit puts a transaction into the next block.
func (p *proving) submit(t testing.TB, tx Signed) {
	t.Helper()
	got := p.servers[0].node.Submit(within(t, time.Minute), [][]byte{tx.Raw})
	if got[0].Code != ledger.CodeOK {
		t.Fatalf("%+v", got)
	}
	p.Seal()
}

// manyAssets is more than an account's leaf holds, and more than one page.
const manyAssets = ledger.BalancesInline + ledger.BalancesPerPage + 5

// populate gives carol many balances and alice an entry and a lane, and leaves dave's account alone.
func (p *proving) populate(t testing.TB) {
	t.Helper()
	until := uint64(time.Now().Add(5*time.Minute - time.Hour).UnixMilli())
	alice := NewTx(p.ChainID, p.Genesis, rpctest.Address("alice")).ValidUntilMS(until)
	for i := range manyAssets {
		alice.Op(ledger.Op{Kind: &ledger.Op_SetAsset{SetAsset: &ledger.SetAsset{Code: fmt.Sprintf("c%d", i), Scale: 1}}})
	}
	tx, err := alice.Put("config/limits", []byte("10")).Sign(crypto.DevKey("alice"))
	if err != nil {
		t.Fatal(err)
	}
	p.submit(t, tx)
	alice = NewTx(p.ChainID, p.Genesis, rpctest.Address("alice")).ValidUntilMS(until)
	for i := range manyAssets {
		alice.Transfer(rpctest.Address("carol"), fmt.Sprintf("c%d", i), ledger.Amount{Lo: uint64(i + 1)})
	}
	if tx, err = alice.Sign(crypto.DevKey("alice")); err != nil {
		t.Fatal(err)
	}
	p.submit(t, tx)
	p.Seal()
}

// object is a JSON object whose fields can be changed.
type object = map[string]any

// edit decodes an answer, lets change have it, and encodes it again.
func edit(body []byte, change func(object)) []byte {
	var o object
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if d.Decode(&o) != nil {
		return body
	}
	change(o)
	out, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return out
}

// items is the proof's list.
func items(o object) []any {
	proof, _ := o["proof"].(object)
	list, _ := proof["items"].([]any)
	return list
}

func isTrust(path string) bool { return isLight(path) || path == rpc.PathGenesis }

func isLight(path string) bool { return strings.HasPrefix(path, "/v1/light") }

// get asks the first node's API itself, whatever stands before it.
func (p *proving) get(path string) []byte {
	out := httptest.NewRecorder()
	p.apis[0].ServeHTTP(out, httptest.NewRequest(http.MethodGet, path, nil))
	return out.Body.Bytes()
}

// denies says that there is no such asset, and proves nothing.
func denies(w http.ResponseWriter, _ *http.Request) {
	sendError(w, rpc.NewError(ledger.CodeAssetNotFound, ""))
}

// truncate takes a neighbour, or one step of a neighbour's path, out of a proof of absence.
func truncate(item object, neighbour bool) {
	var proof ics23.CommitmentProof
	data, _ := base64.StdEncoding.DecodeString(item["ics23"].(string))
	if err := proof.Unmarshal(data); err != nil {
		panic(err)
	}
	absent := proof.GetNonexist()
	switch {
	case neighbour && absent.Left != nil:
		absent.Left = nil
	case neighbour:
		absent.Right = nil
	case absent.Left != nil:
		absent.Left.Path = absent.Left.Path[1:]
	default:
		absent.Right.Path = absent.Right.Path[1:]
	}
	data, err := proof.Marshal()
	if err != nil {
		panic(err)
	}
	item["ics23"] = base64.StdEncoding.EncodeToString(data)
}
