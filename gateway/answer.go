package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"github.com/tetradledger/tetrad/rpc"
)

// errContradiction is of a node that answers from a height below the one that it was asked to have reached.
var errContradiction = errors.New("it contradicts itself")

// check compares an answer with what was asked for. An answer of the state that was to be of some height, and is
// of a lower one, contradicts itself: an honest node waits, or says that it is behind.
func (j *job) check(resp *http.Response) error {
	if j.whole == 0 || resp.StatusCode != http.StatusOK {
		return nil
	}
	height, err := strconv.ParseUint(resp.Header.Get(rpc.HeaderHeight), 10, 63)
	if err == nil && height < j.whole {
		return fmt.Errorf("%w: asked for height %d, it answers from %.20q", errContradiction, j.whole, resp.Header.Get(rpc.HeaderHeight))
	}
	return nil
}

// neverSent tells whether a request certainly did not leave this machine.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// plain is an error's text without the method and address that package net/http puts before it.
func plain(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err.Error()
	}
	return err.Error()
}
