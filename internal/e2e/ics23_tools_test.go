package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	ics23 "github.com/cosmos/ics23/go"
)

// validFor is how long transactions of these tests may wait for their block.
const validFor = 5 * time.Minute

// library is a directory with the script ics23/verify.js and the npm package that it uses.
type library string

// nodeLibrary fetches the npm package that package-lock.json pins. Without node and npm, or without a way to
// the package, the test is skipped, unless CI runs it (TETRAD_CI), where both must be there.
func nodeLibrary(t *testing.T) library {
	t.Helper()
	missing := t.Skipf
	if os.Getenv("TETRAD_CI") != "" {
		missing = t.Fatalf
	}
	binary(t)
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			missing("SKIPPED, proofs are not checked with @confio/ics23: %s is not installed", program)
		}
	}
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "verify.js"} {
		data, err := os.ReadFile(filepath.Join("ics23", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out []byte
	var err error
	for range 4 { // a registry may be out of reach for a moment
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		cmd := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
		cmd.Dir = dir
		out, err = cmd.CombinedOutput()
		cancel()
		if err == nil {
			return library(dir)
		}
	}
	missing("SKIPPED, proofs are not checked with @confio/ics23: npm ci: %v\n%s", err, out)
	return ""
}

// judge has the script say what the package says of each claim.
func (l library) judge(t *testing.T, claims []claim23) (verdicts []string) {
	t.Helper()
	data, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(string(l), "claims.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "verify.js", file)
	cmd.Dir, cmd.Stderr = string(l), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node verify.js: %v", err)
	}
	if err := json.Unmarshal(out, &verdicts); err != nil || len(verdicts) != len(claims) {
		t.Fatalf("%d verdicts on %d claims: %v", len(verdicts), len(claims), err)
	}
	return verdicts
}

// changes are false variants of a right claim.
func changes(t *testing.T, c claim23) (out []claim23) {
	t.Helper()
	flip := func(b []byte) []byte {
		b = slices.Clone(b)
		b[len(b)/2] ^= 1
		return b
	}
	vary := func(name string, edit func(*claim23)) {
		v := c
		v.Name += ", " + name
		edit(&v)
		out = append(out, v)
	}
	inside := func(name string, edit func(*ics23.ExistenceProof)) {
		var proof ics23.CommitmentProof
		if err := proof.Unmarshal(c.ICS23); err != nil {
			t.Fatal(err)
		}
		exist := proof.GetExist()
		if non := proof.GetNonexist(); non != nil {
			if exist = non.Left; exist == nil {
				exist = non.Right
			}
		}
		edit(exist)
		data, err := proof.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		vary(name, func(v *claim23) { v.ICS23 = data })
	}
	vary("another root", func(v *claim23) { v.Root = flip(v.Root) })
	if c.Value != nil {
		vary("another key", func(v *claim23) { v.Key = flip(v.Key) })
		vary("another value", func(v *claim23) { v.Value = flip(v.Value) })
		vary("said to be absent", func(v *claim23) { v.Value = nil })
	} else {
		vary("said to be there", func(v *claim23) { v.Value = []byte{1} })
	}
	inside("another key inside", func(e *ics23.ExistenceProof) { e.Key = flip(e.Key) })
	inside("another value inside", func(e *ics23.ExistenceProof) { e.Value = flip(e.Value) })
	inside("another leaf", func(e *ics23.ExistenceProof) { e.Leaf.Prefix = []byte{9} })
	inside("another leaf hash", func(e *ics23.ExistenceProof) { e.Leaf.PrehashValue = ics23.HashOp_NO_HASH })
	inside("a step too many", func(e *ics23.ExistenceProof) {
		e.Path = append(e.Path, &ics23.InnerOp{Hash: ics23.HashOp_SHA256, Prefix: []byte{1}, Suffix: make([]byte, 32)})
	})
	inside("a step that is another", func(e *ics23.ExistenceProof) {
		if len(e.Path) > 0 {
			e.Path[0].Prefix = flip(e.Path[0].Prefix)
		} else {
			e.Value = append(e.Value, 0)
		}
	})
	return out
}
