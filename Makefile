# Tetrad. `make dev` runs a network on this machine, `make test` runs every test that CI runs.
#
# Go, git and make are all that is needed; linters and generators are pinned in tools/go.mod and built by Go.

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)
TOOL    := go tool -modfile=tools/go.mod
GOFILES  = $(shell git ls-files -co --exclude-standard '*.go' | grep -v '\.pb\.go$$')

.PHONY: build dev test ci lint vet fmt format unit race e2e measure bench bench-all bench-plot bench-failover bench-go proto oldest clean help

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

build: ## the binary, bin/tetrad
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/tetrad ./cmd/tetrad

dev: build ## a network of four validators with funded accounts; Ctrl-C stops it
	@exec bin/tetrad dev $(ARGS)

test: lint unit race e2e ## every test that CI runs

ci: test oldest ## what CI runs

lint: vet format ## vet, formatting, staticcheck
	$(TOOL) staticcheck ./...

vet:
	go vet ./...

format: ## fail if a file is not formatted
	@out=$$($(TOOL) gofumpt -l $(GOFILES)); \
	if [ -n "$$out" ]; then echo "not formatted (run make fmt):"; echo "$$out"; exit 1; fi

fmt: ## format every file
	$(TOOL) gofumpt -w $(GOFILES)

unit: ## tests of every package but the end-to-end ones
	go test -timeout 20m $$(go list ./... | grep -v /internal/e2e)

race: ## the packages that share memory between goroutines, under the race detector
	go test -race -short -timeout 20m ./crypto/... ./app ./abci ./rpc ./client/... ./gateway ./internal/sim
	go test -race -short -timeout 20m -run 'Random|Readers|Window|Views' ./ledger/store

e2e: build ## networks of real processes: kills, restarts, a liar among four, the README's commands
	TETRAD_BIN=$(CURDIR)/bin/tetrad go test -v -timeout 40m -count=1 ./internal/e2e

RUNS ?= 10

measure: build ## faults as a client sees them, timed, RUNS of each; on a quiet machine
	TETRAD_BIN=$(CURDIR)/bin/tetrad TETRAD_MEASURE=$(RUNS) go test -v -timeout 60m -count=1 \
		-run 'TestKilledNode|TestFrozenNode|TestTwoGateways|TestRoundRobinIsFair|TestGatewayOverhead' ./internal/e2e
	TETRAD_BIN=$(CURDIR)/bin/tetrad go test -v -timeout 60m -count=$(RUNS) -run 'TestPartitions' ./internal/e2e

OUT ?= bin/bench

bench: build ## networks under load: the standard set, reports in OUT
	scripts/bench-all $(OUT) main million overload ladder

bench-all: build ## everything docs/PERFORMANCE.md shows, peers included; a quarter of an hour
	scripts/bench-all $(OUT)

bench-plot: ## charts and tables of docs/PERFORMANCE.md from the reports in OUT
	go run ./scripts/bench-plot -reports $(OUT) -docs docs

bench-failover: build ## faults beside active-passive systems, raft and etcd: docs/FAILOVER.md; hours, see --reps and --deadline
	scripts/bench-failover/measure $(ARGS)

bench-go: ## benchmarks of the hot paths
	go test -run '^$$' -bench . -benchmem ./crypto/... ./ledger/... ./app

oldest: ## build and vet with the oldest Go that go.mod admits
	GOTOOLCHAIN=go1.25.0 go vet ./...

proto: ## generate ledger/wire.pb.go (needs protoc: apt-get install protobuf-compiler)
	@command -v protoc >/dev/null || { echo "protoc is missing: apt-get install protobuf-compiler"; exit 1; }
	scripts/gen-proto

clean: ## remove what was built
	rm -rf bin
