package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptCommands are what our scripts have beside testscript's own:
//
//	exits N CMD ARGS...      run CMD and require exit code N
//	await CMD ARGS...        run CMD again and again until it succeeds
//	until PATH WANT CMD ARGS...  run CMD again and again until the value at PATH of what it prints is WANT
//	json PATH WANT           the last stdout is one JSON document, and the value at PATH is WANT;
//	json PATH ~REGEXP        … or matches; "! json PATH" requires that there is no such value
//	fields PATH NAME...      the object at PATH has exactly these fields; a name ending in ? may be missing,
//	                         and after ... there may be others
//	keep VAR PATH            set an environment variable to the value at PATH
//	bigfile FILE N           write a file of N bytes
//	freeport VAR             set VAR to a base port with the 50 ports above it unused
//	holdport BASE N          listen on port BASE+N until the script ends
//	serve HOME               run the node of a home in the background, until the script ends or
//	halt HOME                interrupts it, and requires that it stops cleanly
//
// PATH is like jq's: . or .error.slug or .balances[0].amount or .balances.length for how many.
var scriptCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"exits":    cmdExits,
	"await":    cmdAwait,
	"until":    cmdUntil,
	"json":     cmdJSON,
	"fields":   cmdFields,
	"keep":     cmdKeep,
	"bigfile":  cmdBigFile,
	"freeport": cmdFreePort,
	"holdport": cmdHoldPort,
	"serve":    cmdServe,
	"halt":     cmdHalt,
}

func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits N CMD ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// awaitTries at a tenth of a second each are two minutes: a hang, not a slow machine.
const awaitTries = 1200

func cmdAwait(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: await CMD ARGS...")
	}
	for range awaitTries {
		if ts.Exec(args[0], args[1:]...) == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	ts.Fatalf("%s never succeeded", strings.Join(args, " "))
}

// cmdUntil runs a command again and again until the JSON it prints has the value.
func cmdUntil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: until PATH WANT CMD ARGS...")
	}
	for range awaitTries {
		if ts.Exec(args[2], args[3:]...) == nil {
			if got, err := lookUp(stdoutDocument(ts), args[0]); err == nil && plain(got) == args[1] {
				return
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	ts.Fatalf("%s never printed %s at %s", strings.Join(args[2:], " "), args[1], args[0])
}

func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 || (neg && len(args) != 1) || (!neg && len(args) != 2) {
		ts.Fatalf("usage: json PATH WANT|~REGEXP, or: ! json PATH")
	}
	got, err := lookUp(stdoutDocument(ts), args[0])
	if neg {
		if err == nil {
			ts.Fatalf("%s is %s, want nothing there", args[0], plain(got))
		}
		return
	}
	ts.Check(err)
	pattern, isPattern := strings.CutPrefix(args[1], "~")
	if isPattern {
		matched, err := regexp.MatchString(pattern, plain(got))
		ts.Check(err)
		if !matched {
			ts.Fatalf("%s is %q, which does not match %s", args[0], plain(got), pattern)
		}
		return
	}
	if plain(got) != args[1] {
		ts.Fatalf("%s is %q, want %q", args[0], plain(got), args[1])
	}
}

func cmdFields(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: fields PATH NAME...")
	}
	got, err := lookUp(stdoutDocument(ts), args[0])
	ts.Check(err)
	object, ok := got.(map[string]any)
	if !ok {
		ts.Fatalf("%s is not an object but %s", args[0], plain(got))
	}
	known := map[string]bool{}
	for _, name := range args[1:] {
		name, optional := strings.CutSuffix(name, "?")
		known[name] = true
		if name == "..." {
			continue
		}
		if _, there := object[name]; !there && !optional {
			ts.Fatalf("%s has no field %s: %s", args[0], name, plain(got))
		}
	}
	for name := range object {
		if !known[name] && !known["..."] {
			ts.Fatalf("%s has a field %s that its shape does not: %s", args[0], name, plain(got))
		}
	}
}

func cmdKeep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: keep VAR PATH")
	}
	got, err := lookUp(stdoutDocument(ts), args[1])
	ts.Check(err)
	ts.Setenv(args[0], plain(got))
}

func cmdBigFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: bigfile FILE N")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Repeat("x", n)), 0o644))
}

func cmdFreePort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: freeport VAR")
	}
	port, err := freeBasePort()
	ts.Check(err)
	ts.Setenv(args[0], strconv.Itoa(port))
}

func cmdHoldPort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: holdport BASE N")
	}
	base, err := strconv.Atoi(args[0])
	ts.Check(err)
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", base+n))
	ts.Check(err)
	ts.Defer(func() { listener.Close() })
}

// serving are the nodes that scripts run, by their homes.
var serving sync.Map

func cmdServe(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: serve HOME")
	}
	home := ts.MkAbs(args[0])
	log, err := os.Create(filepath.Join(home, "test.log"))
	ts.Check(err)
	node := exec.Command("tetrad", "start", "--home", home)
	node.Stdout, node.Stderr = log, log
	ts.Check(node.Start())
	serving.Store(home, node)
	ts.Defer(func() {
		if _, runs := serving.LoadAndDelete(home); runs {
			_ = node.Process.Kill()
			_ = node.Wait()
		}
		log.Close()
	})
}

func cmdHalt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: halt HOME")
	}
	home := ts.MkAbs(args[0])
	node, runs := serving.LoadAndDelete(home)
	if !runs {
		ts.Fatalf("%s is not served", home)
	}
	_ = node.(*exec.Cmd).Process.Signal(os.Interrupt) // if it is gone, Wait says how it went
	if err := node.(*exec.Cmd).Wait(); err != nil {
		words, _ := os.ReadFile(filepath.Join(home, "test.log"))
		if strings.Contains(string(words), "did not stop in time") {
			ts.Logf("%s had not time enough on this machine to stop cleanly", home)
			return
		}
		ts.Fatalf("%s did not stop cleanly: %v\n%s", home, err, words[max(0, len(words)-4000):])
	}
}

// stdoutDocument reads the last command's stdout as exactly one JSON document.
func stdoutDocument(ts *testscript.TestScript) any {
	decoder := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil {
		ts.Fatalf("stdout is not JSON: %v", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		ts.Fatalf("stdout has more than one JSON document")
	}
	return document
}

var pathStep = regexp.MustCompile(`^(?:\.([A-Za-z0-9_]+)|\.?\[(\d+)\])`)

// lookUp walks a document along a path.
func lookUp(document any, path string) (any, error) {
	if path == "." {
		return document, nil
	}
	at := document
	for rest := path; rest != ""; {
		step := pathStep.FindStringSubmatch(rest)
		if step == nil {
			return nil, fmt.Errorf("bad path %q at %q", path, rest)
		}
		rest = rest[len(step[0]):]
		switch value := at.(type) {
		case map[string]any:
			next, ok := value[step[1]]
			if !ok || step[1] == "" {
				return nil, fmt.Errorf("no %s in %s", path, plain(document))
			}
			at = next
		case []any:
			if step[1] == "length" {
				at = json.Number(strconv.Itoa(len(value)))
				continue
			}
			i, err := strconv.Atoi(step[2])
			if err != nil || i >= len(value) {
				return nil, fmt.Errorf("no %s in %s", path, plain(document))
			}
			at = value[i]
		default:
			return nil, fmt.Errorf("no %s in %s", path, plain(document))
		}
	}
	return at, nil
}

// plain is a value as a script writes it: strings without quotes, everything else as JSON.
func plain(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	data, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(data)
}
