//go:build unix && !linux

package main

import "syscall"

// childAttributes puts a child into a process group of its own, so that Ctrl-C reaches us alone and we stop
// the children in order. There is no parent-death signal here: the end of its standard input ends a child.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
