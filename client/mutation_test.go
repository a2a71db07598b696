package client

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
)

var mutationSeed = flag.Uint64("mutation-seed", 20261123, "seed of TestMutations")

// mutationsEach is how many lies each kind of read is told.
const mutationsEach = 300

// TestMutations puts a proxy before a node that changes every answer a little, in thousands of ways: bytes of
// proofs, values, keys, heights and headers are flipped, cut and swapped, elements are left out, repeated and
// exchanged with those of other answers. Whatever is not refused must be the truth all the same, to the byte:
// then the change was in something that nobody looks at, such as a signature beyond the two thirds.
func TestMutations(t *testing.T) {
	p := newProving(t, 1, fourValidators)
	p.populate(t)
	rnd := rand.New(rand.NewPCG(*mutationSeed, 1))
	pool := newPool(t, p)
	m := &mutator{rnd: rnd, pool: pool}
	p.lies(0, m.change)
	kinds := map[LieKind]int{}
	refused, harmless, other := 0, 0, 0
	for _, name := range slices.Sorted(keys(readings)) {
		m.set(false)
		truth, ok, err := readings[name](t, p.verified(t, VerifiedOptions{}))
		if err != nil || !ok {
			t.Fatalf("%s: %v", name, err)
		}
		for i := range mutationsEach {
			m.set(true)
			v := p.verified(t, VerifiedOptions{Options: Options{MinHeight: 2}})
			v.wait = 0
			got, _, err := readings[name](t, v)
			var lie *LieError
			switch {
			case errors.As(err, &lie):
				kinds[lie.Kind]++
				refused++
			case err != nil:
				other++
			case !reflect.DeepEqual(got, truth):
				t.Fatalf("seed %d: %s, mutation %d (%s): believed %+v", *mutationSeed, name, i, m.last, got)
			default:
				harmless++
			}
		}
	}
	t.Logf("seed %d: %d lies refused (%v), %d answers unusable, %d changes without effect, 0 accepted", *mutationSeed, refused, kinds, other, harmless)
	for _, kind := range []LieKind{LieValue, LieKey, LieHeight, LieHeader, LieProof, LieAbsence, LieMissing, LieUnproven, LieShape, LieGenesis, LieTxs, LieResults} {
		if kinds[kind] == 0 {
			t.Errorf("no mutation was refused as %s", kind)
		}
	}
	if refused < len(readings)*mutationsEach*3/4 {
		t.Errorf("only %d of %d mutations were refused as lies", refused, len(readings)*mutationsEach)
	}
}

func keys[V any](m map[string]V) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// pool is honest answers to other questions and at other heights.
type pool []object

func newPool(t testing.TB, p *proving) pool {
	t.Helper()
	var out pool
	for _, path := range []string{
		"/v1/assets/c1?proof=true", "/v1/assets/eur2?proof=true", "/v1/params?proof=true", "/v1/params?proof=true&height=1",
		"/v1/validators?proof=true", "/v1/validators?proof=true&height=1", "/v1/accounts/@gov?proof=true", "/v1/assets/usd?proof=true&height=1",
	} {
		var o object
		if err := json.Unmarshal(p.get(path), &o); err != nil || len(items(o)) == 0 {
			t.Fatalf("%s: %v", path, err)
		}
		out = append(out, o)
	}
	return out
}

// mutator changes one thing in one of the answers to a read.
type mutator struct {
	mu    sync.Mutex // guards everything below
	rnd   *rand.Rand
	pool  pool
	on    bool
	trust bool // change what trust is made of, not the answer
	last  string
}

func (m *mutator) set(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.on, m.trust = on, m.rnd.IntN(5) == 0
}

func (m *mutator) change(path string, body []byte) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.on || isTrust(path) != m.trust {
		return body
	}
	if !isLight(path) && isTrust(path) {
		if m.rnd.IntN(4) > 0 {
			return body
		}
		m.last = "genesis"
		return m.flip(body)
	}
	if m.trust {
		return edit(body, func(o object) {
			data, _ := base64.StdEncoding.DecodeString(o["light_block"].(string))
			m.last = "light block"
			o["light_block"] = base64.StdEncoding.EncodeToString(m.bytes(data))
		})
	}
	return edit(body, m.answer)
}

