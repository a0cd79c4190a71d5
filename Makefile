# Everything a newcomer needs. `make` alone lists it. Each target installs what it lacks.

SHELL := /bin/bash
CACHE := $(or $(TEPUI_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tepui)
export TEPUI_CACHE := $(CACHE)
# Each checkout has its own: in a shared one cargo takes what another checkout built for its own.
export CARGO_TARGET_DIR ?= $(CURDIR)/target
export PATH := $(HOME)/.cargo/bin:$(PATH)
# RocksDB is compiled once per machine; see tools/rocksdb.sh.
ROCKSDB = ROCKSDB_STATIC=1 ROCKSDB_LIB_DIR="$$(tools/rocksdb.sh)"
CARGO = $(ROCKSDB) cargo

.PHONY: help demo test test-cgroup2 test-spark build check bench docs clean setup fuzz

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

demo: build ## a master, three agents, a web service and a batch job, on this machine
	tools/demo.sh

test: setup ## every test: unit, property, simulation, real clusters, style
	tools/test.sh

test-cgroup2: setup ## the containers on cgroup v2 alone: Debian's kernel in an emulator; TESTS=name
	tools/cgroup2.sh $(TESTS)

test-spark: setup ## Spark's own jobs on a cluster: two minutes, and 350 MB from PyPI once
	TEPUI_TEST_SPARK=1 $(CARGO) test --release --locked --workspace --test spark -- --nocapture

build: setup ## the one binary, bin/tepui, and bin/libmesos.so for frameworks on the JVM
	$(CARGO) build --release --locked --workspace --bins --lib
	@mkdir -p bin && ln -sfn "$(CARGO_TARGET_DIR)/release/tepui" bin/tepui \
	&& ln -sfn "$(CARGO_TARGET_DIR)/release/libmesos.so" bin/libmesos.so

check: setup ## formatting, lints, documentation, licences
	cargo fmt --all --check
	$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --locked --workspace --no-deps
	@if cargo deny --version >/dev/null 2>&1; then cargo deny --locked check licenses bans sources; \
	else echo "licences were not checked: cargo-deny is not installed (cargo install cargo-deny)"; fi

bench: build ## the figures of docs/performance.md, one line each; BENCH=--large for all sizes
	$(CARGO) run --release --locked --package tepui-bench -- $(BENCH)

fuzz: setup ## every reader of bytes from outside under libFuzzer; SECONDS_EACH=60
	tools/fuzz.sh $(TARGETS)

docs: setup ## the crates' documentation, in a browser's form
	$(CARGO) doc --release --locked --workspace --no-deps

clean: ## remove what was built from this checkout's crates, keep the dependencies
	cargo clean --release --workspace
	rm -rf bin

setup:
	@tools/setup.sh
