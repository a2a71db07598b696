package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// replicas is how many validators every chain has.
const replicas = 4

// cluster is child processes that end with us.
type cluster struct {
	dir      string
	children []*exec.Cmd
}

func newCluster(name string) (*cluster, error) {
	dir, err := os.MkdirTemp("", "bench-"+name+"-")
	return &cluster{dir: dir}, err
}

// start runs a program whose output goes to a file. The kernel ends it if we die.
func (c *cluster) start(env []string, program string, args ...string) error {
	log, err := os.Create(filepath.Join(c.dir, fmt.Sprintf("child%d.log", len(c.children))))
	if err != nil {
		return err
	}
	defer log.Close()
	child := exec.Command(program, args...)
	child.Env = append(os.Environ(), env...)
	child.Stdout, child.Stderr = log, log
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := child.Start(); err != nil {
		return err
	}
	c.children = append(c.children, child)
	return nil
}

// stop ends the children and removes what they wrote.
func (c *cluster) stop() {
	for _, child := range c.children {
		_ = child.Process.Signal(syscall.SIGTERM)
	}
	patience := time.AfterFunc(5*time.Second, func() {
		for _, child := range c.children {
			_ = child.Process.Kill()
		}
	})
	for _, child := range c.children {
		_ = child.Wait()
	}
	patience.Stop()
	_ = os.RemoveAll(c.dir)
}

// words are the ends of the children's logs, for the message about what went wrong.
func (c *cluster) words() string {
	var all []string
	for i := range c.children {
		file, err := os.Open(filepath.Join(c.dir, fmt.Sprintf("child%d.log", i)))
		if err != nil {
			continue
		}
		if info, err := file.Stat(); err == nil && info.Size() > 2000 {
			_, _ = file.Seek(-2000, io.SeekEnd)
		}
		var last string
		for scan := bufio.NewScanner(file); scan.Scan(); {
			last = scan.Text()
		}
		file.Close()
		all = append(all, fmt.Sprintf("child %d: %s", i, last))
	}
	return strings.Join(all, "\n")
}

// usage is the processor time of all children so far, and the memory of the largest.
func (c *cluster) usage() (seconds float64, rss int64) {
	for _, child := range c.children {
		s, r := processUsage(child.Process.Pid)
		seconds += s
		rss = max(rss, r)
	}
	return seconds, rss
}

// processUsage reads /proc. A tick is a hundredth of a second on every Linux that matters.
func processUsage(pid int) (seconds float64, rss int64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 22 {
		return 0, 0
	}
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	pages, _ := strconv.ParseInt(fields[21], 10, 64)
	return (user + system) / 100, pages * int64(os.Getpagesize())
}
