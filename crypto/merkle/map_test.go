package merkle

import (
	"fmt"
	"testing"
)

func TestSmoke(t *testing.T) {
	m := New()
	var cs []Change
	for i := range 1000 {
		cs = append(cs, Change{[]byte(fmt.Sprint("k", i)), []byte(fmt.Sprint("v", i))})
	}
	s := m.Stage(1, cs)
	root := s.Root()
	m.Commit(s)
	v := m.Current()
	for i := range 2000 {
		k := []byte(fmt.Sprint("k", i))
		p, err := v.Prove(k)
		if err != nil {
			t.Fatal(err)
		}
		p, err = UnmarshalProof(p.Marshal())
		if err != nil {
			t.Fatal(err)
		}
		val, ok, err := p.Verify(root, k)
		if err != nil || ok != (i < 1000) || ok && string(val) != fmt.Sprint("v", i) {
			t.Fatal(i, ok, err)
		}
	}
	v.Close()
	for i := range cs {
		cs[i].Value = nil
	}
	s = m.Stage(2, cs)
	if !s.Root().IsZero() || s.Len() != 0 {
		t.Fatal(s.Root(), s.Len())
	}
	m.Commit(s)
	t.Log(m.Stats())
}
