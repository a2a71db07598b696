package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/rpc"
)

// errNoMatch says that too few nodes agreed, or could be told to be validators', so that the answer must be proven.
var errNoMatch = errors.New("too few nodes agree on an answer")

// voter is an endpoint at which a validator's node answers, as the ledger has it.
type voter struct {
	node  string
	id    crypto.ValidatorID
	power uint64
}

// voters lists one endpoint for each validator, and tells whether they have more than a third of the power.
func (s *Strong) voters(ctx context.Context, ix index) ([]voter, bool) {
	if ix.powers == nil || ix.members == nil {
		return nil, false
	}
	var list []voter
	var have uint64
	seen := map[crypto.ValidatorID]bool{}
	for _, node := range s.v.client.endpoints.order(ctx) {
		id, known := ix.members.node(node)
		if power := ix.powers[id]; known && !seen[id] && power > 0 {
			seen[id] = true
			list, have = append(list, voter{node, id, power}), have+power
		}
	}
	return list, 3*have > ix.total()
}

// total is the power of all validators.
func (ix index) total() uint64 {
	var total uint64
	// The sum does not depend on the order.
	for _, power := range ix.powers {
		total += power
	}
	return total
}

// vote is what a validator's node answered.
type vote struct {
	voter
	key   string // the answer in the form in which it is compared
	body  []byte // the answer
	err   error
	heard *transcript
}

// matched is the answer that nodes with more than a third of the power give at exactly the index's height: one of them
// at least is honest, and that state is the network's. Who differs is named.
func matched[T any](ctx context.Context, s *Strong, ix index, q Question) (T, error) {
	var out T
	voters, enough := s.voters(ctx, ix)
	if !enough {
		return out, errNoMatch
	}
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), readWait)
	votes := make(chan vote, len(voters))
	for _, who := range voters {
		s.loose.Go(func() { votes <- askVote[T](after, s, who, ix.height, q) })
	}
	count := poll{total: ix.total(), power: map[string]uint64{}}
	for left := len(voters); left > 0; left-- {
		select {
		case v := <-votes:
			if !count.add(v) {
				continue
			}
			s.loose.Go(func() {
				defer cancel()
				s.blame(ix.height, votes, count, left-1)
			})
			s.v.client.session.saw(v.node, ix.height)
			return out, decodeAnswer(v.body, &out)
		case <-ctx.Done():
			cancel()
			return out, ctx.Err()
		}
	}
	cancel()
	return out, errNoMatch
}

// poll counts votes by what they say.
type poll struct {
	total   uint64
	power   map[string]uint64 // by key
	votes   []vote
	decided string // a key; empty: not yet
}

// add counts a vote and tells whether it decides.
func (t *poll) add(v vote) bool {
	t.votes = append(t.votes, v)
	if v.err != nil {
		return false
	}
	t.power[v.key] += v.power
	if 3*t.power[v.key] > t.total {
		t.decided = v.key
	}
	return t.decided != ""
}

// blame names those whose answer is another one than the agreed one, when all that are still to come have come.
func (s *Strong) blame(height uint64, votes <-chan vote, count poll, left int) {
	for range left {
		count.votes = append(count.votes, <-votes)
	}
	for _, v := range count.votes {
		err := v.err
		if err == nil && v.key != count.decided {
			err = from(v.node, height, lie(LieMinority, "it says %s, they say %s", shorten([]byte(v.key), saidMax), shorten([]byte(count.decided), saidMax)))
		}
		if errors.Is(err, ErrLie) {
			s.v.client.endpoints.lied(v.node)
			_ = s.v.caught.keep(err, v.heard) // a file that cannot be written takes nothing away from the answer
		}
	}
}

// askVote asks one node for its answer at a height, which it may take a moment to reach.
func askVote[T any](ctx context.Context, s *Strong, who voter, height uint64, q Question) vote {
	listening, heard := listen(ctx)
	base, elements := q.route()
	text := strconv.FormatUint(height, 10)
	r := request{
		method: http.MethodGet, path: readPath(base, elements...), patience: readWait, aside: true,
		query: url.Values{"height": {text}, "timeout": {readWait.String()}}, header: http.Header{rpc.HeaderMinHeight: {text}},
	}
	var raw rawAnswer
	var body []byte
	r.refusal = &body // for the evidence
	v := vote{voter: who, heard: heard}
	err := s.v.client.ask(listening, who.node, r, &raw)
	var refused *rpc.Error
	switch {
	case errors.As(err, &refused) && absence(refused):
		v.key = fmt.Sprintf("refusal %d", refused.Code) // its words may be those of another version
		v.body, v.err = json.Marshal(refusal{refused})
	case err != nil:
		v.err = s.blameless(who.node, err)
	default:
		v.body, v.err = evenly[T](who.node, height, raw)
		v.key = string(v.body)
	}
	return v
}

// saidMax is how much of an answer a message quotes.
const saidMax = 400

// evenly brings an answer into one form, in which those of honest nodes are equal, whatever else their versions tell.
func evenly[T any](node string, height uint64, raw []byte) ([]byte, error) {
	var answer T
	var at struct {
		Height uint64 `json:"height"`
	}
	if err := cmp.Or(json.Unmarshal(raw, &answer), json.Unmarshal(raw, &at)); err != nil {
		return nil, &NodeError{Endpoint: node, Err: fmt.Errorf("the answer is not what the API promises: %w", err)}
	}
	if at.Height != height {
		return nil, from(node, at.Height, lie(LieHeight, "asked for height %d", height))
	}
	return json.Marshal(answer)
}
