#!/usr/bin/env bash
# Runs each target of tests/fuzz under libFuzzer for some seconds (SECONDS_EACH, 60 unless it is
# set), from its kept corpus. What cargo-fuzz would set is set here. Where there is no nightly
# compiler, the stable one is told to take the same flags. Names of targets as arguments choose some
# of them.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo=(cargo +nightly)
if ! "${cargo[@]}" --version >/dev/null 2>&1; then
    echo "no nightly compiler is here: $(rustc --version) is told to take the flags of one" >&2
    cargo=(cargo)
    export RUSTC_BOOTSTRAP=1
fi
seconds=${SECONDS_EACH:-60}
host=$(rustc -vV | sed -n 's/^host: //p')
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/fuzz
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Zsanitizer=address -Cdebug-assertions -Ccodegen-units=1"
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    for file in fuzz/fuzz_targets/*.rs; do
        targets+=("$(basename "$file" .rs)")
    done
fi
build=()
for target in "${targets[@]}"; do
    build+=(--bin "$target")
done
"${cargo[@]}" build --manifest-path fuzz/Cargo.toml --release --target "$host" "${build[@]}"
for target in "${targets[@]}"; do
    found=fuzz/artifacts/$target kept=tests/fuzz/corpus/$target fresh=fuzz/corpus/$target
    mkdir -p "$found" "$fresh"
    folders=("$fresh")
    if [ -d "$kept" ]; then
        folders+=("$kept")
    fi
    echo "=== $target, $seconds s"
    "$CARGO_TARGET_DIR/$host/release/$target" -max_total_time="$seconds" -timeout=10 \
        -rss_limit_mb=1024 -artifact_prefix="$found/" -print_final_stats=1 "${folders[@]}" 2>&1 |
        grep -E 'ERROR|SUMMARY|panicked|number_of_executed|exec_per_sec|Test unit' || true
    if [ -n "$(ls -A "$found")" ]; then
        echo "$target cannot stand what is in $found" >&2
        exit 1
    fi
done
