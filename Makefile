# `make run` starts the shop; `make test` runs everything that CI runs. Both install what is missing.
.PHONY: run build test check unit browser browser-tools lease chaos model doc manifests test-containers bench bench-record bench-tools price tools test-tools help
.DEFAULT_GOAL := help

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

run: tools ## build in release mode and start the shop on http://localhost:8000 (ARGS='--shards 2' for more)
	cargo run --release --bin shop -- $(ARGS)

build: tools ## build everything, in release mode
	cargo build --release --workspace

test: check doc manifests unit browser lease ## everything that CI runs, but for containers
	@if docker info > /dev/null 2>&1; then echo "Not run here: the tests in containers (make test-containers)"; \
	else echo "SKIPPED: the tests in containers: no Docker engine runs here (make test-containers starts one where it may)"; fi

check: tools ## formatting and lints
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

doc: tools ## the documentation, without warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps

.PHONY: docs
docs: ## the book of docs/ as pages, in target/book, where mdBook is installed
	@command -v mdbook > /dev/null || { echo "mdBook is not installed: cargo install mdbook --locked" >&2; exit 1; }
	mdbook build

# Where tests keep their data: in memory, if there is room for it. An fsync on the disk of a busy machine may take seconds,
# which services rightly take for an outage.
unit browser lease: export TMPDIR := $(shell [ "$$(df -k --output=avail /dev/shm | tail -1)" -gt 4000000 ] && echo /dev/shm || echo $${TMPDIR:-/tmp})
unit: test-tools ## all tests: the front-door tests start real services, so these are built first
	cargo build --workspace --bins
	cargo test --workspace

browser: tools browser-tools ## the console in a real browser
	cargo build --workspace --bins
	cargo test --workspace --test browser -- --ignored

# What a browser test needs besides the browser: kept in target/, never part of Shardcart.
browser-tools:
	@scripts/install-tools.sh browser
	@mkdir -p target/browser
	@cmp -s test/browser/package-lock.json target/browser/installed || \
	  { cp test/browser/package.json test/browser/package-lock.json target/browser/ && \
	    npm ci --prefix target/browser --ignore-scripts --no-audit --no-fund && \
	    cp test/browser/package-lock.json target/browser/installed; }

# The front-door tests in which a checkout can meet recovery. Of the whole workspace, so that what `unit` has built is
# used: for one package, cargo chooses other features of some crates and builds anew.
LEASE_TESTS := batch_load consistency contract faults idempotency killed lost_shard model tombstones
lease: test-tools ## these once more, with a lease so short that recovery is always in the way
	cargo build --workspace --bins
	SHARDCART_TEST_LEASE_MS=20 cargo test --workspace $(LEASE_TESTS:%=--test %)

manifests: test-tools ## what deploy.sh renders, against the schemas of Kubernetes
	scripts/validate-manifests.sh

test-containers: test-tools ## the system in containers, with a Docker engine: with one of its own where none runs
	scripts/containers/test.sh

DURATION ?= 2m
chaos: tools ## the whole cluster under random faults (DURATION=30m SEED=7; without SEED a random one)
	cargo build --workspace --bins
	cargo run --quiet --package shardcart-test --bin chaos -- --duration $(DURATION) $(if $(SEED),--seed $(SEED))

model: tools ## every state that the checkout's model can be in: the large scenarios, too
	cargo run --release --package shardcart-model

bench: bench-tools ## whether a checkout is still as cheap as on record: five minutes
	target/release/benchmark kept

bench-record: bench-tools ## the same, and put what is found on record
	target/release/benchmark kept --record

price: bench-tools ## what a checkout costs in CPU time, in three settings: a quarter of an hour
	target/release/benchmark price

bench-tools:
	@scripts/install-tools.sh nginx
	cargo build --release --workspace --bins --target-dir target

tools: ## install what is missing
	@scripts/install-tools.sh

test-tools: tools ## install what only the tests need
	@scripts/install-tools.sh test
