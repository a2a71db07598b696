package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lockDir makes this process the only one that has the directory open, until unlockDir or until the process
// ends in whatever way. Badger's own lock is left aside: its error cannot be told from others.
func lockDir(dir string) (*os.File, error) {
	f, err := lockFile(filepath.Join(dir, "store.lock"))
	if errors.Is(err, errLocked) {
		return nil, errors.New("it is in use by another process: stop that one first, or use another home")
	}
	return f, err
}

// errLocked says that somebody else holds a lock.
var errLocked = errors.New("it is locked")

// lockFile takes a lock.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, errLocked
	}
	return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
}

// unlockDir gives the directory up. It says so to the kernel, rather than only close the file: a process that
// was forked at this moment still has it open.
func unlockDir(f *os.File) error {
	return errors.Join(unix.Flock(int(f.Fd()), unix.LOCK_UN), f.Close())
}