// answer changes one thing in an answer.
func (m *mutator) answer(o object) {
	list, r := items(o), m.rnd
	proof := o["proof"].(object)
	if len(list) == 0 {
		m.block(o, proof)
		return
	}
	i := r.IntN(len(list))
	item, foreign := list[i].(object), m.pool[r.IntN(len(m.pool))]
	if i > 0 && r.IntN(2) == 0 {
		item = list[0].(object)
	}
	other := items(foreign)[0].(object)
	kind := r.IntN(12)
	m.last = fmt.Sprint("answer ", kind)
	switch kind {
	case 0, 1, 2:
		data, _ := base64.StdEncoding.DecodeString(item["ics23"].(string))
		item["ics23"] = base64.StdEncoding.EncodeToString(m.bytes(data))
	case 3:
		value, _ := item["value"].(string)
		data, _ := base64.StdEncoding.DecodeString(value)
		item["value"] = base64.StdEncoding.EncodeToString(m.bytes(data))
	case 4:
		key, _ := hex.DecodeString(item["key"].(string))
		item["key"] = hex.EncodeToString(m.flip(key))
	case 5:
		proof["height"] = r.IntN(5)
	case 6:
		proof["items"] = slices.Delete(list, i, i+1)
	case 7:
		item["ics23"], item["value"] = other["ics23"], other["value"]
	case 8:
		list[i] = other
	case 9:
		o["proof"] = foreign["proof"]
	case 10:
		delete(o, "proof")
	default:
		m.field(o)
	}
}

// block changes one thing in an answer about a block.
func (m *mutator) block(o, proof object) {
	txs := proof["txs"].([]any)
	kind := m.rnd.IntN(7)
	m.last = fmt.Sprint("block ", kind)
	switch kind {
	case 0, 1:
		i := m.rnd.IntN(len(txs))
		data, _ := base64.StdEncoding.DecodeString(txs[i].(string))
		txs[i] = base64.StdEncoding.EncodeToString(m.bytes(data))
	case 2:
		proof["txs"] = append(txs, txs[0])
	case 3:
		proof["txs"] = txs[1:]
	case 4:
		proof["failed"] = []any{object{"index": m.rnd.IntN(2), "code": m.rnd.IntN(400), "op": m.rnd.IntN(2)}}
	case 5:
		delete(o, "proof")
	default:
		m.field(o)
	}
}

// field changes what the answer itself says, at any depth.
func (m *mutator) field(o object) {
	names := slices.DeleteFunc(slices.Sorted(keys(o)), func(name string) bool {
		return slices.Contains([]string{"proof", "verified", "consistency", "message", "$schema", "class", "retryable", "retry_after_ms"}, name)
	})
	name := names[m.rnd.IntN(len(names))]
	m.last += " " + name
	switch v := o[name].(type) {
	case string:
		o[name] = v + "0"
	case bool:
		o[name] = !v
	case json.Number:
		o[name] = json.Number("1" + v.String())
	case []any:
		if len(v) > 0 {
			o[name] = v[1:]
			return
		}
		o[name] = []any{object{}}
	default:
		o[name] = "x"
	}
}

// bytes flips a bit, cuts a piece off, or repeats one.
func (m *mutator) bytes(data []byte) []byte {
	if len(data) == 0 {
		return []byte{1}
	}
	at := m.rnd.IntN(len(data))
	switch m.rnd.IntN(5) {
	case 0:
		return data[:at]
	case 1:
		return append(slices.Clone(data), data[at:]...)
	default:
		return m.flip(data)
	}
}

func (m *mutator) flip(data []byte) []byte {
	out := slices.Clone(data)
	if len(out) > 0 {
		out[m.rnd.IntN(len(out))] ^= 1 << m.rnd.IntN(8)
	}
	return out
}
