package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/tetradledger/tetrad/client"
)

// describeMachine says where the load comes from. What cannot be known stays empty.
func describeMachine() *client.Machine {
	m := &client.Machine{
		CPU: lineOf("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(), OS: runtime.GOOS + "/" + runtime.GOARCH,
		Go: runtime.Version(), Tetrad: buildVersion(),
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(text))
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load1, _, _ = strings.Cut(string(text), " ")
	}
	kib, _, _ := strings.Cut(lineOf("/proc/meminfo", "MemTotal"), " ")
	if n, err := strconv.ParseInt(kib, 10, 64); err == nil {
		m.MemoryBytes = n << 10
	}
	return m
}

// lineOf finds a line of "name : value" and returns the value.
func lineOf(path, name string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// diskBytes is what the files below some directories take on disk. Files that go away while they are looked at
// are gone.
func diskBytes(dirs []string) (int64, error) {
	var sum int64
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				var info fs.FileInfo
				if info, err = entry.Info(); err == nil {
					sum += allocated(info)
				}
			}
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		})
		if err != nil {
			return 0, err
		}
		if _, err := os.Stat(dir); err != nil {
			return 0, err
		}
	}
	return sum, nil
}

// diskUse is how much the directories grew.
func diskUse(dirs []string, before int64, transfers int) (*client.DiskUse, error) {
	after, err := diskBytes(dirs)
	if err != nil {
		return nil, err
	}
	use := &client.DiskUse{Bytes: after - before}
	if transfers > 0 {
		use.PerTransfer = float64(use.Bytes) / float64(len(dirs)) / float64(transfers)
	}
	return use, nil
}
