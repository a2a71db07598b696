//go:build unix

package main

import (
	"io/fs"
	"syscall"
)

// allocated is what a file takes on disk: databases make files larger than what they have written.
func allocated(info fs.FileInfo) int64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int64(stat.Blocks) * 512
	}
	return info.Size()
}
