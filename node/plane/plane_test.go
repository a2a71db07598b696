package plane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	p2pcrypto "github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// patience is for what happens at once unless the machine is busy.
const patience = 30 * time.Second

// until waits for a condition that nothing but the code under test can make true.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for begun := time.Now(); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begun) > patience {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// someone is a plane of a test, with what the others know of it.
type someone struct {
	*Plane
	id     crypto.ValidatorID
	asked  atomic.Int64
	refuse atomic.Bool
	hang   chan struct{} // while not nil and open, nobody is answered
}

func keyOf(name string) crypto.PrivateKey { return crypto.DevKey("service-" + name) }

func idOf(name string) crypto.ValidatorID {
	return crypto.ValidatorIDOf(crypto.KeyEd25519, crypto.DevKey("validator-"+name).Public().Bytes)
}

func newPlane(t *testing.T, name string, change ...func(*Options)) *someone {
	t.Helper()
	s := &someone{id: idOf(name)}
	o := Options{Key: keyOf(name), Listen: "127.0.0.1:0", Attest: func(nonce [ledger.AttestNonceLen]byte) (ledger.SignedAttestation, error) {
		s.asked.Add(1)
		if s.hang != nil {
			<-s.hang
		}
		if s.refuse.Load() {
			return ledger.SignedAttestation{}, errors.New("not now")
		}
		return ledger.SignedAttestation{Attestation: ledger.Attestation{
			Validator: s.id, Nonce: nonce, Committed: 7, HeaderHash: crypto.Sum([]byte("7")), Pending: 8,
		}}, nil
	}}
	for _, c := range change {
		c(&o)
	}
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Plane = p
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *someone) member(name string) Member {
	return Member{Validator: s.id, Service: keyOf(name).Public(), Address: s.Addresses()[0]}
}

// pair is two planes that know each other.
func pair(t *testing.T) (a, b *someone) {
	t.Helper()
	a, b = newPlane(t, "a"), newPlane(t, "b")
	members := []Member{a.member("a"), b.member("b")}
	a.Admit(members)
	b.Admit(members)
	until(t, "both are connected", func() bool { return a.Peers() == 1 && b.Peers() == 1 })
	return a, b
}

func ask(t *testing.T, from, to *someone) (ledger.SignedAttestation, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return from.Ask(ctx, to.id, [ledger.AttestNonceLen]byte{1, 2, 3})
}

func TestMembersAskEachOther(t *testing.T) {
	a, b := pair(t)
	for _, way := range [][2]*someone{{a, b}, {b, a}} {
		answer, err := ask(t, way[0], way[1])
		if err != nil {
			t.Fatal(err)
		}
		if answer.Validator != way[1].id || answer.Nonce != [ledger.AttestNonceLen]byte{1, 2, 3} || answer.Committed != 7 || answer.Pending != 8 {
			t.Errorf("%+v", answer)
		}
	}
	b.refuse.Store(true)
	if _, err := ask(t, a, b); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("a member that attests nothing: %v", err)
	}
	if _, err := a.Ask(context.Background(), idOf("nobody"), [ledger.AttestNonceLen]byte{}); err == nil {
		t.Error("asks somebody who is not there")
	}
}

func TestUnansweredRequestsEndInTime(t *testing.T) {
	a, b := pair(t)
	b.hang = make(chan struct{})
	defer close(b.hang)
	before := a.host.Network().ConnsToPeer(b.host.ID())[0]
	for range deafAfter {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		if _, err := a.Ask(ctx, b.id, [ledger.AttestNonceLen]byte{}); err == nil {
			t.Error("an answer from somebody who gives none")
		}
		cancel()
	}
	until(t, "the connection is made anew", func() bool {
		conns := a.host.Network().ConnsToPeer(b.host.ID())
		return len(conns) > 0 && conns[0] != before
	})
}

// TestRequestsThatAreCalledOff ends requests as a read does that has heard enough others: the slowest member keeps its
// connection.
func TestRequestsThatAreCalledOff(t *testing.T) {
	a, b := pair(t)
	b.hang = make(chan struct{})
	before := a.host.Network().ConnsToPeer(b.host.ID())[0]
	for i := range deafAfter + 1 {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() {
			_, err := a.Ask(ctx, b.id, [ledger.AttestNonceLen]byte{})
			done <- err
		}()
		until(t, "the request is there", func() bool { return b.asked.Load() == int64(i+1) })
		cancel()
		if err := <-done; err == nil {
			t.Error("an answer from somebody who gives none")
		}
	}
	close(b.hang)
	if before.IsClosed() {
		t.Error("the connection was closed")
	}
	if _, err := ask(t, a, b); err != nil {
		t.Error(err)
	}
}

