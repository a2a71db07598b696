package node

import (
	"errors"
	"reflect"

	cmtblocksync "github.com/cometbft/cometbft/blocksync"
	cmtp2p "github.com/cometbft/cometbft/p2p"
)

// blocksyncReactor is CometBFT's name for it.
const blocksyncReactor = "BLOCKSYNC"

var errOtherBlocksync = errors.New("CometBFT's block sync is not as in v0.40.0")

// beginBlocksAt tells CometBFT's block sync at which height it begins, before it does.
//
// After a state sync it takes the blocks below the snapshot for blocks it has fetched, finds that none has come for
// a long time, and hands over to consensus before its first request. Consensus then fetches block after block from
// gossip, an order of magnitude slower, and over libp2p not at all if the node is at a height that its peers saw it
// beyond. CometBFT offers no way to set the height, so it is set by reflection; a test holds that against the
// version we use. Without it the node catches up, slowly.
func beginBlocksAt(sw cmtp2p.Switcher, height int64) error {
	reactor, ok := sw.Reactor(blocksyncReactor)
	if !ok {
		return errOtherBlocksync
	}
	blocks, ok := reactor.(*cmtblocksync.Reactor)
	if !ok {
		return errOtherBlocksync
	}
	pool := reflect.ValueOf(blocks).Elem().FieldByName("pool")
	if !pool.IsValid() || pool.Kind() != reflect.Pointer || pool.IsNil() || pool.Elem().Kind() != reflect.Struct {
		return errOtherBlocksync
	}
	start := pool.Elem().FieldByName("startHeight")
	if !start.IsValid() || start.Kind() != reflect.Int64 {
		return errOtherBlocksync
	}
	*(*int64)(start.Addr().UnsafePointer()) = height
	return nil
}
