#!/usr/bin/env bash
# Runs every test and says how long each part took. Called by `make test`, which sets the folders.
# Some tests need root for namespaces and cgroups; where it is missing they print why they did less.
set -euo pipefail
cd "$(dirname "$0")/.."

ROCKSDB_LIB_DIR=$(tools/rocksdb.sh)
export ROCKSDB_LIB_DIR ROCKSDB_STATIC=1

report=()
part() {
    local name=$1 started=$SECONDS
    shift
    echo "=== $name"
    "$@"
    report+=("$(printf '%6d s  %s' $((SECONDS - started)) "$name")")
}

test_of() { cargo test --release --locked --quiet "$@"; }

part "compile the program and the tests" cargo test --release --locked --workspace --no-run
part "compile the one binary" cargo build --release --locked --workspace --bins
part "style and structure" test_of -p tepui-tidy
part "unit and property tests" test_of --workspace \
    --exclude tepui-tidy --exclude tepui-sim --exclude tepui-cluster-tests
part "simulation of the real cores, seeded" test_of -p tepui-sim
part "clusters of the real binaries" test_of -p tepui-cluster-tests -- --test-threads 2

echo
printf '%s\n' "${report[@]}"
echo "every test passed in $SECONDS s"
