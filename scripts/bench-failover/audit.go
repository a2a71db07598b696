package main

import "time"

// kind is what a request is.
type kind int

const (
	write  kind = iota
	local       // a read of the cheapest level with which a client sees its own writes, where there is one
	strong      // a read that promises the newest state there is
)

var kindNames = [...]string{"write", "local read", "strong read"}

// outcome is what became of one request of the load. Times count from the beginning of the load.
type outcome struct {
	number int
	kind   kind
	due    time.Duration
	done   time.Duration
	err    error // nil: a write was acknowledged, a read was answered
	stale  bool  // a read did not see a write that was acknowledged before the read was due
}

// verdict is what the audit found.
type verdict struct {
	Acked   int `json:"acked"`   // writes
	Lost    int `json:"lost"`    // acknowledged, and not there
	Doubled int `json:"doubled"` // there more than once, acknowledged or not
	Unsaid  int `json:"unsaid"`  // there, and never acknowledged: no fault, the client does not know
	// Dead says that the state could not be read for long after everything: the system did not recover.
	Dead bool `json:"dead,omitempty"`
}

// judge compares what was acknowledged with the state after recovery. Write n pays one unit to a payee that is its
// alone, so amounts[n] is how often it took effect.
func judge(outcomes []outcome, amounts map[int]uint64) verdict {
	var v verdict
	for _, o := range outcomes {
		if o.kind != write {
			continue
		}
		times := amounts[o.number]
		switch {
		case o.err == nil:
			v.Acked++
			if times == 0 {
				v.Lost++
			}
		case times > 0:
			v.Unsaid++
		}
		if times > 1 {
			v.Doubled++
		}
	}
	return v
}
