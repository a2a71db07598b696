package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// powerDisk is a disk whose power can be cut: what was not synced is lost.
//
// It is two ext4 file systems, one inside the other, each on a loop device. The inner one is where validators
// keep their homes. Its image is a file of the outer one, which plays a disk with a volatile write cache: the
// inner one's writes stay in memory until the inner one asks for a flush. A cut shuts the outer one down as
// the kernel offers it for such tests (EXT4_IOC_SHUTDOWN, without flushing the log): from then on nothing
// reaches it any more. That loses what programs wrote without syncing, pages of memory maps included, what the
// inner file system sent to its disk without a flush, and directory entries that no journal holds yet.
type powerDisk struct {
	t            *testing.T
	image        string // the outer file system's, a file of the machine
	outer, inner string // where they are mounted
	rng          *rand.Rand
	cuts         int
	lost         int // cuts that took the witness
	witness      []byte
}

const (
	outerMB, innerMB = 1400, 1200
	// shutdownNoFlush is EXT4_IOC_SHUTDOWN's way of a power cut; the request is _IOR('X', 125, __u32).
	shutdownNoFlush = 2
	shutdownRequest = 0x8004587d
)

// newPowerDisk makes and mounts one, or skips the test where that is not permitted.
func newPowerDisk(t *testing.T, seed uint64) *powerDisk {
	t.Helper()
	d := &powerDisk{t: t, rng: rand.New(rand.NewPCG(seed, 1))}
	dir := t.TempDir()
	d.image, d.outer, d.inner = filepath.Join(dir, "image"), filepath.Join(dir, "outer"), filepath.Join(dir, "inner")
	for _, step := range [][]string{
		{"mkdir", d.outer, d.inner},
		{"truncate", "-s", fmt.Sprintf("%dM", outerMB), d.image},
		{"mkfs.ext4", "-q", "-F", d.image},
		{"mount", "-o", "loop", d.image, d.outer},
	} {
		if err := system(step...); err != nil {
			_ = system("umount", "-l", d.outer)
			t.Skipf("SKIPPED, lost writes are not tested on this machine: it takes root, loop devices, ext4 and mkfs.ext4: %v", err)
		}
	}
	t.Cleanup(func() {
		_ = system("umount", "-l", d.inner)
		_ = system("umount", "-l", d.outer)
	})
	inner := filepath.Join(d.outer, "inner")
	d.must("fallocate", "-l", fmt.Sprintf("%dM", innerMB), inner)
	d.must("mkfs.ext4", "-q", "-F", inner)
	d.must("sync", "-f", inner)
	d.must("mount", "-o", "loop", inner, d.inner)
	return d
}

// system runs a command of the system.
func system(command ...string) error {
	cmd := exec.Command("env", append([]string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin"}, command...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

func (d *powerDisk) must(command ...string) {
	d.t.Helper()
	if err := system(command...); err != nil {
		d.t.Fatal(err)
	}
}

// cut takes the power away. Programs that still run get errors for everything they write and sync.
func (d *powerDisk) cut() {
	d.t.Helper()
	d.writeBackSome()
	d.witness = fmt.Appendf(nil, "%d %d", d.cuts, d.rng.Uint64())
	if err := os.WriteFile(filepath.Join(d.inner, "witness"), d.witness, 0o600); err != nil {
		d.t.Fatal(err)
	}
	f, err := os.Open(d.outer)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), shutdownRequest, shutdownNoFlush); err != nil {
		d.t.Fatalf("shut the file system down: %v", err)
	}
	d.cuts++
}

// writeBackSome starts to write some files back and not others, as a kernel does when it needs memory, so that
// of what is not synced some is lost and some is not, in no order.
func (d *powerDisk) writeBackSome() {
	write := func(path string) {
		f, err := os.Open(path)
		if err != nil {
			return // it has just been removed
		}
		defer f.Close()
		_ = unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
	}
	_ = filepath.WalkDir(d.inner, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && d.rng.IntN(4) == 0 {
			write(path)
		}
		return nil
	})
	if d.rng.IntN(2) == 0 {
		write(filepath.Join(d.outer, "inner"))
	}
}

// unmount takes a file system out. The system lets go of it only after a while: what belongs to a process that was
// killed, and to a loop device whose file is on it, is tidied up beside us, and other programs look at new disks.
func (d *powerDisk) unmount(path string) {
	d.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := system("umount", path)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// back gives the power back: the file systems recover from their journals. No program may use the disk.
func (d *powerDisk) back() {
	d.t.Helper()
	d.unmount(d.inner)
	d.unmount(d.outer)
	d.must("mount", "-o", "loop", d.image, d.outer)
	d.must("mount", "-o", "loop", filepath.Join(d.outer, "inner"), d.inner)
	if data, err := os.ReadFile(filepath.Join(d.inner, "witness")); err != nil || !bytes.Equal(data, d.witness) {
		d.lost++
	}
}

// hold moves a validator's home to the disk.
func (d *powerDisk) hold(p *process) {
	d.t.Helper()
	home := filepath.Join(d.inner, filepath.Base(p.home))
	d.must("cp", "-a", p.home, home)
	d.must("sync", "-f", d.inner)
	for i, arg := range p.command {
		if arg == p.home {
			p.command[i] = home
		}
	}
	p.home = home
}

// report says how many cuts there were. A cut that loses nothing would show nothing.
func (d *powerDisk) report() {
	d.t.Helper()
	d.t.Logf("power was cut %d times; a file written without sync just before was lost %d times", d.cuts, d.lost)
	if d.lost == 0 {
		d.t.Error("no cut has lost anything")
	}
}
