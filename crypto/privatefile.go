package crypto

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ErrKeyExists means that a key file is there already. It is never overwritten.
var ErrKeyExists = errors.New("key exists already")

// ErrKeyNotFound means that there is no such key.
var ErrKeyNotFound = errors.New("no such key")

const (
	privateFileMode = 0o600
	privateDirMode  = 0o700
	othersMask      = 0o077
)

// write puts the file at path, atomically and never over another one. A crash leaves either no file
// at path or the whole one, and at worst a stray temporary file that nothing reads.
func (f keyFile) write(path string) error {
	raw, err := f.encode()
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, ".key-*") // created with mode 0600
	if err != nil {
		return fmt.Errorf("create key file: %w", err)
	}
	defer os.Remove(temp.Name())
	if err := writeAndSync(temp, raw); err != nil {
		return fmt.Errorf("write key file %s: %w", path, err)
	}
	// A link, and not a rename, because a rename would replace a file that came in meanwhile.
	if err := os.Link(temp.Name(), path); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %s", ErrKeyExists, path)
	} else if err != nil {
		return fmt.Errorf("write key file: %w", err)
	}
	return syncDir(dir)
}

func writeAndSync(file *os.File, raw []byte) error {
	err := file.Chmod(privateFileMode)
	if err == nil {
		_, err = file.Write(raw)
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// syncDir makes a new or removed name durable.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("sync directory %s: %w", path, err)
	}
	return nil
}

// loadKeyFile reads and decodes the key file at path.
func loadKeyFile(path string) (keyFile, error) {
	raw, err := readPrivate(path)
	if err != nil {
		return keyFile{}, err
	}
	file, err := decodeKeyFile(raw)
	if err != nil {
		return keyFile{}, fmt.Errorf("read key file %s: %w", path, err)
	}
	return file, nil
}

// readPrivate reads a file that only its owner may read. The mode is taken from the open file, so
// that it cannot be another file by the time it is read; opening does not wait, so that a pipe put in
// the file's place does not hang us.
func readPrivate(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrKeyNotFound, path)
	}
	if err != nil {
		return nil, fmt.Errorf("open key file: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("open key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("key file %s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&othersMask != 0 {
		return nil, fmt.Errorf("key file %s can be used by others (mode %04o): run chmod 600 %s", path, mode, path)
	}
	raw, err := io.ReadAll(io.LimitReader(file, keyFileBytesMax+1))
	if err != nil {
		return nil, fmt.Errorf("read key file %s: %w", path, err)
	}
	return raw, nil
}
