// Package e2e tests what users get: real processes of the binary, talking over loopback.
//
// Each test makes a network with `tetrad testnet`, starts one process per validator, and uses it through the
// same client library and commands that users have, while validators are killed, restarted or lie. What is
// asserted never depends on how fast the machine is: deadlines are only there to end a test that hangs. After
// every scenario the whole network is audited (audit_test.go): one app hash per height on all nodes, conserved
// supply, every acknowledged transaction in exactly one block.
//
// The tests need the binary: `make e2e` builds it and names it in TETRAD_BIN.
package e2e
