package store

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tetradledger/tetrad/crypto"
)

// A child process is this test binary with these set: it runs the chain of the crash tests in a directory,
// prints every height it has committed, and kills itself at a fail point if it is told which.
const (
	childDir   = "TETRAD_STORE_TEST_DIR"
	childPoint = "TETRAD_STORE_TEST_POINT"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := runChild(dir, os.Getenv(childPoint)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func runChild(dir, point string) error {
	o := testOptions(dir)
	countdown, err := strconv.Atoi(point)
	if err != nil {
		return err
	}
	o.FailPoint = func(string) error {
		if countdown--; countdown == 0 {
			_ = unix.Kill(os.Getpid(), unix.SIGKILL)
			select {} // the signal is on its way
		}
		return nil
	}
	noRoots := func(map[string][]byte) crypto.Hash { return crypto.Hash{} } // the parent looks at them
	m := newModelWith(noRoots, crashSeed, crashHeights, crashBig)
	s, err := Open(o)
	if err != nil {
		return err
	}
	fmt.Println("open")
	err = runChain(m, s, func(h uint64, committed bool) {
		if committed {
			fmt.Println(h)
		}
	})
	return errors.Join(err, s.Close())
}

// child starts a child process and returns it with the lines it prints.
func child(t *testing.T, dir string, point int) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, fmt.Sprintf("%s=%d", childPoint, point))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// acknowledged waits for a child to end and returns the last height it said it had committed.
func acknowledged(t *testing.T, cmd *exec.Cmd, lines *bufio.Scanner) (height uint64, finished bool) {
	t.Helper()
	for lines.Scan() {
		if h, err := strconv.ParseUint(strings.TrimSpace(lines.Text()), 10, 64); err == nil {
			height = h
		}
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != -1) {
		t.Fatalf("the child did not die of a signal: %v", err)
	}
	return height, err == nil
}

// TestKilledAtWrites lets a process kill itself just before or after a write, in one directory after the
// other and again and again in one, and looks at what it left.
func TestKilledAtWrites(t *testing.T) {
	notShort(t)
	m := crashModel()
	points, _ := takeNames(t, m)
	rng := rand.New(rand.NewPCG(testSeed(t), 0))
	counts := countOutcomes(t, "kill -9 just before or after a write")
	step := 160 // at random; with -store.full a fixed part of those that TestCrashImages tries all of
	if *fullFlag {
		step = 8
	}
	for point := 1 + rng.IntN(step); point <= points; point += 1 + rng.IntN(step) {
		t.Run(fmt.Sprintf("write-%d", point), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			cmd, lines := child(t, dir, point)
			height, finished := acknowledged(t, cmd, lines)
			if finished {
				t.Fatalf("the child ended by itself at height %d", height)
			}
			counts.try()
			checkKilled(t, m, dir, height, uint64(point))
			counts.end(true)
		})
	}
}

// TestKillStorm kills a process at random moments until its chain is complete.
func TestKillStorm(t *testing.T) {
	notShort(t)
	m := crashModel()
	rng := rand.New(rand.NewPCG(testSeed(t), 99))
	dir := t.TempDir()
	kills := 0
	counts := countOutcomes(t, "kill -9 at any moment")
	for finished, height := false, uint64(0); !finished; {
		cmd, lines := child(t, dir, 0)
		lines.Scan() // it is open
		// The time grows, so that a slow machine gets past the largest block as well.
		life := time.Duration(rng.IntN(60)*(5+kills)/5) * time.Millisecond
		time.AfterFunc(life, func() { _ = cmd.Process.Kill() })
		var acked uint64
		acked, finished = acknowledged(t, cmd, lines)
		if !finished {
			kills++
		}
		counts.try()
		// What was left is where the next process begins, acknowledged or not.
		height = checkLeft(t, m, dir, max(height, acked), uint64(kills))
		counts.end(true)
	}
}

// checkKilled looks at what a killed process left and completes its chain.
func checkKilled(t *testing.T, m *model, dir string, acked, seed uint64) {
	t.Helper()
	checkLeft(t, m, dir, acked, seed)
	s := openStore(t, testOptions(dir))
	if err := runChain(m, s, func(uint64, bool) {}); err != nil {
		t.Fatal(err)
	}
	m.check(t, s, m.height(), rand.New(rand.NewPCG(seed, 3)))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// checkLeft compares what a killed process left with the model: what it acknowledged is there, and at most
// the one block it was committing besides. It returns the height that is there.
func checkLeft(t *testing.T, m *model, dir string, acked, seed uint64) uint64 {
	t.Helper()
	s := openStore(t, testOptions(dir))
	head, ok := s.Head()
	if head.Height < acked || head.Height > acked+1 {
		t.Fatalf("head is %d after height %d was acknowledged", head.Height, acked)
	}
	if ok {
		m.check(t, s, head.Height, rand.New(rand.NewPCG(seed, 2)))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return head.Height
}
