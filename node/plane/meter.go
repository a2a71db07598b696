package plane

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/tetradledger/tetrad/crypto"
)

// Trip is how long the way to a validator's node and back takes.
type Trip struct {
	To    crypto.ValidatorID
	RTT   time.Duration // smoothed
	Least time.Duration // of the last sixteen measurements
	Age   time.Duration // since the last measurement
	Stale bool          // the last measurement is so old that there should have been several since
}

// Row is what one validator's node measured.
type Row struct {
	From  crypto.ValidatorID
	Age   time.Duration // since it was heard; what it says has aged by that
	Trips []Trip
}

// meter keeps what was measured and told. It is safe for concurrent use.
type meter struct {
	staleAfter time.Duration

	mu     sync.Mutex // guards everything below
	tracks map[crypto.ValidatorID]*track
	rows   map[crypto.ValidatorID]heardRow
}

// track is what was measured of one member.
type track struct {
	smoothed time.Duration
	last     [16]time.Duration // a ring; zero: none yet
	next     int
	at       time.Time
}

// heardRow is what a member told of its own measurements.
type heardRow struct {
	trips []Trip
	at    time.Time
}

func newMeter(staleAfter time.Duration) *meter {
	return &meter{staleAfter: staleAfter, tracks: map[crypto.ValidatorID]*track{}, rows: map[crypto.ValidatorID]heardRow{}}
}

// measured takes a measurement in. An eighth of it counts, as in TCP (RFC 6298).
func (m *meter) measured(who *admitted, took time.Duration, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tracks[who.validator]
	if t == nil {
		t = &track{smoothed: took}
		m.tracks[who.validator] = t
	}
	t.smoothed += (took - t.smoothed) / 8
	t.last[t.next], t.next, t.at = took, (t.next+1)%len(t.last), now
}

// told takes in what a member says it has measured. Of what it says of others only the figures are taken over.
func (m *meter) told(who *admitted, trips []Trip, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows[who.validator] = heardRow{trips: trips, at: now}
}

// keep forgets everybody who is not among the members.
func (m *meter) keep(members map[crypto.ValidatorID]peer.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id := range m.tracks {
		if members[id] == "" {
			delete(m.tracks, id)
		}
	}
	for id := range m.rows {
		if members[id] == "" {
			delete(m.rows, id)
		}
	}
}

// row is what was measured here.
func (m *meter) row(now time.Time) []Trip {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]Trip, 0, len(m.tracks))
	for id, t := range m.tracks {
		trip := Trip{To: id, RTT: t.smoothed, Least: t.last[0], Age: now.Sub(t.at)}
		for _, took := range t.last {
			if took > 0 {
				trip.Least = min(trip.Least, took)
			}
		}
		trip.Stale = trip.Age > m.staleAfter
		out = append(out, trip)
	}
	slices.SortFunc(out, func(a, b Trip) int { return slices.Compare(a.To[:], b.To[:]) })
	return out
}

// gathered is what the members told, of whomever they told it.
func (m *meter) gathered(now time.Time) []Row {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]Row, 0, len(m.rows))
	for id, heard := range m.rows {
		row := Row{From: id, Age: now.Sub(heard.at)}
		for _, trip := range heard.trips {
			trip.Age += row.Age
			trip.Stale = trip.Age > m.staleAfter
			row.Trips = append(row.Trips, trip)
		}
		out = append(out, row)
	}
	slices.SortFunc(out, func(a, b Row) int { return slices.Compare(a.From[:], b.From[:]) })
	return out
}

const (
	// tripBytes are a validator's id, and the smoothed and the least time in microseconds and the age in milliseconds,
	// each in four bytes, most significant first.
	tripBytes = crypto.AddressSize + 3*4
	// rowBytesMax is a row that names every other validator there can be.
	rowBytesMax = membersMax * tripBytes
)

// encodeRow writes a row as it travels.
func encodeRow(trips []Trip) []byte {
	trips = trips[:min(len(trips), membersMax)]
	out := make([]byte, 0, len(trips)*tripBytes)
	for _, t := range trips {
		out = append(out, t.To[:]...)
		for _, n := range []int64{t.RTT.Microseconds(), t.Least.Microseconds(), t.Age.Milliseconds()} {
			out = binary.BigEndian.AppendUint32(out, uint32(min(max(n, 0), math.MaxUint32)))
		}
	}
	return out
}

// decodeRow reads what a member sent. One validator stands in it once, and in order, so that nothing is repeated.
func decodeRow(text []byte) ([]Trip, error) {
	if len(text) > rowBytesMax || len(text)%tripBytes != 0 {
		return nil, fmt.Errorf("a row of %d bytes", len(text))
	}
	var out []Trip
	for part := range slices.Chunk(text, tripBytes) {
		t := Trip{To: crypto.ValidatorID(part[:crypto.AddressSize])}
		if n := len(out); n > 0 && slices.Compare(out[n-1].To[:], t.To[:]) >= 0 {
			return nil, errors.New("a row out of order")
		}
		numbers := part[crypto.AddressSize:]
		t.RTT = time.Duration(binary.BigEndian.Uint32(numbers)) * time.Microsecond
		t.Least = time.Duration(binary.BigEndian.Uint32(numbers[4:])) * time.Microsecond
		t.Age = time.Duration(binary.BigEndian.Uint32(numbers[8:])) * time.Millisecond
		if t.Least == 0 || t.RTT == 0 {
			return nil, errors.New("a row with a way that takes no time")
		}
		out = append(out, t)
	}
	return out, nil
}
