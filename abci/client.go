package abci

import (
	"context"

	cmtabcicli "github.com/cometbft/cometbft/abci/client"
	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmtservice "github.com/cometbft/cometbft/libs/service"
	cmtproxy "github.com/cometbft/cometbft/proxy"
)

// NewClientCreator connects CometBFT to an application in the same process without a lock. CometBFT's own
// creators put a mutex around every call, over all connections or over each one; that would make queries
// wait for blocks or for each other. The application must be safe for concurrent use except for the
// consensus connection, which CometBFT uses from one goroutine at a time.
func NewClientCreator(application abcitypes.Application) cmtproxy.ClientCreator {
	return creator{application}
}

type creator struct{ application abcitypes.Application }

// NewABCIClient is called once for each of CometBFT's four connections.
func (c creator) NewABCIClient() (cmtabcicli.Client, error) {
	client := &client{Application: c.application}
	client.BaseService = *cmtservice.NewBaseService(nil, "tetrad application", client)
	return client, nil
}

// client hands calls straight to the application.
type client struct {
	cmtservice.BaseService
	abcitypes.Application
	callback cmtabcicli.Callback // set once, before the first call, by the pool that uses CheckTxAsync
}

var _ cmtabcicli.Client = (*client)(nil)

// Error reports a broken connection; there is none to break.
func (*client) Error() error { return nil }

// Flush has nothing to flush: calls are done when they return.
func (*client) Flush(context.Context) error { return nil }

// Echo answers what it is asked.
func (*client) Echo(_ context.Context, message string) (*abcitypes.ResponseEcho, error) {
	return &abcitypes.ResponseEcho{Message: message}, nil
}

// SetResponseCallback is for pools that check transactions asynchronously; the application's pool does not.
func (c *client) SetResponseCallback(callback cmtabcicli.Callback) { c.callback = callback }

// CheckTxAsync answers at once; only CometBFT's own pool would call it.
func (c *client) CheckTxAsync(ctx context.Context, req *abcitypes.RequestCheckTx) (*cmtabcicli.ReqRes, error) {
	response, err := c.CheckTx(ctx, req)
	if err != nil {
		return nil, err
	}
	both := cmtabcicli.NewReqRes(abcitypes.ToRequestCheckTx(req))
	both.Response = abcitypes.ToResponseCheckTx(response)
	if c.callback != nil {
		c.callback(both.Request, both.Response)
	}
	both.InvokeCallback()
	return both, nil
}
