package node

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetradledger/tetrad/app"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/node/plane"
)

// service is who this node is outside of consensus: the key that signs what it says of itself, and what the ledger
// records of it and the others.
type service struct {
	self   crypto.ValidatorID
	key    crypto.PrivateKey // zero: there is none
	fault  string            // why
	roster atomic.Pointer[roster]
}

// openService reads the service key. Without one the node runs, and attests nothing: consensus does not need it, and a
// home of an earlier version has none.
func openService(home string, validator crypto.PublicKey, log *slog.Logger) *service {
	s := &service{self: crypto.ValidatorIDOf(validator.Type, validator.Bytes)}
	s.roster.Store(&roster{})
	path := filepath.Join(home, "config", ServiceKeyFile)
	key, err := loadServiceKey(path)
	if err == nil && len(key.Bytes()) < crypto.SeedSize {
		err = fmt.Errorf("%s is not a service key: it is too short", path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.fault = "this node has no config/" + ServiceKeyFile
	case err != nil:
		s.fault = "this node's config/" + ServiceKeyFile + " cannot be used"
	default:
		s.key = crypto.KeyFromSeed([crypto.SeedSize]byte(key.Bytes()))
		return s
	}
	log.Warn("no strong reads: this node attests nothing", "err", err)
	return s
}

// unfit says why this node attests nothing and serves no strong reads; empty if it does.
func (s *service) unfit() string {
	if s.fault != "" {
		return s.fault
	}
	seat, ok := s.roster.Load().seats[s.self]
	switch {
	case !ok:
		return "this node's validator has no voting power"
	case seat.Bytes == nil:
		return "the ledger records no service key for this node's validator: its operator registers one with set_node"
	case !seat.Equal(s.key.Public()):
		return "this node's config/" + ServiceKeyFile + " is not the key that the ledger records: its operator registers it with set_node"
	}
	return ""
}

// roster is what the ledger records of the nodes of validators that have power.
type roster struct {
	members []plane.Member                          // those with a service key
	seats   map[crypto.ValidatorID]crypto.PublicKey // all, with their service key or none
}

// readRoster reads the roster from a state.
func readRoster(r ledger.Reader) (*roster, error) {
	out := &roster{seats: map[crypto.ValidatorID]crypto.PublicKey{}}
	err := eachValidator(r, func(id crypto.ValidatorID, v ledger.Validator) error {
		if v.Power == 0 {
			return nil
		}
		leaf, err := r.Get(ledger.KeyNode(id))
		if err != nil {
			return err
		}
		if leaf == nil {
			out.seats[id] = crypto.PublicKey{}
			return nil
		}
		node, err := ledger.DecodeNode(leaf)
		if err != nil {
			return err
		}
		key := crypto.PublicKey{Type: crypto.KeyEd25519, Bytes: bytes.Clone(node.ServiceKey)}
		out.seats[id] = key
		out.members = append(out.members, plane.Member{Validator: id, Service: key, Address: node.Plane})
		return nil
	})
	return out, err
}

// eachValidator visits the validators of a state, those without power too.
func eachValidator(r ledger.Reader, visit func(crypto.ValidatorID, ledger.Validator) error) error {
	leaf, err := r.Get(ledger.KeyValidators())
	if err != nil || leaf == nil {
		return err
	}
	ids, err := ledger.DecodeValidators(leaf)
	if err != nil {
		return err
	}
	for _, id := range ids {
		leaf, err := r.Get(ledger.KeyValidator(id))
		if err != nil {
			return err
		}
		v, err := ledger.DecodeValidator(leaf)
		if err != nil {
			return err
		}
		if err := visit(id, v); err != nil {
			return err
		}
	}
	return nil
}

// changesRoster tells whether a block may have changed the roster.
func changesRoster(changes []ledger.Change) bool {
	for _, c := range changes {
		if p := c.Key[0]; p == ledger.PrefixNode || p == ledger.PrefixValidator || p == ledger.PrefixValidators {
			return true
		}
	}
	return false
}

// rosterPoll is how often the roster is read where it cannot be followed, because the ledger has no state yet or too
// many others follow its blocks.
const rosterPoll = time.Second

// watchRoster keeps the roster, and with it the app plane's members, up to date until the node stops.
func (n *Node) watchRoster() {
	for n.running.Err() == nil {
		sub, err := n.app.Subscribe()
		// Read only now: what changes from here on, the subscription tells.
		if !n.renewRoster() || err != nil {
			select {
			case <-n.running.Done():
			case <-time.After(rosterPoll):
			}
		}
		if err == nil {
			n.followRoster(sub.C)
			sub.Close()
		}
	}
}

// followRoster reads the roster anew after every block that may have changed it, until the stream ends, which is when
// the node stops, has fallen behind, or has a new state.
func (n *Node) followRoster(blocks <-chan app.Committed) {
	for {
		select {
		case <-n.running.Done():
			return
		case block, ok := <-blocks:
			if !ok {
				return
			}
			if changesRoster(block.Changes) {
				n.renewRoster()
			}
		}
	}
}

// renewRoster reads the roster from the newest state, and tells whether it could.
func (n *Node) renewRoster() bool {
	if !n.app.Ready() {
		return false
	}
	view := n.app.View()
	defer view.Close()
	read, err := readRoster(view)
	if err != nil {
		n.log.Error("the validators' nodes cannot be read from the ledger", "err", err)
		return false
	}
	before := n.service.unfit()
	n.service.roster.Store(read)
	if after := n.service.unfit(); after != before && after != "" {
		n.log.Warn("no strong reads: this node attests nothing", "why", after)
	}
	if n.plane != nil {
		n.plane.Admit(read.members)
	}
	return true
}

// openPlane prepares the app plane and the strong reads over it.
func (n *Node) openPlane() error {
	log := n.log.With("module", "plane")
	n.service = openService(n.config.Home, n.identity.Validator, log)
	n.strong = newStrongReads(n.running, nodeSource{n}, log)
	n.metrics.watchStrong(n)
	if !n.config.Plane.Enabled || n.service.fault != "" {
		return nil
	}
	var err error
	n.plane, err = plane.New(plane.Options{Key: n.service.key, Listen: n.config.Plane.Listen, Attest: n.attest, Logger: log})
	if err != nil {
		return fmt.Errorf("open the app plane: %w", err)
	}
	n.closePlane = sync.OnceValue(func() error {
		n.strong.close()
		return n.plane.Close()
	})
	n.renewRoster()
	return nil
}

// planePeers is how many validators' nodes are connected over the app plane.
func (n *Node) planePeers() int {
	if n.plane == nil {
		return 0
	}
	return n.plane.Peers()
}

// planeRefused is how often somebody was refused there whom the ledger does not name.
func (n *Node) planeRefused() uint64 {
	if n.plane == nil {
		return 0
	}
	return n.plane.Refused()
}
