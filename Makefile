# `make run` starts the shop; `make test` runs everything that CI runs. Both install what is missing.
.PHONY: run build test check unit lease doc manifests test-containers bench tools test-tools help
.DEFAULT_GOAL := help

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

run: tools ## build in release mode and start the shop on http://localhost:8000 (ARGS='--shards 2' for more)
	cargo run --release --bin shop -- $(ARGS)

build: tools ## build everything, in release mode
	cargo build --release --workspace

test: check doc manifests unit lease ## everything that CI runs, but for containers

check: tools ## formatting and lints
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

doc: tools ## the documentation, without warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps

unit: test-tools ## all tests: the front-door tests start real services, so these are built first
	cargo build --workspace --bins
	cargo test --workspace

lease: test-tools ## the front-door tests once more, with a lease so short that recovery is always in the way
	cargo build --workspace --bins
	SHARDCART_TEST_LEASE_MS=20 cargo test --package shardcart-test

manifests: test-tools ## what deploy.sh renders, against the schemas of Kubernetes
	scripts/validate-manifests.sh

test-containers: test-tools ## the system in containers, with a Docker engine: with one of its own where none runs
	scripts/containers/test.sh

bench: tools ## what a checkout costs on this machine
	benchmark/run.sh

tools: ## install what is missing
	@scripts/install-tools.sh

test-tools: tools ## install what only the tests need
	@scripts/install-tools.sh test
