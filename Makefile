# `make run` starts the shop; `make test` runs everything that CI runs. Both install what is missing.
.PHONY: run build test check doc docs unit browser lease cluster-operations suites programs browser-tools clients client-tools crates chaos model manifests test-long \
  test-containers bench bench-record bench-tools price tools test-tools help
.DEFAULT_GOAL := help

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

run: tools ## build in release mode and start the shop on http://localhost:8000 (ARGS='--shards 2' for more)
	cargo run --release --bin shop -- $(ARGS)

.PHONY: demo
demo: ## load 30 products into the shop that runs at SHOP (default http://localhost:8000)
	@demo/load.sh

build: tools ## build everything, in release mode
	cargo build --release --workspace

test: check doc manifests suites ## everything that CI runs, but for containers
	@if docker info > /dev/null 2>&1; then echo "Not run here: the tests in containers (make test-containers)"; \
	else echo "SKIPPED: the tests in containers: no Docker engine runs here (make test-containers starts one where it may)"; fi

check: tools ## formatting and lints
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

doc: tools ## the documentation, without warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps

docs: ## the book of docs/ as pages, in target/book, where mdBook is installed
	@command -v mdbook > /dev/null || { echo "mdBook is not installed: cargo install mdbook --locked" >&2; exit 1; }
	mdbook build

# The front-door tests, a program each. A checkout can meet recovery in LEASE_SUITES, so these run once more, with a lease
# so short that recovery is always in the way.
SUITES := $(patsubst test/tests/%/main.rs,%,$(wildcard test/tests/*/main.rs))
LEASE_SUITES := faults door
# The test programs of all other crates.
CRATE_TESTS := $(sort $(basename $(notdir $(wildcard */tests/*.rs */*/tests/*.rs))) \
  $(notdir $(patsubst %/main.rs,%,$(wildcard */tests/*/main.rs */*/tests/*/main.rs))))
CRATE_TESTS := $(filter-out $(SUITES),$(CRATE_TESTS))

# Where tests keep their data: in memory, if there is room for it. An fsync on the disk of a busy machine may take seconds,
# which services rightly take for an outage.
TEST_TMPDIR := $(shell [ "$$(df -k --output=avail /dev/shm | tail -1)" -gt 4000000 ] && echo /dev/shm || echo $${TMPDIR:-/tmp})
suites unit crates lease browser browser-suite clients clients-suite suite-% lease-% cluster-operations: export TMPDIR := $(TEST_TMPDIR)

# Tests wait more than they work: faults and door, run twice, use half of two cores, and the others less. So two suites
# run side by side; more would slow each other down until timeouts end what they should not. Those that take long come
# first, in an order in which faults do not run beside faults.
SIDE_BY_SIDE ?= 2
SUITES_IN_ORDER := lease-faults lease-door suite-door suite-faults browser-suite clients-suite cluster-operations crates
suites: programs browser-tools client-tools ## all tests, some of them also with a short lease (SIDE_BY_SIDE=1: one suite after the other)
	@echo "$(SIDE_BY_SIDE) suites run side by side; each is shown when it has ended"
	@$(MAKE) --no-print-directory --jobs=$(SIDE_BY_SIDE) --output-sync=target \
	  $(SUITES_IN_ORDER) $(filter-out $(SUITES_IN_ORDER),$(LEASE_SUITES:%=lease-%) $(SUITES:%=suite-%))

unit: programs ## all tests once, one after the other
	cargo test --workspace

lease: programs ## the front-door tests in which a checkout can meet recovery, with a lease that is always too short
	@$(MAKE) --no-print-directory $(LEASE_SUITES:%=lease-%)

browser: programs browser-tools ## the console in a real browser
	@$(MAKE) --no-print-directory browser-suite

clients: programs client-tools ## the description of /v1, by programs that others made: is it valid, do clients of it work
	@$(MAKE) --no-print-directory clients-suite

# Every call of cargo is for the whole workspace: for one package it chooses other features of some crates, and builds anew.
programs: test-tools
	cargo test --workspace --no-run
	cargo build --workspace --bins

suite-%:
	cargo test --workspace --test $*

lease-%:
	SHARDCART_TEST_LEASE_MS=20 cargo test --workspace --test $*

# The operations of the services on Redis servers that are clusters: no script may touch keys of two shards. A server waits
# for two seconds before it is a cluster, so many tests run at a time.
cluster-operations:
	SHARDCART_TEST_CLUSTER=1 cargo test --workspace --test operations -- --test-threads 12

browser-suite:
	cargo test --workspace --test operate -- --ignored browser::

clients-suite:
	cargo test --workspace --test clients -- --ignored

crates:
	cargo test --workspace --lib --bins $(CRATE_TESTS:%=--test %)
	cargo test --workspace --doc

# Races and a million products, in release mode for the figures that are printed.
test-long: test-tools ## what takes long: five minutes of races for handles, a million products
	TMPDIR=$(TEST_TMPDIR) cargo test --release --workspace --test operations -- --ignored --nocapture --test-threads 1 \
	  handle_race million

# What a browser test needs besides the browser: kept in target/, never part of Shardcart.
browser-tools:
	@scripts/install-tools.sh browser
	@mkdir -p target/browser
	@cmp -s test/browser/package-lock.json target/browser/installed || \
	  { cp test/browser/package.json test/browser/package-lock.json target/browser/ && \
	    npm ci --prefix target/browser --ignore-scripts --no-audit --no-fund && \
	    cp test/browser/package-lock.json target/browser/installed; }

# What reads the description of /v1 and makes clients of it, from PyPI and npm: kept in target/, never part of Shardcart.
client-tools: test-tools
	@command -v npm > /dev/null || scripts/install-tools.sh browser
	@mkdir -p target/clients
	@cmp -s test/clients/requirements.txt target/clients/requirements.txt || \
	  { python3 -m venv --clear target/clients/python && \
	    target/clients/python/bin/pip install --quiet --disable-pip-version-check --retries 10 \
	      --requirement test/clients/requirements.txt && \
	    cp test/clients/requirements.txt target/clients/requirements.txt; }
	@cmp -s test/clients/package-lock.json target/clients/installed || \
	  { cp test/clients/package.json test/clients/package-lock.json target/clients/ && \
	    npm ci --prefix target/clients --ignore-scripts --no-audit --no-fund && \
	    cp test/clients/package-lock.json target/clients/installed; }

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
