package ledger

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/crypto"
)

// world is what a script talks to: a state, names for everything, and the transactions made so far.
type world struct {
	t     *testing.T
	place string

	params  Params
	genesis []GenesisOp
	state   memory
	height  uint64
	timeMS  uint64
	nonces  uint64

	accounts map[string]crypto.Address
	names    map[crypto.Address]string
	// validators are those of genesis.
	validators map[crypto.ValidatorID]string
	scales     map[string]uint8 // by asset code
	txs        map[string]*Transaction
}

func newWorld(t *testing.T) *world {
	return &world{
		t: t, params: DefaultParams(), timeMS: testTimeMS,
		accounts: map[string]crypto.Address{"@gov": GovAddress}, names: map[crypto.Address]string{GovAddress: "@gov"},
		validators: map[crypto.ValidatorID]string{},
		scales:     map[string]uint8{}, txs: map[string]*Transaction{},
	}
}

// arguments are the words of a command: some bare, some name=value.
type arguments struct {
	words []string
	named map[string]string
}

func parseArguments(words []string) arguments {
	a := arguments{named: map[string]string{}}
	for _, word := range words {
		if name, value, ok := strings.Cut(word, "="); ok {
			a.named[name] = value
		} else {
			a.words = append(a.words, word)
		}
	}
	return a
}

// run executes one command and returns what it prints.
func (w *world) run(command string, input []string) string {
	words := strings.Fields(command)
	a := parseArguments(words[1:])
	switch words[0] {
	case "params":
		return w.setParams(a)
	case "asset", "account", "validator":
		return w.addGenesis(words[0], a)
	case "genesis":
		return w.runGenesis(input)
	case "created":
		return w.nameCreated(a)
	case "block":
		return w.runBlock(a, input)
	case "prepare":
		return w.prepare(input)
	case "precheck":
		return w.runPrecheck(a, input)
	case "show":
		return w.show(a)
	case "fill":
		return w.fill(a)
	}
	w.t.Fatalf("%s: unknown command %q", w.place, words[0])
	return ""
}

func (w *world) setParams(a arguments) string {
	for name, value := range a.named {
		n := w.number(value)
		switch name {
		case "replay_bucket_max":
			w.params.ReplayBucketMax = n
		case "validators_min":
			w.params.ValidatorsMin = uint32(n)
		case "validators_max":
			w.params.ValidatorsMax = uint32(n)
		default:
			w.t.Fatalf("%s: unknown parameter %q", w.place, name)
		}
	}
	return ""
}

// addGenesis adds what the genesis document would hold.
func (w *world) addGenesis(what string, a arguments) string {
	switch what {
	case "asset":
		op := w.parseOp([]string{"set_asset", a.words[0], "scale=" + a.named["scale"], "max=" + a.named["max"]})
		w.genesis = append(w.genesis, GenesisOp{Actor: w.account(a.named["issuer"]), Op: op})
	case "account":
		w.account(a.words[0])
		for _, amount := range a.words[1:] {
			op := w.parseOp([]string{"transfer", a.words[0], amount})
			w.genesis = append(w.genesis, GenesisOp{Actor: w.account(a.named["from"]), Op: op})
		}
	case "validator":
		words := []string{"set_validator", a.words[0], "power=" + a.named["power"]}
		if operator, ok := a.named["operator"]; ok {
			words = append(words, "operator="+operator)
		}
		op := w.parseOp(words)
		w.validators[validatorNamed(a.words[0])] = a.words[0]
		w.genesis = append(w.genesis, GenesisOp{Actor: GovAddress, Op: op})
	}
	return ""
}

// runGenesis executes the genesis collected so far, and operations given as "ACTOR OPERATION ...".
func (w *world) runGenesis(input []string) string {
	for _, line := range input {
		words := strings.Fields(line)
		w.genesis = append(w.genesis, GenesisOp{Actor: w.account(words[0]), Op: w.parseOp(words[1:])})
	}
	out, err := ExecuteGenesis(w.params, w.genesis, w.timeMS)
	if err != nil {
		w.genesis = w.genesis[:len(w.genesis)-len(input)]
		return "error: " + w.rename(err.Error())
	}
	w.state = memory{}
	w.state.apply(out.Changes)
	return fmt.Sprintf("%d leaves", len(out.Changes)) + w.showUpdates(out.Validators)
}

// nameCreated gives a name to an account that set_account makes.
func (w *world) nameCreated(a arguments) string {
	id := CreatedAddress(w.account(a.named["by"]), w.salt(a.named["salt"]), w.policy(a.named["key"]))
	w.accounts[a.words[0]] = id
	w.names[id] = a.words[0]
	return ""
}

