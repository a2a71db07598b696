package client

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/tetradledger/tetrad/client/balance"
	"github.com/tetradledger/tetrad/client/probe"
	"github.com/tetradledger/tetrad/rpc"
)

// What comes from a node, and what is tried with one, is bounded.
const (
	// endpointsMax is more than any network of validators has.
	endpointsMax = 256
	// answerBytesMax is what the largest answer of the API takes: a full block's receipts.
	answerBytesMax = 16 << 20
	// errorBytesMax is for the body of an error.
	errorBytesMax = 64 << 10
	// timeoutDefault is for one request to one node.
	timeoutDefault = 3 * time.Second
	// roundsMax is how often all nodes are asked before a refusal for the time being is passed on.
	roundsMax = 5
)

// Options configure a Client.
type Options struct {
	// Endpoints are the HTTP APIs of the nodes, such as http://127.0.0.1:26658. At least one.
	Endpoints []string
	// Timeout is how long one node may take for one request, beyond what it was asked to wait; 0: 3 s.
	Timeout time.Duration
	// HTTP sends the requests; nil takes a client of its own. Redirects are refused either way: a node has
	// no business sending a client's transactions somewhere else.
	HTTP *http.Client
	// Consistency of reads: rpc.ConsistencySession (the default) or rpc.ConsistencyEventual.
	Consistency string
	// MinHeight is the session token to begin with, as Token returned it in an earlier run.
	MinHeight uint64
	// OnPartition is what a node that is cut off is to do with transactions: rpc.OnPartitionFail, OnPartitionQueue,
	// or "", with which it queues those that can conflict with nothing.
	OnPartition string
	// Policy is how nodes are chosen; "": balance.EWMA.
	Policy balance.Policy
	// Region is preferred, those within it included. With RegionStrict, nothing goes elsewhere that says what is read or
	// written; status, headers and attestations are still asked of all nodes. Where nodes stand is what they say in
	// their status: all are asked for it once, before the first request, and further on if Run is called.
	Region       string
	RegionStrict bool
	// NoHedge keeps requests from going to a second node beside one that is slow.
	NoHedge bool
	// Probe lets Run ask all nodes how they are, several times a second, so that requests go to those that are fit
	// before one has failed. It is for programs that live long, which call Run. A Region and the policy nearest imply it.
	Probe bool
	// Now is the clock by which nodes rest; nil is time.Now.
	Now func() time.Time
}

// Client talks to a network through any of its nodes. It is safe for concurrent use.
type Client struct {
	http        *http.Client
	timeout     time.Duration
	consistency string
	onPartition string
	endpoints   *endpoints
	session     *session
}

// New makes a Client. It sends nothing yet.
func New(o Options) (*Client, error) {
	switch o.Consistency {
	case "":
		o.Consistency = rpc.ConsistencySession
	case rpc.ConsistencySession, rpc.ConsistencyEventual:
	default:
		return nil, errors.New("client: consistency must be eventual or session; NewVerified and NewStrong make readers of the other levels")
	}
	switch o.OnPartition {
	case rpc.OnPartitionDefault, rpc.OnPartitionFail, rpc.OnPartitionQueue:
	default:
		return nil, errors.New("client: on partition is fail or queue")
	}
	if o.Timeout == 0 {
		o.Timeout = timeoutDefault
	}
	if o.Timeout < 0 {
		return nil, errors.New("client: the timeout is negative")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	sender := plainHTTP(o.HTTP)
	var ask func(context.Context, string) (balance.Report, error)
	if o.Probe || o.Region != "" || o.Policy == balance.Nearest {
		ask = probe.Status(sender)
	}
	nodes, err := newEndpoints(o.Endpoints, balance.Options{
		Probe: ask, Policy: o.Policy, Region: o.Region, StrictRegion: o.RegionStrict, NoHedge: o.NoHedge, Now: o.Now,
	})
	if err != nil {
		return nil, err
	}
	return &Client{
		http: sender, timeout: o.Timeout, consistency: o.Consistency, onPartition: o.OnPartition,
		endpoints: nodes, session: newSession(o.MinHeight, nodes.all()),
	}, nil
}

// Run asks all nodes how they are until the context ends, if the option Probe was given or is implied; otherwise it
// returns at once. It is called in a goroutine of its own, once.
func (c *Client) Run(ctx context.Context) { c.endpoints.Run(ctx) }

// Backends lists what is known about the nodes, in the order in which they were given.
func (c *Client) Backends() []balance.Backend { return c.endpoints.Backends() }

// Endpoints lists the nodes the client knows.
func (c *Client) Endpoints() []string { return c.endpoints.all() }

// Token is the highest height this client has seen. Another client that begins with it as MinHeight sees at
// least what this one saw.
func (c *Client) Token() uint64 { return c.session.token() }

// plainHTTP is a copy of the given client, or a new one, that follows no redirect.
func plainHTTP(given *http.Client) *http.Client {
	h := &http.Client{}
	if given != nil {
		*h = *given
	} else {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = 16
		h.Transport = t
	}
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return errRedirect }
	return h
}

var errRedirect = errors.New("the node answered with a redirect, which is not followed")
