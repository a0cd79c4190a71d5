#!/usr/bin/env bash
# Installs what the build needs and this machine lacks: a C++ compiler and libclang (for RocksDB) from
# the distribution, and Rust by rustup. Prints nothing when nothing is missing.
set -euo pipefail

rust_needed=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$(dirname "$0")/../Cargo.toml")
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

packages=()
command -v clang++ >/dev/null || packages+=(clang)
command -v ar >/dev/null || packages+=(binutils)
command -v cc >/dev/null || packages+=(gcc libc6-dev)
command -v git >/dev/null || packages+=(git)
command -v curl >/dev/null || packages+=(curl ca-certificates)
ldconfig -p | grep -q 'libclang[-.0-9]*\.so' || packages+=(libclang-dev)
if [ "${#packages[@]}" -gt 0 ]; then
    command -v apt-get >/dev/null || {
        echo "setup: please install ${packages[*]} with your package manager" >&2
        exit 1
    }
    echo "setup: installing ${packages[*]}" >&2
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2
fi

rust_found=$(cargo --version 2>/dev/null | awk '{ print $2 }' || true)
oldest=$(printf '%s\n%s\n' "$rust_needed" "${rust_found:-0}" | sort -V | head -n 1)
if [ "$oldest" != "$rust_needed" ]; then
    echo "setup: Rust $rust_needed or newer is needed, ${rust_found:-none} is here; installing it by rustup" >&2
    if command -v rustup >/dev/null; then
        rustup toolchain install stable --profile minimal --component clippy,rustfmt
    else
        curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs \
            | sh -s -- -y --profile minimal --component clippy,rustfmt
    fi
fi
