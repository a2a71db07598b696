package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/gofrs/flock"
)

// homeLock keeps a second process away from a home: two validators with one key sign twice, which is how a
// validator loses its power.
type homeLock struct{ lock *flock.Flock }

// lockHome takes the home or says who has it. The lock is the operating system's, so it is gone with the
// process however that ends; the number in the file is for the reader of the error alone.
func lockHome(home string) (*homeLock, error) {
	path := filepath.Join(home, "data", "node.lock")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	lock := flock.New(path, flock.SetPermissions(0o600))
	taken, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if !taken {
		return nil, fmt.Errorf("home %s is in use by another tetrad process%s; a home serves one node", home, holder(path))
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		_ = lock.Unlock() // the error that matters is the write's
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	return &homeLock{lock}, nil
}

func (l *homeLock) release() error { return l.lock.Unlock() }

// holder reads the process number the present owner left. One that only reads the home leaves none, so the
// number may be that of a process that has ended.
func holder(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return ""
	}
	return fmt.Sprintf(" (process %d)", pid)
}
