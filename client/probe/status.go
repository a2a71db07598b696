package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/tetradledger/tetrad/client/balance"
	"github.com/tetradledger/tetrad/rpc"
)

// statusBytesMax is many times what a status takes.
const statusBytesMax = 64 << 10

// Status makes the probe of a balancer whose nodes are base URLs: it asks for /v1/status.
func Status(h *http.Client) func(ctx context.Context, node string) (balance.Report, error) {
	return func(ctx context.Context, node string) (balance.Report, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, node+rpc.PathStatus, nil)
		if err != nil {
			return balance.Report{}, err
		}
		resp, err := h.Do(req)
		if err != nil {
			return balance.Report{}, err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(io.LimitReader(resp.Body, statusBytesMax+1))
		if err != nil {
			return balance.Report{}, err
		}
		if resp.StatusCode != http.StatusOK || len(text) > statusBytesMax {
			return balance.Report{}, fmt.Errorf("it answered %s with %d bytes", resp.Status, len(text))
		}
		return report(text)
	}
}

// report is what a status says that a balancer asks for.
func report(text []byte) (balance.Report, error) {
	var s struct {
		rpc.Status
		Region string `json:"region"`
	}
	if err := json.Unmarshal(text, &s); err != nil || s.ChainID == "" {
		return balance.Report{}, fmt.Errorf("it answered what is no status: %v", err)
	}
	return balance.Report{
		Height: s.Height, CatchingUp: s.CatchingUp, Minority: s.Partition == rpc.PartitionMinority || s.Partition == rpc.PartitionStalled,
		NotReady: len(s.NotReady) > 0, Region: s.Region,
	}, nil
}
