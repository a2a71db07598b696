package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/tetradledger/tetrad/crypto"
)

// etcdSystem is three members of etcd, asked over their JSON gateway.
type etcdSystem struct {
	lab *lab
	*finder
}

func newEtcd(l *lab) *etcdSystem {
	s := &etcdSystem{lab: l}
	s.finder = newFinder(leaderURLs(l), s.probe)
	return s
}

func (s *etcdSystem) probe(ctx context.Context, url string) (bool, uint64, error) {
	answer, _, err := exchange(ctx, s.http, url, http.MethodPost, "/v3/maintenance/status", []byte("{}"))
	if err != nil {
		return false, 0, err
	}
	var status struct { // numbers of 64 bits are strings there
		Header struct {
			MemberID string `json:"member_id"`
		}
		Leader   string
		RaftTerm string
	}
	if err := json.Unmarshal(answer, &status); err != nil {
		return false, 0, err
	}
	term, err := strconv.ParseUint(status.RaftTerm, 10, 64)
	return status.Leader != "" && status.Leader == status.Header.MemberID, term, err
}

// chain is what Tetrad's transactions would be signed for; etcd does not look.
func (s *etcdSystem) chain() chain   { return chain{id: "failover", genesis: crypto.Sum([]byte("etcd"))} }
func (s *etcdSystem) urls() []string { return s.finder.urls }

func (s *etcdSystem) start(ctx context.Context) error {
	var clients, peers []string
	for i := range leaderNodes {
		clients = append(clients, s.finder.urls[i])
		peers = append(peers, fmt.Sprintf("http://%s:%d", s.lab.peer(i), s.lab.plan.port+portStep*i+1))
	}
	for i := range leaderNodes {
		if err := s.lab.spawn(i, s.lab.plan.etcd, "member", "-index", strconv.Itoa(i), "-dir", filepath.Join(s.lab.dir, fmt.Sprint("m", i)),
			"-clients", strings.Join(clients, ","), "-peers", strings.Join(peers, ",")); err != nil {
			return err
		}
	}
	return s.awaitLeader(ctx)
}

func (s *etcdSystem) leader(ctx context.Context) (int, error) { return leaderOf(ctx, s.finder) }
func (s *etcdSystem) revive(i int) error                      { return s.lab.again(i) }

func etcdKey(r request) []byte { return fmt.Appendf(nil, "w/%d", r.number) }

// etcdWrite puts the transaction where nothing is yet. A plain put would be done twice when its answer is lost.
func etcdWrite(r request) []byte {
	key := etcdKey(r)
	type object map[string]any
	body, err := json.Marshal(object{
		"compare": []object{{"key": key, "target": "CREATE", "createRevision": "0"}},
		"success": []object{{"requestPut": object{"key": key, "value": r.tx.Raw}}},
	})
	if err != nil {
		panic("bench-failover: encoding byte strings failed: " + err.Error())
	}
	return body
}

func (s *etcdSystem) write(ctx context.Context, r request) error {
	_, err := s.send(ctx, true, http.MethodPost, "/v3/kv/txn", etcdWrite(r))
	return err
}

func etcdRead(r request, serializable bool) []byte {
	body, err := json.Marshal(map[string]any{"key": etcdKey(r), "serializable": serializable})
	if err != nil {
		panic("bench-failover: encoding byte strings failed: " + err.Error())
	}
	return body
}

// etcdAmount is the key's version: how often it was put. A value that is not a transaction's counts as a wrong one.
func etcdAmount(answer []byte, err error) (uint64, error) {
	if err != nil {
		return 0, err
	}
	var said struct {
		KVs []struct {
			Version string
			Value   []byte
		}
	}
	if err := json.Unmarshal(answer, &said); err != nil || len(said.KVs) == 0 {
		return 0, err
	}
	if string(said.KVs[0].Value) == etcdLie {
		return wrongAmount, nil
	}
	return strconv.ParseUint(said.KVs[0].Version, 10, 64)
}

// read asks a member at the level that is wanted. Any member answers either; strong ones cost it a question to the leader.
func (s *etcdSystem) read(ctx context.Context, k kind, r request) (uint64, error) {
	return etcdAmount(s.send(ctx, k == strong, http.MethodPost, "/v3/kv/range", etcdRead(r, k == local)))
}

func (s *etcdSystem) inspect(ctx context.Context, r request) (uint64, error) {
	return s.read(ctx, strong, r)
}

// etcdLie is what a lying member says is the value.
const etcdLie = "777"

var etcdRiches = regexp.MustCompile(`"value":"[^"]*"`)

func (s *etcdSystem) lie(answer []byte) []byte {
	return etcdRiches.ReplaceAll(answer, []byte(`"value":"Nzc3"`))
}

func (s *etcdSystem) close() { s.http.CloseIdleConnections() }
