package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// example is a command of the README and what the README shows of its output; nothing shown is not compared.
type example struct {
	command string
	output  []string
}

// TestReadme runs every command of the README as printed, in order, beside a network started with
// `tetrad dev`, and compares what it prints with what the README shows. Hashes and plain numbers may differ. How the
// nodes are comes to be as shown: on a busy machine one may be late for a moment.
func TestReadme(t *testing.T) {
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := examplesOf(string(data))
	if len(examples) < 8 {
		t.Fatalf("found only %d commands in the README", len(examples))
	}
	if !allFree(26656, 40) {
		t.Skip("the README's ports are in use on this machine")
	}
	work := t.TempDir()
	if err := os.Mkdir(filepath.Join(work, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary(t), filepath.Join(work, "bin", "tetrad")); err != nil {
		t.Fatal(err)
	}
	dev := startDev(t, work)
	for _, e := range examples {
		command := dev.withRealPID(t, e.command)
		want := shape(strings.Join(e.output, "\n"))
		out, err := dev.run(work, command)
		live := want != "" && strings.HasPrefix(command, "bin/tetrad status")
		for begun := time.Now(); live && err == nil && shape(out) != want && time.Since(begun) < patience; {
			out, err = dev.run(work, command)
		}
		if err != nil {
			t.Errorf("$ %s\n%s%v", command, out, err)
			continue
		}
		if got := shape(out); want != "" && want != got {
			t.Errorf("$ %s\nprints\n%s\nand the README shows\n%s", command, got, want)
		}
	}
	dev.stop(t)
}

// run runs a command line beside the network.
func (d *devNetwork) run(dir, command string) (string, error) {
	cmd := exec.Command("bash", "-c", command)
	cmd.Dir, cmd.Env = dir, d.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// examplesOf finds the commands in the README's console blocks.
func examplesOf(text string) []example {
	var out []example
	inside := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch command, isCommand := strings.CutPrefix(line, "$ "); {
		case line == "```console":
			inside = true
		case line == "```":
			inside = false
		case inside && isCommand:
			out = append(out, example{command: command})
		case inside && len(out) > 0:
			out[len(out)-1].output = append(out[len(out)-1].output, line)
		}
	}
	return out
}

// What differs from run to run: hashes, and numbers that are not amounts.
var (
	hashes  = regexp.MustCompile(`\b[0-9a-f]{64}\b|\b[0-9a-f]{8}…[0-9a-f]{6}\b`)
	ages    = regexp.MustCompile(`\b[0-9.]+ (ms|s)\b`)
	heights = regexp.MustCompile(`(?m)(^height +|\s)[0-9]+(\s|$)`)
	spaces  = regexp.MustCompile(`[ \t]+`)
)

// shape is output without what differs from run to run.
func shape(text string) string {
	text = hashes.ReplaceAllString(text, "HASH")
	text = ages.ReplaceAllString(text, "AGE")
	text = spaces.ReplaceAllString(text, " ")
	// Twice, since neighbouring numbers share the space between them.
	for range 2 {
		text = heights.ReplaceAllString(text, "${1}N${2}")
	}
	return strings.TrimSpace(text)
}

// devNetwork is a running `tetrad dev`.
type devNetwork struct {
	cmd  *exec.Cmd
	out  *bytes.Buffer
	env  []string
	done chan error
}

func startDev(t *testing.T, work string) *devNetwork {
	t.Helper()
	d := &devNetwork{out: &bytes.Buffer{}, done: make(chan error, 1)}
	d.env = append(os.Environ(), "TETRAD_HOME="+filepath.Join(work, "home"), "TETRAD_TIMEOUT=2m")
	d.cmd = exec.Command("bin/tetrad", "dev")
	d.cmd.Dir, d.cmd.Env = work, d.env
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.cmd.Process.Signal(syscall.SIGTERM) })
	ready := make(chan struct{})
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := out.Read(buf)
			d.out.Write(buf[:n])
			if strings.Contains(d.out.String(), "Ctrl-C stops the network") {
				close(ready)
				d.done <- d.cmd.Wait()
				return
			}
			if err != nil {
				d.done <- d.cmd.Wait()
				return
			}
		}
	}()
	select {
	case <-ready:
	case err := <-d.done:
		t.Fatalf("tetrad dev ended: %v\n%s", err, d.out)
	case <-time.After(patience):
		t.Fatalf("tetrad dev was not ready in %s\n%s", patience, d.out)
	}
	return d
}

var killCommand = regexp.MustCompile(`^kill -9 \d+$`)

// withRealPID puts the process that `tetrad dev` printed for node3 into the README's kill command.
func (d *devNetwork) withRealPID(t *testing.T, command string) string {
	t.Helper()
	if !killCommand.MatchString(command) {
		return command
	}
	pid := regexp.MustCompile(`(?m)^node3\s+(\d+)\s`).FindStringSubmatch(d.out.String())
	if pid == nil {
		t.Fatalf("tetrad dev printed no PID of node3:\n%s", d.out)
	}
	return "kill -9 " + pid[1]
}

// stop presses Ctrl-C.
func (d *devNetwork) stop(t *testing.T) {
	t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-d.done:
		if err != nil {
			t.Errorf("tetrad dev ended with %v after Ctrl-C", err)
		}
	case <-time.After(patience):
		t.Error("tetrad dev did not end after Ctrl-C")
	}
}
