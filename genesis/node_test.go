package genesis_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/ledger"
)

func nodeSpec() genesis.Spec {
	s := devSpec()
	for i := range s.Validators[:3] {
		s.Validators[i].Operator = crypto.DevKey("operator").Public().Address()
	}
	s.Validators[0].Node = genesis.Node{
		ServiceKey: crypto.DevKey("service").Public().Bytes, Region: "eu/de", URLs: []string{"http://127.0.0.1:26658"}, Plane: "/ip4/127.0.0.1/tcp/26659",
	}
	return s
}

// TestNodesAreRegistered: what a document says of validators' nodes is in the first state, and is approved.
func TestNodesAreRegistered(t *testing.T) {
	s := nodeSpec()
	doc := build(t, s)
	for i := range s.Validators {
		got, want := doc.Validators[i], s.Validators[i]
		if got.Operator != want.Operator || !reflect.DeepEqual(got.Node, want.Node) {
			t.Errorf("validator %d reads back as %+v", i, got)
		}
	}
	out, err := doc.Outcome()
	if err != nil {
		t.Fatal(err)
	}
	id := func(i int) crypto.ValidatorID {
		return crypto.ValidatorIDOf(s.Validators[i].Key.Type, s.Validators[i].Key.Bytes)
	}
	v, err := ledger.DecodeValidator(value(t, out, ledger.KeyValidator(id(0))))
	if err != nil || v.Operator != s.Validators[0].Operator {
		t.Errorf("validator: %+v, %v", v, err)
	}
	n, err := ledger.DecodeNode(value(t, out, ledger.KeyNode(id(0))))
	if err != nil || n.Region() != "eu/de" || !bytes.Equal(n.ServiceKey, s.Validators[0].Node.ServiceKey) || len(n.URLs) != 1 || n.Plane == "" {
		t.Errorf("node: %+v, %v", n, err)
	}
	if value(t, out, ledger.KeyNode(id(1))) != nil {
		t.Error("a node that nobody registered")
	}
}

// TestNodeFaults: what is wrong with a node is named with its place.
func TestNodeFaults(t *testing.T) {
	for want, change := range map[string]func(*genesis.Validator){
		"validators[0].operator: nobody signs":           func(v *genesis.Validator) { v.Operator = ledger.GovAddress },
		"validators[0].node: A field holds a value":      func(v *genesis.Validator) { v.Node.Region = "EU" },
		"service_key: public key has 31 bytes":           func(v *genesis.Validator) { v.Node.ServiceKey = v.Node.ServiceKey[1:] },
		"The service key is in use already. (it is the ": func(v *genesis.Validator) { v.Node.ServiceKey = v.Key.Bytes },
	} {
		s := nodeSpec()
		change(&s.Validators[0])
		if _, err := genesis.Build(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	text := string(build(t, nodeSpec()).JSON())
	for want, old := range map[string][2]string{
		`"nobody" is no validator of this document`: {"\"name\": \"node0\",\n        \"operator\"", "\"name\": \"nobody\",\n        \"operator\""},
		`"node1" is there already`:                  {"\"name\": \"node2\",\n        \"operator\"", "\"name\": \"node1\",\n        \"operator\""},
		`"service_key" is not hexadecimal`:          {crypto.PublicKey{Type: crypto.KeyEd25519, Bytes: crypto.DevKey("service").Public().Bytes}.String()[8:], "service_key"},
	} {
		changed := strings.Replace(text, old[0], old[1], 1)
		if changed == text {
			t.Fatalf("%q is not in the document", old[0])
		}
		if _, err := genesis.Parse([]byte(changed)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestOtherRulesAreRefused: a network whose blocks this program would execute otherwise is named as such.
func TestOtherRulesAreRefused(t *testing.T) {
	for version, want := range map[uint64]string{0: "begun by an older tetrad", ledger.RulesVersion - 1: "an older tetrad", ledger.RulesVersion + 1: "a newer tetrad"} {
		c := genesis.DefaultConsensus()
		c.Version.App = version
		s := devSpec()
		s.Consensus = &c
		if _, err := genesis.Build(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("version %d: %v, want %q", version, err, want)
		}
	}
}
