package plane

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// EchoProtocol is how a member measures the way to another and back: a stream on which echoes times echoBytes random
// bytes go out and the same bytes come back. After them the other says what it measured itself, as row encodes it.
//
// Nobody can send back bytes that it has not received, so an answer cannot come sooner than light and the host that
// holds the service key allow. It can come later, if that host so wishes.
const EchoProtocol = "/tetrad/rtt/1"

const (
	// echoes are the exchanges on one stream. The first takes the choice of the protocol along and is not timed.
	echoes = 4
	// echoBytes cannot be guessed.
	echoBytes = 16
)

var errEcho = errors.New("it sent back other bytes than it got")

// serveEcho sends back what a member sends, and then the own row.
func (p *Plane) serveEcho(s network.Stream) {
	if !p.allow(s.Conn().RemotePeer(), time.Now()) || s.SetDeadline(time.Now().Add(echoTimeout)) != nil {
		_ = s.Reset()
		return
	}
	var nonce [echoBytes]byte
	for range echoes {
		if _, err := io.ReadFull(s, nonce[:]); err != nil {
			_ = s.Reset()
			return
		}
		if _, err := s.Write(nonce[:]); err != nil {
			_ = s.Reset()
			return
		}
	}
	if _, err := s.Write(encodeRow(p.meter.row(time.Now()))); err != nil {
		_ = s.Reset()
		return
	}
	_ = s.Close() // what the member has not got by now it asks for again
}

// measure measures the way to a member and back, and notes what that one has measured itself.
func (p *Plane) measure(ctx context.Context, m *admitted) error {
	ctx, cancel := context.WithTimeout(ctx, echoTimeout)
	defer cancel()
	s, err := p.host.NewStream(ctx, m.id, EchoProtocol)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	took, err := exchange(s)
	if err != nil {
		_ = s.Reset()
		return err
	}
	text, err := io.ReadAll(io.LimitReader(s, rowBytesMax+1))
	_ = s.Reset() // nothing that may follow is of interest
	if err != nil {
		return err
	}
	told, err := decodeRow(text)
	now := time.Now()
	p.meter.measured(m, took, now)
	if err != nil {
		return err
	}
	p.meter.told(m, told, now)
	return nil
}

// exchange is the least time that one of the echoes took: whatever kept the others waiting is not the way.
func exchange(s io.ReadWriter) (least time.Duration, err error) {
	var sent, got [echoBytes]byte
	for i := range echoes {
		if _, err := rand.Read(sent[:]); err != nil {
			return 0, err
		}
		begun := time.Now()
		if _, err := s.Write(sent[:]); err != nil {
			return 0, err
		}
		if _, err := io.ReadFull(s, got[:]); err != nil {
			return 0, err
		}
		took := max(time.Since(begun), time.Microsecond)
		if got != sent {
			return 0, errEcho
		}
		if i == 1 || i > 1 && took < least {
			least = took
		}
	}
	return least, nil
}

// measureAll measures the way to each member that is connected, every now and then, until the plane ends.
func (p *Plane) measureAll() {
	tick := time.NewTicker(p.options.MeasureEvery / measureTicks)
	defer tick.Stop()
	due := map[peer.ID]time.Time{}
	for {
		select {
		case <-p.running.Done():
			return
		case <-tick.C:
		}
		var asked sync.WaitGroup
		for _, m := range p.dueNow(due, time.Now()) {
			asked.Go(func() {
				if err := p.measure(p.running, m); err != nil {
					p.log.Debug("the way to a validator is not measured", "validator", m.validator, "err", fmt.Errorf("measure: %w", err))
				}
			})
		}
		asked.Wait()
	}
}

// dueNow lists a few of the members whose time has come, and says when it comes again: at another moment for each, so
// that nodes do not ask in step.
func (p *Plane) dueNow(due map[peer.ID]time.Time, now time.Time) (list []*admitted) {
	all := p.gate.members.Load()
	if all == nil {
		return nil
	}
	for id := range due {
		if (*all)[id] == nil {
			delete(due, id)
		}
	}
	for id, m := range *all {
		if len(list) == measuresMax {
			break
		}
		if due[id].After(now) || p.host.Network().Connectedness(id) != network.Connected {
			continue
		}
		list = append(list, m)
		due[id] = now.Add(time.Duration((0.5 + mathrand.Float64()) * float64(p.options.MeasureEvery)))
	}
	return list
}
