package merkle

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
)

var rewrite = flag.Bool("rewrite", false, "write what the scripts in testdata print into them")

// TestScripts runs testdata/*.txt. A script is a header, then commands, each a line that starts with
// "> ", followed by what it prints. The commands are the methods of script below.
//
// A key is written as the first bits of its path: the script's key 0110 is some key whose path starts
// with these bits. A longer name with the same bits, 0110b, is another key there.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runScript(t, file) })
	}
}

func runScript(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := script{t: t, m: New(), staged: map[string]*Staged{}, views: map[string]*View{}}
	var out strings.Builder
	for _, line := range strings.SplitAfter(string(text), "\n") {
		command, ok := strings.CutPrefix(line, "> ")
		switch {
		case ok:
			printed := s.run(strings.Fields(command))
			fmt.Fprintf(&out, "%s%s\n", line, printed)
		case strings.HasPrefix(line, "#"):
			out.WriteString(line)
		case strings.TrimSpace(line) == "" && s.commands == 0:
			out.WriteString(line)
		}
	}
	got := strings.TrimRight(out.String(), "\n") + "\n"
	if *rewrite {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got != string(text) {
		t.Errorf("the script prints something else (see git diff after go test -rewrite):\n%s", got)
	}
}

type script struct {
	t        *testing.T
	m        *Map
	staged   map[string]*Staged
	views    map[string]*View
	commands int
}

// run carries out one command and returns what it prints.
func (s *script) run(words []string) string {
	s.commands++
	args := words[1:]
	switch words[0] {
	case "stage": // stage NAME VERSION KEY=VALUE... -KEY...
		s.staged[args[0]] = s.m.Stage(s.number(args[1]), changesOf(args[2:]))
		return s.tree(s.staged[args[0]].version.root, s.m.nodes.chunks, &s.m.records.table)
	case "commit":
		s.m.Commit(s.staged[args[0]])
		delete(s.staged, args[0])
		return s.memory()
	case "discard":
		s.m.Discard(s.staged[args[0]])
		delete(s.staged, args[0])
		return s.memory()
	case "keep":
		s.m.Keep(int(s.number(args[0])))
		return s.memory()
	case "view": // view NAME VERSION
		v, ok := s.m.At(s.number(args[1]))
		if !ok {
			return "gone\n"
		}
		s.views[args[0]] = v
		return ""
	case "close":
		s.views[args[0]].Close()
		delete(s.views, args[0])
		return ""
	case "tree": // tree VIEW
		v := s.views[args[0]]
		return s.tree(v.at.root, v.at.nodes, &v.at.records)
	case "memory":
		return s.memory()
	case "prove": // prove VIEW KEY...
		return s.prove(s.views[args[0]], args[1:])
	}
	s.t.Fatalf("unknown command %q", words[0])
	return ""
}

func (s *script) number(word string) uint64 {
	n, err := strconv.ParseUint(word, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func changesOf(words []string) (changes []Change) {
	for _, word := range words {
		if name, ok := strings.CutPrefix(word, "-"); ok {
			changes = append(changes, Change{Key: scriptKey(name)})
			continue
		}
		name, value, _ := strings.Cut(word, "=")
		changes = append(changes, Change{Key: scriptKey(name), Value: []byte(value)})
	}
	return changes
}

// scriptKey finds the key that a script calls by name.
func scriptKey(name string) []byte {
	prefix := strings.TrimRight(name, "bcdef")
	for i := 0; ; i++ {
		key := []byte(fmt.Sprintf("%s %d", name, i))
		path := pathOf(key)
		if strings.HasPrefix(pathBits(&path), prefix) {
			return key
		}
	}
}

func scriptName(key []byte) string {
	name, _, _ := strings.Cut(string(key), " ")
	return name
}

func pathBits(path *crypto.Hash) string {
	var b strings.Builder
	for _, x := range path {
		fmt.Fprintf(&b, "%08b", x)
	}
	return b.String()
}

// tree draws a version: the first bytes of every hash, and the version that made each node and leaf.
func (s *script) tree(root link, nodes nodeTable, records *recordTable) string {
	var out strings.Builder
	var draw func(at link, label, indent string)
	draw = func(at link, label, indent string) {
		switch {
		case at.ref == none:
			fmt.Fprintf(&out, "%sempty\n", label)
		case at.ref.isLeaf():
			rec := records.at(at.ref)
			fmt.Fprintf(&out, "%s%x  %s = %s  (of %d)\n", label, at.hash[:3], scriptName(rec.key()), rec.value(), rec.born())
		default:
			fmt.Fprintf(&out, "%s%x  (of %d)\n", label, at.hash[:3], nodes.branches(at.ref).born)
			n := nodes.load(at.ref)
			draw(n.child[0], indent+"+-0- ", indent+"|    ")
			draw(n.child[1], indent+"+-1- ", indent+"     ")
		}
	}
	draw(root, "  ", "  ")
	return out.String()
}

// memory lists the versions in memory and what they occupy together, after an audit.
func (s *script) memory() string {
	audit(s.t, s.m, slices.Collect(maps.Values(s.staged)))
	var versions []string
	for _, v := range s.m.versions {
		text := strconv.FormatUint(v.number, 10)
		if v.pins > 0 {
			text += " pinned"
		}
		versions = append(versions, text)
	}
	records := 0
	for i := range s.m.records.spans {
		records += int(s.m.records.spans[i].used)
	}
	return fmt.Sprintf("  versions: %s; nodes: %d; records: %d\n", strings.Join(versions, ", "), s.m.nodes.live(), records)
}

// prove prints what the proof of each key shows, once it was verified.
func (s *script) prove(v *View, names []string) string {
	var out strings.Builder
	for _, name := range names {
		key := scriptKey(name)
		proof, err := v.Prove(key)
		if err != nil {
			s.t.Fatal(err)
		}
		value, exists, err := proof.Verify(v.Root(), key)
		if err != nil {
			s.t.Fatal(err)
		}
		var siblings []string
		for _, h := range proof.Siblings {
			if h.IsZero() {
				siblings = append(siblings, "empty")
			} else {
				siblings = append(siblings, fmt.Sprintf("%x", h[:3]))
			}
		}
		path := "[" + strings.Join(siblings, " ") + "]"
		switch {
		case exists:
			fmt.Fprintf(&out, "  %s = %s: %s\n", name, value, path)
		case proof.Kind == ProofAbsentEmpty:
			fmt.Fprintf(&out, "  no %s: %s, then nothing\n", name, path)
		default:
			other := pathBits(&proof.OtherPath)
			fmt.Fprintf(&out, "  no %s: %s, then a leaf at %s...\n", name, path, other[:8])
		}
	}
	return out.String()
}