// stranger is a host as anybody can make one.
func stranger(t *testing.T, key crypto.PrivateKey) host.Host {
	t.Helper()
	seed := key.Seed()
	identity, err := p2pcrypto.UnmarshalEd25519PrivateKey(append(seed[:], key.Public().Bytes...))
	if err != nil {
		t.Fatal(err)
	}
	h, err := libp2p.New(libp2p.Identity(identity), libp2p.NoListenAddrs, libp2p.DisableMetrics())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// request opens a stream to a plane and sends these bytes. It returns what comes back.
func request(t *testing.T, from host.Host, to *someone, data []byte, end bool) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	address, err := multiaddr.NewMultiaddr(to.Addresses()[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := from.Connect(ctx, peer.AddrInfo{ID: to.host.ID(), Addrs: []multiaddr.Multiaddr{address}}); err != nil {
		return nil, err
	}
	s, err := from.NewStream(ctx, to.host.ID(), Protocol)
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Reset() }()
	if err := s.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if _, err := s.Write(data); err != nil {
		return nil, err
	}
	if end {
		if err := s.CloseWrite(); err != nil {
			return nil, err
		}
	}
	return io.ReadAll(s)
}

func TestStrangersAreRefused(t *testing.T) {
	a, b := pair(t)
	s := stranger(t, keyOf("stranger"))
	if answer, err := request(t, s, a, make([]byte, ledger.AttestNonceLen), true); err == nil {
		t.Errorf("a stranger gets %x", answer)
	}
	until(t, "the stranger is refused", func() bool { return a.Refused() > 0 })
	if a.asked.Load() != 0 || a.Peers() != 1 {
		t.Errorf("%d requests and %d peers", a.asked.Load(), a.Peers())
	}
	// Admitted, the very same host is served; this is what the refusal rested on.
	a.Admit([]Member{b.member("b"), {Validator: idOf("stranger"), Service: keyOf("stranger").Public()}})
	if answer, err := request(t, s, a, make([]byte, ledger.AttestNonceLen), true); err != nil || len(answer) != ledger.SignedAttestationSize {
		t.Errorf("a member gets %x, %v", answer, err)
	}
}

func TestRemovedMembersAreDisconnected(t *testing.T) {
	a, b := pair(t)
	a.Admit([]Member{a.member("a")})
	until(t, "both have noticed", func() bool { return a.Peers() == 0 && b.Peers() == 0 })
	if _, err := ask(t, a, b); err == nil {
		t.Error("a asks somebody who is no member")
	}
	if answer, err := ask(t, b, a); err == nil {
		t.Errorf("a answers somebody who is no member: %+v", answer)
	}
	if a.asked.Load() != 0 {
		t.Errorf("a was asked %d times", a.asked.Load())
	}
	a.Admit([]Member{a.member("a"), b.member("b")})
	until(t, "both are connected again", func() bool { return a.Peers() == 1 && b.Peers() == 1 })
	if _, err := ask(t, b, a); err != nil {
		t.Error(err)
	}
}

// TestRotatedKeys replaces a member's host by one with another key at another place.
func TestRotatedKeys(t *testing.T) {
	a, b := pair(t)
	next := newPlane(t, "b2")
	next.id = b.id
	next.Admit([]Member{a.member("a")})
	a.Admit([]Member{a.member("a"), next.member("b2")})
	until(t, "the old host is gone", func() bool { return b.Peers() == 0 })
	if _, err := ask(t, a, next); err != nil {
		t.Error(err)
	}
	if b.asked.Load() != 0 || next.asked.Load() != 1 {
		t.Errorf("asked %d times under the old key and %d times under the new", b.asked.Load(), next.asked.Load())
	}
}

func TestFramesAreBounded(t *testing.T) {
	a := newPlane(t, "a")
	m := stranger(t, keyOf("m"))
	a.Admit([]Member{{Validator: idOf("m"), Service: keyOf("m").Public()}})
	for _, c := range []struct {
		n    int
		end  bool
		want int // bytes of an answer; -1: the stream is reset
	}{
		{0, true, -1},
		{ledger.AttestNonceLen - 1, true, -1},
		{ledger.AttestNonceLen - 1, false, -1}, // and waits: the deadline ends it
		{ledger.AttestNonceLen, false, ledger.SignedAttestationSize},
	} {
		answer, err := request(t, m, a, make([]byte, c.n), c.end)
		if c.want < 0 && err == nil || c.want >= 0 && (err != nil || len(answer) != c.want) {
			t.Errorf("%d bytes: %d bytes come back, %v", c.n, len(answer), err)
		}
	}
	if a.asked.Load() != 1 {
		t.Errorf("attested %d times", a.asked.Load())
	}
}

func TestStreamsOfAMemberAreBounded(t *testing.T) {
	a := newPlane(t, "a")
	m := stranger(t, keyOf("m"))
	a.Admit([]Member{{Validator: idOf("m"), Service: keyOf("m").Public()}})
	if _, err := request(t, m, a, make([]byte, ledger.AttestNonceLen), true); err != nil {
		t.Fatal(err)
	}
	// The bound is asked of the limits themselves: streams that are open at once end by their deadline, so that a count of
	// them would depend on the machine.
	got := limits().ToPartialLimitConfig().PeerDefault
	if got.StreamsInbound != memberStreams || got.Conns != memberConns || got.Memory != memberBytes {
		t.Errorf("%+v", got)
	}
	scope := a.host.Network().ResourceManager()
	for i := range memberStreams + 1 {
		s, err := scope.OpenStream(m.ID(), network.DirInbound)
		if i < memberStreams && err != nil || i == memberStreams && err == nil {
			t.Fatalf("stream %d: %v", i, err)
		}
		if err == nil {
			defer s.Done()
		}
	}
}

func TestBucket(t *testing.T) {
	var b bucket
	now := time.Unix(1_700_000_000, 0)
	taken := 0
	for b.take(now) {
		taken++
	}
	if taken != burst {
		t.Errorf("%d at once, want %d", taken, burst)
	}
	if b.take(now.Add(-time.Hour)) {
		t.Error("a clock that is set back gives more")
	}
	for i := 1; i <= 3; i++ {
		now = now.Add(time.Second / rate)
		if !b.take(now) || b.take(now) {
			t.Errorf("after %d steps", i)
		}
	}
	now = now.Add(time.Hour)
	for taken = 0; b.take(now); taken++ {
	}
	if taken != burst {
		t.Errorf("%d after an hour, want %d", taken, burst)
	}
}

func TestMembersAreBounded(t *testing.T) {
	a := newPlane(t, "a")
	var members []Member
	for i := range membersMax + 1 {
		name := fmt.Sprint("m", i)
		members = append(members, Member{Validator: idOf(name), Service: keyOf(name).Public()})
	}
	a.Admit(members)
	if n := len(*a.gate.members.Load()); n != membersMax {
		t.Errorf("%d members, want %d", n, membersMax)
	}
	a.Admit(append(members[:3:3], Member{Validator: idOf("x"), Service: crypto.PublicKey{Type: crypto.KeyEd25519, Bytes: []byte{1}}}))
	if n := len(*a.gate.members.Load()); n != 3 {
		t.Errorf("%d members, want 3", n)
	}
}

func TestParseAddress(t *testing.T) {
	id, err := PeerID(keyOf("a").Public())
	if err != nil {
		t.Fatal(err)
	}
	other, _ := PeerID(keyOf("b").Public())
	for text, want := range map[string]string{ // "": fine
		"/ip4/127.0.0.1/tcp/26659":                       "",
		"/ip6/::1/tcp/1":                                 "",
		"/dns4/node.example/tcp/26659":                   "",
		"/ip4/127.0.0.1/tcp/26659/p2p/" + id.String():    "",
		"/ip4/127.0.0.1/tcp/26659/p2p/" + other.String(): "another host",
		"/ip4/127.0.0.1/udp/26659/quic-v1":               "TCP port",
		"/ip4/127.0.0.1":                                 "TCP port",
		"/ip4/127.0.0.1/tcp/1/tcp/2":                     "TCP port",
		"/dnsaddr/example/tcp/1":                         "TCP port",
		"/ip4/300.0.0.1/tcp/1":                           "multiaddr",
		"127.0.0.1:1":                                    "multiaddr",
		"/p2p/" + id.String():                            "TCP port",
	} {
		address, err := parseAddress(text, id)
		if want == "" && (err != nil || len(address) != 2) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, %v", text, address, err)
		}
	}
}

