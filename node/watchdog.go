package node

import (
	"errors"
	"fmt"
	"sync"
)

// ErrConsensusDead says that this node's consensus has stopped for good while the process goes on: it would
// answer reads with older and older state and never vote again. A node that fails with it must be restarted.
var ErrConsensusDead = errors.New("consensus has stopped")

// failureMessage is what CometBFT logs when its consensus goroutine panics. It then closes its log and leaves
// the process running; nothing else tells.
const failureMessage = "CONSENSUS FAILURE!!!"

// watchdog notices a dead consensus in two ways that do not depend on each other: by the line CometBFT logs,
// which has the cause, and by the end of the goroutine.
type watchdog struct {
	failed chan error // holds the first failure; capacity 1

	mu      sync.Mutex
	resting bool // the node is being stopped, so consensus may end
}

func newWatchdog() *watchdog { return &watchdog{failed: make(chan error, 1)} }

// hear looks at CometBFT's error lines.
func (w *watchdog) hear(message string, keyvals []any) {
	if message != failureMessage && !syncFailures[message] {
		return
	}
	cause := any("no cause given")
	for i := 0; i+1 < len(keyvals); i += 2 {
		if keyvals[i] == "err" {
			cause = keyvals[i+1]
		}
	}
	if syncFailures[message] {
		w.bark(fmt.Errorf("%w: %v; %s", ErrSyncFailed, cause, syncAdvice))
		return
	}
	w.bark(fmt.Errorf("%w: %v", ErrConsensusDead, cause))
}

// watch waits for the end of the consensus goroutine. It returns only then, since CometBFT offers no other
// way to wait; the goroutine it runs in ends with the process.
func (w *watchdog) watch(consensus interface{ Wait() }) {
	consensus.Wait()
	w.bark(fmt.Errorf("%w: its goroutine ended", ErrConsensusDead))
}

// rest lets consensus end without an alarm.
func (w *watchdog) rest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.resting = true
}

// bark keeps the first failure: the ones that follow are its consequences.
func (w *watchdog) bark(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.resting {
		return
	}
	select {
	case w.failed <- err:
	default:
	}
}
