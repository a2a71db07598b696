package main

import "syscall"

// childAttributes puts a child into a process group of its own, so that Ctrl-C reaches us alone and we stop
// the children in order, and has the kernel end it should we die without a chance to.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
