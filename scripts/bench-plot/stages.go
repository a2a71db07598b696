package main

import (
	"bufio"
	"bytes"
	"regexp"
	"strconv"
	"strings"
)

// stage is a part of a validator's work. Its functions are recognised by the innermost frame that matches, so
// that hashing inside the tree belongs to the tree, and the tree inside a block to the tree as well.
type stage struct {
	name  string
	short string  // below its bar
	model float64 // us per transfer that the cost model in docs/PERFORMANCE.md gives it; 0: none
	match *regexp.Regexp
}

// stages are asked in this order for each frame.
var stages = []stage{
	{"garbage collection", "GC", 2, regexp.MustCompile(`^runtime\.(gcBgMarkWorker|gcAssistAlloc|gcDrain|bgsweep|bgscavenge|sweepone|gcStart|markroot)`)},
	{"signatures", "signatures", 11.1, regexp.MustCompile(`curve25519-voi|tetrad/crypto\.\(\*(Verifier|batch)|tetrad/app\.\(\*verification\)`)},
	{"decoding", "decoding", 0.4, regexp.MustCompile(`tetrad/ledger\.(DecodeTransaction|SplitDelimited|SplitFrame|decodeCanonical|\(\*Transaction\))`)},
	{"execution and receipts", "execution", 0.7, regexp.MustCompile(`tetrad/ledger\.|tetrad/crypto/merkle\.ListRoot`)},
	{"state tree", "tree", 5.4, regexp.MustCompile(`tetrad/crypto/merkle`)},
	{"store, fold and index", "store", 1.3, regexp.MustCompile(`tetrad/ledger/store|dgraph-io/badger|dgraph-io/ristretto`)},
	{"pool, proposals and blocks", "pool", 0.3, regexp.MustCompile(`tetrad/(app|abci)\.`)},
	{"HTTP API", "HTTP", 0.1, regexp.MustCompile(`tetrad/rpc|net/http\.|danielgtaylor/huma|go-chi/chi`)},
	{"CometBFT: peers", "peers", 1.2, regexp.MustCompile(`cometbft/(p2p|lp2p|libs/protoio)|golang\.org/x/crypto/chacha20poly1305|quic-go|libp2p`)},
	{"CometBFT: consensus and blocks", "consensus", 1.3, regexp.MustCompile(`cometbft/|syndtr/goleveldb`)},
	{"Go's scheduler and system calls", "runtime", 0, regexp.MustCompile(`^(runtime|internal/runtime|syscall|internal/poll)`)},
}

// other is what no stage claims.
const other = "other"

// attribute reads the output of `go tool pprof -traces` and returns each stage's part of all samples.
func attribute(traces []byte) map[string]float64 {
	parts := map[string]float64{}
	var total, value float64
	var frames []string
	flush := func() {
		if len(frames) > 0 && value > 0 {
			parts[stageOf(frames)] += value
			total += value
		}
		frames, value = nil, 0
	}
	scan := bufio.NewScanner(bytes.NewReader(traces))
	scan.Buffer(nil, 1<<20)
	begun := false
	for scan.Scan() {
		text := scan.Text()
		if strings.HasPrefix(text, "-----------+") {
			flush()
			begun = true
			continue
		}
		fields := strings.Fields(text)
		if !begun || len(fields) == 0 {
			continue
		}
		if v, ok := seconds(fields[0]); ok && len(fields) > 1 {
			value = v
			fields = fields[1:]
		}
		frames = append(frames, fields[0])
	}
	flush()
	for name := range parts {
		parts[name] /= total
	}
	return parts
}

// stageOf finds the stage of a stack, innermost frame first. The runtime's own frames only count if nobody
// else's are there.
func stageOf(frames []string) string {
	last := stages[len(stages)-1]
	for _, frame := range frames {
		for _, s := range stages[:len(stages)-1] {
			if s.match.MatchString(frame) {
				return s.name
			}
		}
	}
	for _, frame := range frames {
		if last.match.MatchString(frame) {
			return last.name
		}
	}
	return other
}

// seconds reads a duration as pprof writes it.
func seconds(text string) (float64, bool) {
	for _, unit := range []struct {
		suffix string
		scale  float64
	}{{"us", 1e-6}, {"ms", 1e-3}, {"mins", 60}, {"hrs", 3600}, {"s", 1}} {
		if digits, ok := strings.CutSuffix(text, unit.suffix); ok {
			v, err := strconv.ParseFloat(digits, 64)
			return v * unit.scale, err == nil
		}
	}
	return 0, false
}
