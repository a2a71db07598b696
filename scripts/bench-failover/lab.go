package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

// lab is where one network lives: its wires, its directory and its processes, all of which end with it.
type lab struct {
	wires
	plan plan
	dir  string

	mu    sync.Mutex // guards nodes
	nodes []*process
}

// process is a node. There may be several of one number after each other.
type process struct {
	node   int
	args   []string
	cmd    *exec.Cmd
	exited chan struct{}
	frozen bool
}

// newLab makes room for n nodes. why says why partitions are not possible, if they are not.
func newLab(p plan, name string, n int) (l *lab, why string, err error) {
	dir, err := os.MkdirTemp("", "failover-"+name+"-")
	if err != nil {
		return nil, "", err
	}
	w, why := newWires(n)
	return &lab{wires: w, plan: p, dir: dir, nodes: make([]*process, n)}, why, nil
}

// starts carries work to one thread that never ends: the kernel kills a child when the thread that made it ends.
var starts = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

// spawn starts node i. What it says goes to a file. The kernel ends it if we die.
func (l *lab) spawn(i int, args ...string) error {
	log, err := os.OpenFile(filepath.Join(l.dir, fmt.Sprintf("node%d.log", i)), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	line := append(l.command(i), args...)
	p := &process{node: i, args: args, cmd: exec.Command(line[0], line[1:]...), exited: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	starts() <- func() { started <- p.cmd.Start() }
	if err := <-started; err != nil {
		return fmt.Errorf("start node %d: %w", i, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ends is of no interest
		close(p.exited)
	}()
	l.mu.Lock()
	l.nodes[i] = p
	l.mu.Unlock()
	return nil
}

func (l *lab) node(i int) *process {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.nodes[i]
}

// again starts a node that has ended with the arguments it had.
func (l *lab) again(i int) error { return l.spawn(i, l.node(i).args...) }

// kill ends a node at once, and returns when it is certainly gone.
func (l *lab) kill(i int) error {
	p := l.node(i)
	if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.exited
	return nil
}

// terminate asks a node to end, and kills it if it does not.
func (l *lab) terminate(i int) error {
	p := l.node(i)
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
		return nil
	case <-time.After(5 * time.Second):
		return l.kill(i)
	}
}

func (l *lab) freeze(i int) error { return l.node(i).cmd.Process.Signal(syscall.SIGSTOP) }

// thaw lets a frozen node go on; one that was killed meanwhile stays dead.
func (l *lab) thaw(i int) error {
	err := l.node(i).cmd.Process.Signal(syscall.SIGCONT)
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// dead tells whether a node's process has ended.
func (l *lab) dead(i int) bool {
	select {
	case <-l.node(i).exited:
		return true
	default:
		return false
	}
}

// close ends all nodes and removes what they wrote. With failed the ends of their logs are returned.
func (l *lab) close(failed bool) (words string) {
	for _, p := range slices.Backward(l.nodes) {
		if p != nil {
			_ = p.cmd.Process.Signal(syscall.SIGKILL)
			<-p.exited
		}
	}
	if failed {
		words = l.words()
		if l.plan.keepLogs != "" {
			_ = os.CopyFS(filepath.Join(l.plan.keepLogs, filepath.Base(l.dir)), os.DirFS(l.dir))
		}
	}
	l.wires.close()
	_ = os.RemoveAll(l.dir)
	return words
}

// words are the ends of the nodes' logs, for the message about what went wrong.
func (l *lab) words() (all string) {
	for i := range l.nodes {
		file, err := os.Open(filepath.Join(l.dir, fmt.Sprintf("node%d.log", i)))
		if err != nil {
			continue
		}
		if info, err := file.Stat(); err == nil && info.Size() > 1000 {
			_, _ = file.Seek(-1000, io.SeekEnd)
		}
		text, _ := io.ReadAll(file)
		file.Close()
		all += fmt.Sprintf("\nnode %d: …%s", i, text)
	}
	return all
}

// usage is the processor time in seconds that the nodes that run have used so far.
func (l *lab) usage() (seconds float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.nodes {
		seconds += processSeconds(p.cmd.Process.Pid)
	}
	return seconds
}

// sleep waits, unless the context ends.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
