package rpctest

import (
	"slices"
	"strings"
)

// Scan implements rpc.Snapshot by looking at every key.
func (s snapshot) Scan(prefix, after []byte, n int) (keys [][]byte, next []byte, err error) {
	var names []string
	for key := range s.state {
		if strings.HasPrefix(key, string(prefix)) && key > string(after) {
			names = append(names, key)
		}
	}
	slices.Sort(names)
	for i, name := range names {
		if i == n {
			return keys, keys[n-1], nil
		}
		keys = append(keys, []byte(name))
	}
	return keys, nil, nil
}