// runBlock executes transactions as one block and prints a receipt for each.
func (w *world) runBlock(a arguments, input []string) string {
	w.height++
	w.timeMS += 1000
	if step, ok := a.named["time"]; ok {
		w.timeMS += w.milliseconds(step) - 1000
	}
	block := Block{Height: w.height, TimeMS: w.timeMS}
	if name, ok := a.named["misbehaviour"]; ok {
		for _, one := range strings.Split(name, ",") {
			key := testKey(one)
			id := crypto.ValidatorIDOf(crypto.KeyEd25519, key.public)
			block.Misbehaviour = append(block.Misbehaviour, Misbehaviour{Validator: id, Kind: "duplicate_vote", Height: w.height - 1})
		}
	}
	refused := map[int]string{}
	for i, line := range input {
		t, err := w.transaction(strings.Fields(line))
		if err != nil {
			refused[i] = "refused: " + w.rename(err.Error())
			continue
		}
		block.Txs = append(block.Txs, t)
	}
	out := w.execute(block)
	var b strings.Builder
	for i := range input {
		if text, ok := refused[i]; ok {
			b.WriteString(text + "\n")
			continue
		}
		b.WriteString(w.showReceipt(&out.Receipts[0], out.Touched[0]))
		out.Receipts, out.Touched = out.Receipts[1:], out.Touched[1:]
	}
	return b.String() + strings.TrimPrefix(w.showUpdates(out.Validators), "\n")
}

// execute runs a block twice, demands the same outcome, applies it, and audits the whole state.
func (w *world) execute(block Block) Outcome {
	out, err := Execute(w.state, block)
	if err != nil {
		w.t.Fatalf("%s: %v", w.place, err)
	}
	again, err := Execute(w.state.clone(), block)
	if err != nil || !reflect.DeepEqual(out, again) {
		w.t.Fatalf("%s: a second execution differs: %v", w.place, err)
	}
	checkChanges(w.t, w.state, out.Changes)
	w.state.apply(out.Changes)
	audit(w.t, w.state)
	return out
}

// prepare makes transactions and puts them into no block yet.
func (w *world) prepare(input []string) string {
	for _, line := range input {
		if _, err := w.transaction(strings.Fields(line)); err != nil {
			w.t.Fatalf("%s: %v", w.place, err)
		}
	}
	return ""
}

func (w *world) runPrecheck(a arguments, input []string) string {
	var b strings.Builder
	for _, line := range input {
		t, err := w.transaction(strings.Fields(line))
		if err == nil {
			err = Precheck(w.state, t, w.timeMS)
		}
		if err != nil {
			fmt.Fprintf(&b, "%s\n", w.rename(err.Error()))
			continue
		}
		b.WriteString("ok\n")
	}
	return b.String()
}

// fill gives an account n further assets, f0, f1 and so on, of one unit each.
func (w *world) fill(a arguments) string {
	issuer, to := testKey("filler"), w.account(a.words[0])
	w.account("filler")
	first, n := w.number(a.named["first"]), w.number(a.named["n"])
	var last Receipt
	for i := first; i < first+n; i++ {
		code := "f" + strconv.FormatUint(i, 10)
		w.scales[code] = 0
		w.height++
		w.timeMS++
		t := w.sign(w.body(issuer.address, opSetAsset(code, 0), opTransfer(to, code, 1)), issuer)
		out, err := Execute(w.state, Block{Height: w.height, TimeMS: w.timeMS, Txs: []*Transaction{t}})
		if err != nil {
			w.t.Fatalf("%s: %v", w.place, err)
		}
		w.state.apply(out.Changes)
		last = out.Receipts[0]
	}
	audit(w.t, w.state)
	return "last: " + Code(last.Code).String()
}

func (w *world) milliseconds(text string) uint64 {
	d, err := time.ParseDuration(strings.TrimPrefix(text, "+"))
	if err != nil {
		w.t.Fatalf("%s: %v", w.place, err)
	}
	return uint64(d.Milliseconds())
}

func (w *world) number(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		w.t.Fatalf("%s: %v", w.place, err)
	}
	return n
}

// account finds an account by name; a new name is the address of the key of that name.
func (w *world) account(name string) crypto.Address {
	if a, ok := w.accounts[name]; ok {
		return a
	}
	a := testKey(name).address
	w.accounts[name] = a
	w.names[a] = name
	return a
}

// rename shows accounts by name.
func (w *world) rename(text string) string {
	for a, name := range w.names {
		text = strings.ReplaceAll(text, a.String(), name)
	}
	for id, name := range w.validators {
		text = strings.ReplaceAll(text, id.String(), name)
	}
	for name, t := range w.txs {
		text = strings.ReplaceAll(text, t.ID.String(), name)
	}
	for code := range w.scales {
		text = strings.ReplaceAll(text, AssetIDOf(code).String(), code)
	}
	return text
}
