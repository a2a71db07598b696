package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// replaceFile writes a file so that a crash leaves the old content or the new one, never a part.
func replaceFile(path string, data []byte, mode fs.FileMode) error {
	temporary, err := writeBeside(path, data, mode)
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		_ = os.Remove(temporary)
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// createFile writes a new file, whole or not at all; it fails with fs.ErrExist where there is one. Of two
// processes that try at once, exactly one succeeds.
func createFile(path string, data []byte, mode fs.FileMode) error {
	temporary, err := writeBeside(path, data, mode)
	if err != nil {
		return err
	}
	defer os.Remove(temporary)
	if err := os.Link(temporary, path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s: %w", path, fs.ErrExist)
		}
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// writeBeside writes and syncs data under a temporary name in path's directory, which it makes if needed.
func writeBeside(path string, data []byte, mode fs.FileMode) (string, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	_, err = file.Write(data)
	err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close())
	if err != nil {
		_ = os.Remove(file.Name())
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	return file.Name(), nil
}

// readJSON reads a small state file of the client home; a missing file leaves into untouched.
func readJSON(path string, into any) (found bool, err error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read %s: %w", path, err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return false, fmt.Errorf("read %s: %w", path, err)
	}
	return true, nil
}

// inputBytesMax bounds what is read from a file that a person names, before any of it is looked at.
const inputBytesMax = 4 << 20

// readInput reads the file a person named; "-" is standard input.
func (c *cli) readInput(path string) ([]byte, error) { return c.readUpTo(path, inputBytesMax) }

func (c *cli) readUpTo(path string, maxBytes int64) ([]byte, error) {
	source := c.in
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, usagef("cannot read %s: %v", path, plainCause(err))
		}
		defer file.Close()
		source = file
	}
	data, err := readAtMost(source, maxBytes)
	if err != nil {
		return nil, usagef("cannot read %s: %v", path, plainCause(err))
	}
	return data, nil
}

// plainCause drops the operation and path that Go puts into file errors: the sentence around it has both.
func plainCause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// readAtMost reads all of r, and fails on more than limit bytes.
func readAtMost(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, fmt.Errorf("it has more than %s", bytesText(limit))
	}
	return data, err
}

// writeJSONFile replaces a small state file of the client home.
func writeJSONFile(path string, document any) error {
	data, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	return replaceFile(path, append(data, '\n'), 0o600)
}
