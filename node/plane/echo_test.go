package plane

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"reflect"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/tetradledger/tetrad/crypto"
)

// hasten lets a plane measure many times a second.
func hasten(o *Options) { o.MeasureEvery = 160 * time.Millisecond }

// TestMembersMeasureEachOther: each has a row, and is told that of the other.
func TestMembersMeasureEachOther(t *testing.T) {
	a, b := newPlane(t, "a", hasten), newPlane(t, "b", hasten)
	members := []Member{a.member("a"), b.member("b")}
	a.Admit(members)
	b.Admit(members)
	until(t, "both have measured, and been told", func() bool {
		return len(a.Trips()) == 1 && len(b.Trips()) == 1 && len(a.Gathered()) == 1 && len(a.Gathered()[0].Trips) == 1
	})
	trip, told := a.Trips()[0], a.Gathered()[0]
	if trip.To != b.id || trip.Least <= 0 || trip.RTT < trip.Least/2 || trip.Stale {
		t.Errorf("a measured %+v", trip)
	}
	if told.From != b.id || told.Trips[0].To != a.id || told.Trips[0].Least <= 0 || told.Trips[0].Age < told.Age {
		t.Errorf("a was told %+v", told)
	}
	// Who is no member any more is forgotten, with what it said.
	a.Admit(members[:1])
	if trips, rows := a.Trips(), a.Gathered(); len(trips) > 0 || len(rows) > 0 {
		t.Errorf("a remembers %v, %v", trips, rows)
	}
}

// TestEchoesAreChecked lets a member answer before it can know what it is asked.
func TestEchoesAreChecked(t *testing.T) {
	a, b := pair(t)
	m := (*a.gate.members.Load())[b.host.ID()]
	if err := a.measure(context.Background(), m); err != nil {
		t.Fatal(err)
	}
	before := a.Trips()
	b.host.SetStreamHandler(EchoProtocol, func(s network.Stream) {
		_, _ = s.Write(make([]byte, echoes*echoBytes))
		_ = s.Close()
	})
	if err := a.measure(context.Background(), m); !errors.Is(err, errEcho) {
		t.Errorf("an answer before the question: %v", err)
	}
	// One that sends a row without end, or none that makes sense, is measured, and its row is not taken in.
	rows := a.Gathered()
	for name, text := range map[string][]byte{"too long": make([]byte, rowBytesMax+1), "torn": make([]byte, tripBytes-1)} {
		b.host.SetStreamHandler(EchoProtocol, func(s network.Stream) {
			_, _ = io.CopyN(s, s, echoes*echoBytes)
			_, _ = s.Write(text)
			_ = s.Close()
		})
		if err := a.measure(context.Background(), m); err == nil {
			t.Errorf("a row that is %s is taken", name)
		}
	}
	if after := a.Gathered(); len(after) != len(rows) || !reflect.DeepEqual(after[0].Trips, rows[0].Trips) {
		t.Errorf("told %v, was %v", after, rows)
	}
	if after := a.Trips(); after[0].Age > before[0].Age+time.Minute {
		t.Errorf("measured %v, was %v", after, before)
	}
}

// TestMeasuringEndsInTime lets a member take the stream and say nothing.
func TestMeasuringEndsInTime(t *testing.T) {
	a, b := pair(t)
	b.host.SetStreamHandler(EchoProtocol, func(network.Stream) {})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := a.measure(ctx, (*a.gate.members.Load())[b.host.ID()]); err == nil || len(a.Trips()) > 0 {
		t.Errorf("%v, measured %v", err, a.Trips())
	}
}

// TestEchoesAreBounded: a member that asks too often is turned away.
func TestEchoesAreBounded(t *testing.T) {
	a, b := pair(t)
	until(t, "b turns a away", func() bool {
		b.mu.Lock()
		b.buckets[a.host.ID()] = &bucket{filled: time.Now()}
		b.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return a.measure(ctx, (*a.gate.members.Load())[b.host.ID()]) != nil
	})
}

// TestExchangeTakesTheLeast delays the first two of the echoes: the first is not timed, and of the others the least counts.
func TestExchangeTakesTheLeast(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	go func() {
		defer there.Close()
		for i := range echoes {
			var buf [echoBytes]byte
			if _, err := io.ReadFull(there, buf[:]); err != nil {
				return
			}
			if i < 2 {
				time.Sleep(time.Second)
			}
			if _, err := there.Write(buf[:]); err != nil {
				return
			}
		}
	}()
	took, err := exchange(here)
	if err != nil || took <= 0 || took >= time.Second {
		t.Errorf("took %v, %v", took, err)
	}
}

