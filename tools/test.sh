#!/usr/bin/env bash
# Runs every test and says how long each part took. Called by `make test`, which sets the folders.
# Some tests need root for namespaces and cgroups; where it is missing they print why they did less.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/test-tools.sh
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

# One selection of crates throughout, so that cargo unifies features once and compiles once.
part "compile the programs and the tests" cargo build --release --locked --workspace --bins --tests
part "style and structure" cargo test --release --locked --workspace --quiet --test style --test directions
part "everything: unit, property, simulation, containers, clusters" \
    cargo test --release --locked --workspace --quiet

echo
printf '%s\n' "${report[@]}"
if grep -q ' - cgroup ' /proc/self/mountinfo; then
    echo "not run: containers on cgroup v2 alone, which this machine is not: make test-cgroup2"
fi
echo "not run: Spark's own jobs, which are heavy: make test-spark"
echo "every test passed in $SECONDS s"
