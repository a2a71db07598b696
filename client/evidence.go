package client

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tetradledger/tetrad/crypto"
)

const (
	evidenceFormat = 1
	// evidenceAnswerMax is up to where an answer is kept whole: the largest proofs are smaller. Of a larger one
	// the beginning and the hash are kept.
	evidenceAnswerMax = 256 << 10
	// evidenceExchangesMax bounds what one file tells: a question, its headers, and the last of a long walk.
	evidenceExchangesMax = 8
	// evidenceFilesMax and evidenceBytesMax bound the directory. The oldest lies go first; what validators signed
	// goes last.
	evidenceFilesMax = 64
	evidenceBytesMax = 64 << 20
	// evidenceNodeMax keeps a node's name in a file's name short.
	evidenceNodeMax = 48

	kindConflict = "conflict"
)

// Evidence is a file about a lie, <time>-<kind>-<node>.json in the directory of VerifiedOptions.Evidence, for people
// who look into it. What a node says is not signed, so the file convinces nobody who does not believe its keeper;
// LightBlocks and Attacks are signed by validators, and convince everybody.
type Evidence struct {
	Format      int         `json:"format"`
	Time        time.Time   `json:"time"`
	ChainID     string      `json:"chain_id"`
	GenesisHash crypto.Hash `json:"genesis_hash"`
	Kind        string      `json:"kind"`     // a LieKind, or "conflict" for two signed headers of one height
	Endpoint    string      `json:"endpoint"` // who said it; of a conflict, who showed the first header
	Height      uint64      `json:"height,omitempty"`
	Reason      string      `json:"reason"` // what did not hold
	// Exchanges are what was asked and answered, oldest first.
	Exchanges []Exchange `json:"exchanges,omitempty"`
	// Header is the light block that the answer was checked against, if it came to that.
	Header []byte `json:"header,omitempty"`
	// Conflict are the two headers of a conflict.
	Conflict     []SignedClaim `json:"conflict,omitempty"`
	Equivocators []string      `json:"equivocators,omitempty"` // consensus addresses of those who signed both
	// Attacks can be handed to any honest node: CometBFT's broadcast_evidence takes the one whose network header
	// is the node's own.
	Attacks []Attack `json:"attacks,omitempty"`
}

// Exchange is a request and its answer.
type Exchange struct {
	Request string `json:"request"`
	Status  int    `json:"status"`
	Answer  []byte `json:"answer"`
	SHA256  string `json:"sha256"` // of the whole answer
	Bytes   int    `json:"bytes"`  // of the whole answer; more than Answer has if that was cut
}

// transcript keeps what nodes answered while something was asked.
type transcript struct {
	mu   sync.Mutex // guards everything below
	said []heard
}

type heard struct {
	node string
	Exchange
}

type transcriptKey struct{}

// listen returns a context whose requests are written down.
func listen(ctx context.Context) (context.Context, *transcript) {
	t := &transcript{}
	return context.WithValue(ctx, transcriptKey{}, t), t
}

// write notes an answer, if somebody listens. It keeps the slice.
func write(ctx context.Context, node, method, target string, status int, answer []byte) {
	t, _ := ctx.Value(transcriptKey{}).(*transcript)
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.said) == evidenceExchangesMax {
		t.said = slices.Delete(t.said, 1, 2) // the question itself stays
	}
	t.said = append(t.said, heard{node, Exchange{Request: method + " " + target, Status: status, Answer: answer}})
}

// of lists what one node answered.
func (t *transcript) of(node string) []Exchange {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []Exchange
	for _, h := range t.said {
		if h.node != node {
			continue
		}
		e := h.Exchange
		sum := sha256.Sum256(e.Answer)
		e.SHA256, e.Bytes = hex.EncodeToString(sum[:]), len(e.Answer)
		e.Answer = e.Answer[:min(len(e.Answer), evidenceAnswerMax)]
		out = append(out, e)
	}
	return out
}

// evidenceStore writes evidence files.
type evidenceStore struct {
	dir     string // empty: none are kept
	chainID string
	genesis crypto.Hash
	now     func() time.Time
	headers *lightStore

	mu    sync.Mutex // guards everything below, and the directory within this process
	files []string
}

func (s *evidenceStore) list() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.files)
}

// keep writes a lie or conflict to a file and names the file in the error, which it returns. A file that cannot be
// written takes nothing away from the lie.
func (s *evidenceStore) keep(err error, t *transcript) error {
	if s.dir == "" {
		return err
	}
	e := Evidence{Format: evidenceFormat, Time: s.now().UTC(), ChainID: s.chainID, GenesisHash: s.genesis, Reason: err.Error()}
	var found *LieError
	var conflict *ConflictError
	switch {
	case errors.As(err, &conflict) && conflict.File == "":
		e.Kind, e.Endpoint, e.Height = kindConflict, conflict.Headers[0].Endpoint, conflict.Height
		e.Conflict, e.Equivocators, e.Attacks = conflict.Headers, conflict.Equivocators, conflict.Attacks
	case errors.As(err, &found) && found.File == "":
		e.Kind, e.Endpoint, e.Height = string(found.Kind), found.Source, found.Height
		if block, _, _ := s.headers.around(found.Height + 1); block != nil {
			e.Header, _ = encodeBlock(block) // without it the file says less
		}
	default:
		return err
	}
	e.Exchanges = t.of(e.Endpoint)
	path, failed := s.write(e)
	if failed != nil {
		return errors.Join(err, fmt.Errorf("keep it as evidence: %w", failed))
	}
	if conflict != nil {
		conflict.File = path
	} else {
		found.File = path
	}
	return err
}

func (s *evidenceStore) write(e Evidence) (string, error) {
	data, err := json.MarshalIndent(e, "", " ")
	if err != nil {
		return "", fmt.Errorf("encode evidence: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := fmt.Sprintf("%s-%s-%s.json", e.Time.Format("20060102T150405.000000Z"), e.Kind, fileName(e.Endpoint))
	path := filepath.Join(s.dir, name)
	if err := replaceFile(path, append(data, '\n')); err != nil {
		return "", err
	}
	s.files = append(s.files, path)
	return path, s.prune()
}

// fileName makes a node's address a part of a file's name.
func fileName(endpoint string) string {
	_, name, found := strings.Cut(endpoint, "://")
	if !found {
		name = endpoint
	}
	safe := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' {
			return c
		}
		return '_'
	}, name)
	return safe[:min(len(safe), evidenceNodeMax)]
}

// prune removes what the directory holds too much of: the oldest lies, and then the oldest conflicts.
func (s *evidenceStore) prune() error {
	all, err := filepath.Glob(filepath.Join(s.dir, "*-*-*.json"))
	if err != nil {
		return err
	}
	signed := func(path string) int {
		if strings.Contains(filepath.Base(path), "-"+kindConflict+"-") {
			return 1
		}
		return 0
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(signed(b)-signed(a), strings.Compare(b, a)) })
	left := int64(evidenceBytesMax)
	for i, path := range all {
		if info, err := os.Stat(path); err == nil {
			left -= info.Size()
		}
		if i < evidenceFilesMax && left >= 0 {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