// TestMeter pins smoothing, the least of the last sixteen, and when a figure is stale.
func TestMeter(t *testing.T) {
	m, who, now := newMeter(time.Minute), &admitted{validator: idOf("b")}, time.Unix(1_700_000_000, 0)
	see := func(took time.Duration) Trip {
		m.measured(who, took, now)
		return m.row(now)[0]
	}
	if got := see(8 * time.Millisecond); got != (Trip{To: who.validator, RTT: 8 * time.Millisecond, Least: 8 * time.Millisecond}) {
		t.Errorf("first: %+v", got)
	}
	if got := see(16 * time.Millisecond); got.RTT != 9*time.Millisecond || got.Least != 8*time.Millisecond {
		t.Errorf("second: %+v", got)
	}
	for range 14 {
		see(16 * time.Millisecond)
	}
	if got := m.row(now)[0]; got.Least != 8*time.Millisecond {
		t.Errorf("the sixteenth forgot the first: %+v", got)
	}
	if got := see(16 * time.Millisecond); got.Least != 16*time.Millisecond {
		t.Errorf("the seventeenth remembers the first: %+v", got)
	}
	if got := m.row(now.Add(time.Minute))[0]; got.Stale || got.Age != time.Minute {
		t.Errorf("after a minute: %+v", got)
	}
	m.told(who, []Trip{{To: idOf("c"), RTT: 1, Least: 1, Age: 30 * time.Second}}, now)
	for after, stale := range map[time.Duration]bool{30 * time.Second: false, 31 * time.Second: true} {
		if got := m.gathered(now.Add(after))[0]; got.Trips[0].Stale != stale || got.Age != after {
			t.Errorf("told, %v later: %+v", after, got)
		}
	}
	if got := m.row(now.Add(time.Minute + 1))[0]; !got.Stale {
		t.Errorf("after more than a minute: %+v", got)
	}
}

// TestRowIsBounded: as many ways as there can be validators, and one more; and figures that do not fit.
func TestRowIsBounded(t *testing.T) {
	var trips []Trip
	for i := range membersMax + 1 {
		trips = append(trips, Trip{To: crypto.ValidatorID{byte(i >> 8), byte(i)}, RTT: 2 * time.Millisecond, Least: time.Millisecond, Age: time.Second})
	}
	text := encodeRow(trips[:membersMax])
	got, err := decodeRow(text)
	if err != nil || !reflect.DeepEqual(got, trips[:membersMax]) {
		t.Errorf("%d ways come back as %d, %v", membersMax, len(got), err)
	}
	if got := encodeRow(trips); !bytes.Equal(got, text) {
		t.Errorf("%d ways are sent as %d bytes", len(trips), len(got))
	}
	if _, err := decodeRow(append(text, text[:tripBytes]...)); err == nil {
		t.Error("a row of too many ways is taken")
	}
	if _, err := decodeRow(append(bytes.Clone(text[:tripBytes]), text[:tripBytes]...)); err == nil {
		t.Error("a row that names one twice is taken")
	}
	if _, err := decodeRow(encodeRow([]Trip{{RTT: time.Millisecond}})); err == nil {
		t.Error("a way that takes no time is taken")
	}
	long, err := decodeRow(encodeRow([]Trip{{RTT: math.MaxInt64, Least: time.Second, Age: -1}}))
	if err != nil || long[0].RTT != math.MaxUint32*time.Microsecond || long[0].Age != 0 {
		t.Errorf("figures that do not fit: %+v, %v", long, err)
	}
}

func FuzzDecodeRow(f *testing.F) {
	f.Add([]byte{})
	f.Add(encodeRow([]Trip{{To: idOf("a"), RTT: time.Millisecond, Least: time.Millisecond, Age: time.Second}}))
	f.Fuzz(func(t *testing.T, text []byte) {
		trips, err := decodeRow(text)
		if err == nil && !bytes.Equal(encodeRow(trips), text) {
			t.Fatalf("%x is read as %+v", text, trips)
		}
	})
}
