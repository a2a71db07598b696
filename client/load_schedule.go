package client

import (
	"fmt"
	"math"
	"time"
)

// Arrivals of an open loop.
const (
	// ArrivalsConstant sends at equal distances: what a metronome would do.
	ArrivalsConstant = "constant"
	// ArrivalsPoisson sends at random and independently, as many clients do that do not know of each other.
	ArrivalsPoisson = "poisson"
)

// schedule is when transactions should be sent, after the start. It is made before the run and never changes,
// whatever the network does: that is what makes the loop open.
type schedule struct {
	rate float64         // transactions per second
	at   []time.Duration // for Poisson arrivals; nil for constant ones
}

// newSchedule plans the arrivals of a duration: at a constant rate exactly rate*duration of them, and with
// Poisson arrivals as many as fall into it.
func newSchedule(arrivals string, rate float64, duration time.Duration, seed uint64) (schedule, int, error) {
	total := max(1, int(math.Round(rate*duration.Seconds())))
	s := schedule{rate: rate}
	switch arrivals {
	case "", ArrivalsConstant:
		return s, total, nil
	case ArrivalsPoisson:
	default:
		return s, 0, fmt.Errorf("arrivals are %s or %s, not %q", ArrivalsConstant, ArrivalsPoisson, arrivals)
	}
	random := splitmix(seed)
	s.at = make([]time.Duration, 0, total+total/16)
	for at := 0.0; ; {
		at += -math.Log(random.unit()) / rate
		if at >= duration.Seconds() && len(s.at) > 0 {
			return s, len(s.at), nil
		}
		s.at = append(s.at, time.Duration(at*float64(time.Second)))
	}
}

// due is when transaction i should be sent.
func (s schedule) due(i int) time.Duration {
	if s.at != nil {
		return s.at[i]
	}
	return time.Duration(float64(i) / s.rate * float64(time.Second))
}
