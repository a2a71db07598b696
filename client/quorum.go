package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/tetradledger/tetrad/rpc"
)

// Answer is what one node said to a question that several were asked.
type Answer struct {
	Endpoint string
	Body     json.RawMessage
}

// DisagreementError says that nodes gave different answers about one and the same state: at least one of
// them is faulty.
type DisagreementError struct {
	Height  uint64
	Answers []Answer
}

// Error names the nodes by what they said.
func (e *DisagreementError) Error() string {
	var said []string
	for _, group := range e.groups() {
		said = append(said, fmt.Sprintf("%s: %s", strings.Join(group.endpoints, ", "), shorten(group.body, 200)))
	}
	return fmt.Sprintf("nodes disagree about height %d, so at least one of them is faulty: %s", e.Height, strings.Join(said, "; "))
}

type answerGroup struct {
	body      []byte
	endpoints []string
}

func (e *DisagreementError) groups() []answerGroup {
	var groups []answerGroup
	for _, a := range e.Answers {
		i := slices.IndexFunc(groups, func(g answerGroup) bool { return bytes.Equal(g.body, a.Body) })
		if i < 0 {
			groups, i = append(groups, answerGroup{body: a.Body}), len(groups)
		}
		groups[i].endpoints = append(groups[i].endpoints, a.Endpoint)
	}
	return groups
}

func shorten(b []byte, max int) string {
	if len(b) <= max {
		return string(b)
	}
	return string(b[:max]) + "..."
}

// AskQuorum asks faults+1 nodes the same question about the same height and reads their common answer into
// out: among so many nodes one is honest, if no more than faults are not. If they disagree, all other nodes
// are asked as well, and the error is a *DisagreementError that says who answered what. path is a path of
// the API, such as "/v1/accounts/tet1.../balances/usd".
func (c *Client) AskQuorum(ctx context.Context, faults int, path string, out any) error {
	height, err := c.commonHeight(ctx, faults)
	if err != nil {
		return err
	}
	r := request{
		method: http.MethodGet, path: path, patience: readWait,
		query:  url.Values{"height": {strconv.FormatUint(height, 10)}, "timeout": {readWait.String()}},
		header: http.Header{rpc.HeaderMinHeight: {strconv.FormatUint(height, 10)}},
	}
	var answers []Answer
	var silent []*NodeError
	agreed := true
	for _, node := range c.endpoints.order(ctx) {
		if len(answers) > faults && agreed {
			break
		}
		body, err := c.answerOf(ctx, node, r)
		var failed *NodeError
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &failed):
			silent = append(silent, failed)
		case err != nil:
			silent = append(silent, &NodeError{Endpoint: node, Err: err})
		default:
			answers = append(answers, Answer{Endpoint: node, Body: body})
			agreed = agreed && bytes.Equal(body, answers[0].Body)
		}
	}
	if !agreed {
		return &DisagreementError{Height: height, Answers: answers}
	}
	if len(answers) <= faults {
		return fmt.Errorf("only %d of the %d nodes needed answered: %w", len(answers), faults+1, &NoNodeError{Attempts: silent})
	}
	return decodeAnswer(answers[0].Body, out)
}

// answerOf gets one node's answer in a form that can be compared. A refusal that is not about the node, such
// as not_found, is an answer, too.
func (c *Client) answerOf(ctx context.Context, node string, r request) (json.RawMessage, error) {
	var body json.RawMessage
	err := c.ask(ctx, node, r, &body)
	var refused *rpc.Error
	if errors.As(err, &refused) && !refused.Retryable {
		return json.Marshal(refusal{refused})
	}
	if err != nil {
		return nil, err
	}
	var even bytes.Buffer
	if err := json.Compact(&even, body); err != nil {
		return nil, &NodeError{Endpoint: node, Err: err}
	}
	return even.Bytes(), nil
}

// refusal marks an error among answers.
type refusal struct {
	Error *rpc.Error `json:"error"`
}

func decodeAnswer(body []byte, out any) error {
	var r refusal
	if err := json.Unmarshal(body, &r); err == nil && r.Error != nil {
		return r.Error
	}
	return json.Unmarshal(body, out)
}

// commonHeight is the (faults+1)-th largest height that nodes report: at least one honest node has reached
// it, however high the others claim to be.
func (c *Client) commonHeight(ctx context.Context, faults int) (uint64, error) {
	var heights []uint64
	none := &NoNodeError{}
	for _, n := range c.StatusAll(ctx) {
		if n.Err != nil {
			none.Attempts = append(none.Attempts, &NodeError{Endpoint: n.Endpoint, Err: n.Err})
			continue
		}
		heights = append(heights, n.Status.Height)
	}
	if len(heights) <= faults {
		return 0, fmt.Errorf("only %d of the %d nodes needed answered: %w", len(heights), faults+1, none)
	}
	slices.Sort(heights)
	return heights[len(heights)-1-faults], nil
}
