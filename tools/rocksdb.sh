#!/usr/bin/env bash
# Builds RocksDB once per machine and prints the folder that holds librocksdb.a.
#
# The sources are those of the pinned librocksdb-sys crate. Its own build compiles 343 files one by
# one, 20 to 26 minutes on two cores, and again for every profile and target folder. Most of that
# time goes into reading the same headers, so the files are compiled in groups instead: RocksDB is
# kept fit for that (its own `unity_test`). The archive is kept under the user's cache, named by
# version, where the next checkout finds it.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
version=$(sed -n '/^name = "librocksdb-sys"$/{n;s/^version = "\(.*\)"$/\1/p}' "$root/Cargo.lock")
[ -n "$version" ] || { echo "rocksdb.sh: Cargo.lock names no librocksdb-sys" >&2; exit 1; }
cache="${TEPUI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tepui}/rocksdb-$version"
if [ -f "$cache/librocksdb.a" ]; then echo "$cache"; exit 0; fi

cargo fetch --locked --manifest-path "$root/Cargo.toml" >&2
source=$(find "${CARGO_HOME:-$HOME/.cargo}/registry/src" -maxdepth 2 -name "librocksdb-sys-$version" | head -n 1)
[ -d "$source/rocksdb" ] || { echo "rocksdb.sh: the sources of librocksdb-sys $version are missing" >&2; exit 1; }

work="$cache.build.$$"
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT
per_group=14
grep -v '^util/build_version.cc$' "$source/rocksdb_lib_sources.txt" | sed 's/^ *//' | sort \
    | awk -v n="$per_group" -v out="$work" '{ printf "#include \"rocksdb/%s\"\n", $0 > sprintf("%s/group%03d.cc", out, int((NR - 1) / n)) }'
echo '#include "build_version.cc"' > "$work/version.cc"

flags=(-std=c++20 -O2 -g0 -fPIC -w -include cstdint -msse4.2 -mpclmul
    -I"$source" -I"$source/rocksdb/include" -I"$source/rocksdb"
    -DNDEBUG -DHAVE_ALIGNED_NEW -DHAVE_UINT128_EXTENSION -DOS_LINUX -DROCKSDB_PLATFORM_POSIX
    -DROCKSDB_LIB_IO_POSIX -DROCKSDB_SCHED_GETCPU_PRESENT -DROCKSDB_AUXV_GETAUXVAL_PRESENT
    -DROCKSDB_FALLOCATE_PRESENT -DROCKSDB_RANGESYNC_PRESENT)
[ "$(uname -m)" = x86_64 ] || flags=("${flags[@]/-msse4.2/}") flags=("${flags[@]/-mpclmul/}")

compile() {
    local unit=$1 started=$SECONDS
    shift
    "${CXX:-clang++}" "$@" -c "$unit" -o "${unit%.cc}.o"
    echo "rocksdb: $(basename "$unit" .cc) in $((SECONDS - started)) s" >&2
}
export -f compile
echo "rocksdb: building $version once for this machine, into $cache" >&2
find "$work" -name '*.cc' | sort | xargs -P "$(nproc)" -I{} bash -c 'compile "$@"' _ {} "${flags[@]}"
ar crs "$work/librocksdb.a" "$work"/*.o
rm "$work"/*.cc "$work"/*.o
trap - EXIT
mv -T "$work" "$cache" 2>/dev/null || rm -rf "$work"
[ -f "$cache/librocksdb.a" ] || { echo "rocksdb.sh: the build left no archive in $cache" >&2; exit 1; }
echo "rocksdb: built in $SECONDS s" >&2
echo "$cache"