// TestDialsNoOtherAddress lets a member announce addresses that the ledger does not name.
func TestDialsNoOtherAddress(t *testing.T) {
	parse := func(text string) multiaddr.Multiaddr {
		address, err := multiaddr.NewMultiaddr(text)
		if err != nil {
			t.Fatal(err)
		}
		return address
	}
	id, _ := PeerID(keyOf("b").Public())
	g := &gate{}
	byIP := map[peer.ID]*admitted{id: {id: id, address: parse("/ip4/192.0.2.1/tcp/26659")}}
	byName := map[peer.ID]*admitted{id: {id: id, address: parse("/dns4/b.example/tcp/26659")}}
	nowhere := map[peer.ID]*admitted{id: {id: id}}
	for _, c := range []struct {
		members map[peer.ID]*admitted
		dial    string
		want    bool
	}{
		{byIP, "/ip4/192.0.2.1/tcp/26659", true},
		{byIP, "/ip4/192.0.2.2/tcp/26659", false},
		{byIP, "/ip4/192.0.2.1/tcp/22", false},
		{byIP, "/ip4/192.0.2.1/udp/26659/quic-v1", false},
		{byName, "/ip4/192.0.2.2/tcp/26659", true},
		{byName, "/ip4/192.0.2.2/tcp/22", false},
		{nowhere, "/ip4/192.0.2.1/tcp/26659", false},
		{map[peer.ID]*admitted{}, "/ip4/192.0.2.1/tcp/26659", false},
	} {
		g.members.Store(&c.members)
		if got := g.InterceptAddrDial(id, parse(c.dial)); got != c.want {
			t.Errorf("dials %s: %v", c.dial, got)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, text := range []string{"/ip4/127.0.0.1/tcp/26659", "/ip6/::1/tcp/1", "/dns/a/tcp/1/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp", "/ip4", ""} {
		f.Add(text)
	}
	id, err := PeerID(keyOf("a").Public())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		address, err := parseAddress(text, id)
		if err == nil && !(&admitted{address: address}).reachedAt(address) {
			t.Fatalf("%s may not be dialled at %s", text, address)
		}
	})
}
