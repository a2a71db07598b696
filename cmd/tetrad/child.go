package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// stopGrace is how long a validator may take to stop before it is killed; a node stops in less than 5 s or
// something is wrong with it.
const stopGrace = 5 * time.Second

// child is one validator of a dev network: a process of this same binary. Its output goes to a log file,
// and it ends when we do: by a signal of the kernel where there is one, and by the end of its standard
// input everywhere.
type child struct {
	moniker string
	home    string
	process *exec.Cmd
	leash   io.Closer // our end of the child's standard input

	exited chan struct{} // closed when the process is gone
	err    error         // how it ended; read after exited is closed
}

// startChild runs `tetrad start --home HOME`. The caller must stay on one OS thread for as long as its
// children live, because Linux ties the parent-death signal to the thread that forked.
func startChild(moniker, home string, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this binary to run %s: %w", moniker, err)
	}
	log, err := os.OpenFile(logPath(home), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", moniker, err)
	}
	defer log.Close() // the child has its own descriptor

	process := exec.Command(self, append([]string{"start", "--home", home, "--stop-with-stdin"}, args...)...)
	process.Args[0] = os.Args[0]
	process.Stdout, process.Stderr = log, log
	process.SysProcAttr = childAttributes()
	leash, err := process.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe to %s: %w", moniker, err)
	}
	if err := process.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", moniker, err)
	}
	ch := &child{moniker: moniker, home: home, process: process, leash: leash, exited: make(chan struct{})}
	go ch.reap()
	return ch, nil
}

func (ch *child) reap() {
	ch.err = ch.process.Wait()
	close(ch.exited)
}

func (ch *child) running() bool {
	select {
	case <-ch.exited:
		return false
	default:
		return true
	}
}

// stopChildren asks all of them to end, waits once for all, and kills what is left.
func stopChildren(children []*child) (killed []string) {
	for _, ch := range children {
		if ch.running() {
			_ = ch.process.Process.Signal(syscall.SIGTERM) // already gone is fine
		}
	}
	deadline := time.After(stopGrace)
	for _, ch := range children {
		select {
		case <-ch.exited:
			continue
		case <-deadline:
			deadline = closedTimer()
		}
		if ch.running() {
			_ = ch.process.Process.Kill()
			<-ch.exited
			killed = append(killed, ch.moniker)
		}
	}
	for _, ch := range children {
		_ = ch.leash.Close()
	}
	return killed
}

// closedTimer is a deadline that has passed, for every further child.
func closedTimer() <-chan time.Time {
	passed := make(chan time.Time)
	close(passed)
	return passed
}

// failed tells whether a child ended by itself and not well: its log then says why.
func (ch *child) failed() bool {
	var exit *exec.ExitError
	return errors.As(ch.err, &exit) && exit.Exited()
}

// end says how a child ended, in words.
func (ch *child) end() string {
	var exit *exec.ExitError
	if !errors.As(ch.err, &exit) {
		if ch.err == nil {
			return "stopped"
		}
		return ch.err.Error()
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return "was ended by a signal (" + status.Signal().String() + ")"
	}
	return fmt.Sprintf("ended with exit code %d", exit.ExitCode())
}

func logPath(home string) string { return filepath.Join(home, "node.log") }

// lastWords returns the end of a log for the message about a validator that died: from its own last error
// on, or from the beginning of a panic, but not more than n lines.
func lastWords(path string, n int) []string {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	const tail = 64 << 10
	if info, err := file.Stat(); err == nil && info.Size() > tail {
		_, _ = file.Seek(-tail, io.SeekEnd) // from the start is as good, only slower
	}
	var lines []string
	for scan := bufio.NewScanner(file); scan.Scan(); {
		lines = append(lines, scan.Text())
	}
	from := max(0, len(lines)-n)
	for i, line := range lines {
		if strings.HasPrefix(line, "tetrad: ") || strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			from = i
		}
	}
	return lines[from:min(from+n, len(lines))]
}
