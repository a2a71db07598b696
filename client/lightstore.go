package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/crypto"
)

const (
	// lightStoreMax is how many headers are remembered while the program runs, some 2 KB each.
	lightStoreMax = 1000
	// lightFileMax is how many of them outlive it: the newest is what the next run begins with.
	lightFileMax = 16
	// lightFileBytesMax is lightFileMax of the largest light blocks in base64.
	lightFileBytesMax = lightFileMax*lightBlockBytesMax*2 + 4096

	lightFileName   = "headers.json"
	lightFileFormat = 1
)

// lightStore is the headers this client trusts, ascending by height. The file is replaced as a whole, so
// several processes may share it: each finds a complete one, and what the last one writes stays.
type lightStore struct {
	path    string // empty: memory only
	chainID string
	genesis crypto.Hash

	mu     sync.Mutex // guards everything below
	blocks []*cmttypes.LightBlock
	saved  int64 // newest height in the file
}

// lightFile is the file's content.
type lightFile struct {
	Format      int         `json:"format"`
	ChainID     string      `json:"chain_id"`
	GenesisHash crypto.Hash `json:"genesis_hash"`
	Blocks      [][]byte    `json:"light_blocks"`
}

// openLightStore reads what an earlier run trusted. A file of another network or one that does not read is
// refused: whoever removes it decides to begin with the genesis document again.
func openLightStore(dir, chainID string, genesis crypto.Hash) (*lightStore, error) {
	s := &lightStore{chainID: chainID, genesis: genesis}
	if dir == "" {
		return s, nil
	}
	s.path = lightPath(dir)
	info, err := os.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the trusted headers: %w", err)
	}
	if info.Size() > lightFileBytesMax {
		return nil, fmt.Errorf("read %s: %d bytes, at most %d are possible", s.path, info.Size(), lightFileBytesMax)
	}
	data, err := os.ReadFile(s.path)
	if err != nil {
		return nil, fmt.Errorf("read the trusted headers: %w", err)
	}
	if err := s.read(data); err != nil {
		return nil, fmt.Errorf("read %s: %w; remove it to begin with the genesis document again", s.path, err)
	}
	return s, nil
}

func lightPath(dir string) string { return filepath.Join(dir, lightFileName) }

func (s *lightStore) read(data []byte) error {
	var file lightFile
	if err := json.Unmarshal(data, &file); err != nil {
		return err
	}
	switch {
	case file.Format != lightFileFormat:
		return fmt.Errorf("format %d is not known", file.Format)
	case file.ChainID != s.chainID || file.GenesisHash != s.genesis:
		return fmt.Errorf("it is of the network %s with genesis %s", file.ChainID, file.GenesisHash)
	case len(file.Blocks) > lightFileMax:
		return fmt.Errorf("%d headers, at most %d are possible", len(file.Blocks), lightFileMax)
	}
	for _, encoded := range file.Blocks {
		block, err := decodeBlock(encoded, s.chainID)
		if err != nil {
			return from("the file", 0, err)
		}
		s.add(block)
		s.saved = max(s.saved, block.Height)
	}
	return nil
}

// save writes the newest headers, if there is one that the file lacks. After a crash in the middle the old
// file stands; a temporary one beside it does no harm.
func (s *lightStore) save() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.path == "" || len(s.blocks) == 0 || s.blocks[len(s.blocks)-1].Height <= s.saved {
		return nil
	}
	file := lightFile{Format: lightFileFormat, ChainID: s.chainID, GenesisHash: s.genesis}
	for _, block := range s.blocks[max(0, len(s.blocks)-lightFileMax):] {
		encoded, err := encodeBlock(block)
		if err != nil {
			return err
		}
		file.Blocks = append(file.Blocks, encoded)
	}
	data, err := json.Marshal(file)
	if err != nil {
		return fmt.Errorf("encode the trusted headers: %w", err)
	}
	if err := replaceFile(s.path, data); err != nil {
		return fmt.Errorf("write the trusted headers: %w", err)
	}
	s.saved = s.blocks[len(s.blocks)-1].Height
	return nil
}

// replaceFile puts a whole file in the place of another one.
func replaceFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

func (s *lightStore) add(blocks ...*cmttypes.LightBlock) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, block := range blocks {
		if i, found := s.find(block.Height); !found {
			s.blocks = slices.Insert(s.blocks, i, block)
		}
	}
	s.blocks = slices.Delete(s.blocks, 0, max(0, len(s.blocks)-lightStoreMax))
}

func (s *lightStore) find(height int64) (int, bool) {
	return slices.BinarySearchFunc(s.blocks, height, func(b *cmttypes.LightBlock, h int64) int { return int(b.Height - h) })
}

// around finds the trusted header of a height, or else its nearest trusted neighbours; nil where there is none.
func (s *lightStore) around(height uint64) (exact, before, after *cmttypes.LightBlock) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, found := s.find(int64(height))
	if found {
		return s.blocks[i], nil, nil
	}
	if i > 0 {
		before = s.blocks[i-1]
	}
	if i < len(s.blocks) {
		after = s.blocks[i]
	}
	return nil, before, after
}

// empty tells whether nothing is trusted yet but what the caller of New gave.
func (s *lightStore) empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.blocks) == 0
}
