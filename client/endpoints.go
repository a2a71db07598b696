package client

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/tetradledger/tetrad/client/balance"
)

// endpoints are the nodes a client knows, under one balancer.
type endpoints struct{ *balance.Balancer }

func newEndpoints(urls []string, o balance.Options) (*endpoints, error) {
	if len(urls) == 0 {
		return nil, fmt.Errorf("client: no endpoint given")
	}
	if len(urls) > endpointsMax {
		return nil, fmt.Errorf("client: %d endpoints given, at most %d are used", len(urls), endpointsMax)
	}
	var list []string
	for _, text := range urls {
		text = strings.TrimRight(text, "/")
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("client: endpoint %q is not an http or https URL", text)
		}
		if !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	o.Nodes = list
	b, err := balance.New(o)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return &endpoints{b}, nil
}

// order lists all nodes in the order in which to ask them.
func (e *endpoints) order(ctx context.Context) []string {
	e.Look(ctx)
	order, _ := e.Order(balance.Want{})
	return order
}

// fit lists the nodes that may be asked beside one that is asked anyway.
func (e *endpoints) fit() []string { return e.Fit() }

// all lists the nodes as they were given.
func (e *endpoints) all() []string { return e.Nodes() }

// answered notes that a node works.
func (e *endpoints) answered(url string) { e.Note(url, balance.Answered) }

// lied notes that a node said what it could not prove.
func (e *endpoints) lied(url string) { e.Note(url, balance.Lied) }
