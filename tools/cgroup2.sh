#!/usr/bin/env bash
# Runs the tests of containers on a machine with cgroup v2 alone: Debian's own kernel, booted in an
# emulator. `make test-cgroup2` calls it. Arguments go to the tests, as in `cargo test -- NAME`;
# `figures` measures containers beside other runtimes instead.
#
# Emulation is software's: it runs where the host gives no virtual machines, ten times slower. A
# root of Debian's packages, the kernel and the emulator are downloaded once, into the cache, and
# nothing is installed. The tests are compiled static, into a folder of their own.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${TEPUI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tepui}
target=${CARGO_TARGET_DIR:-$PWD/target}/cgroup2
# Compiled in a third of the time that a release takes, and fast enough to be emulated.
export CARGO_PROFILE_DEV_OPT_LEVEL=${CARGO_PROFILE_DEV_OPT_LEVEL:-1} CARGO_PROFILE_DEV_DEBUG=0
profile=${TEPUI_CGROUP2_PROFILE:-dev}
limit=${TEPUI_CGROUP2_TIMEOUT:-1500}
# What the guest has: what the tests call, and other runtimes to compare ours with.
packages=(bash dash coreutils findutils grep gawk sed procps hostname perl-base util-linux mount
    iproute2 iptables kmod base-passwd busybox-static containernetworking-plugins runc crun)

say() { echo "cgroup2: $*"; }
fail() { echo "cgroup2: $*" >&2; exit 1; }

# The packages that apt would install, for a machine that has what is said.
closure() { apt-get install -s --no-install-recommends "$@" | awk '/^Inst/ { print $2 }'; }

# Downloads packages and unpacks them into a folder.
unpack() {
    local folder=$1
    shift
    mkdir -p "$folder/debs"
    (cd "$folder/debs" && apt-get download -qq "$@" 2>&1 | { grep -v unsandboxed || true; })
    for package in "$folder"/debs/*.deb; do dpkg-deb -x "$package" "$folder"; done
    rm -rf "$folder/debs"
}

get_emulator() {
    local missing
    if command -v qemu-system-x86_64 >/dev/null; then
        mkdir -p "$1/qemu"
        return
    fi
    say "getting qemu from Debian, without installing it"
    mapfile -t missing < <(closure qemu-system-x86)
    unpack "$1/qemu" "${missing[@]}"
}

get_kernel() {
    local name
    name=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p')
    [ -n "$name" ] || fail "Debian's kernel linux-image-cloud-amd64 is not known here: apt-get update"
    say "getting Debian's kernel $name"
    unpack "$1/kernel" "$name"
    cp "$1"/kernel/boot/vmlinuz-* "$1/vmlinuz"
}

get_root() {
    local all
    say "getting what the guest has: ${packages[*]}"
    mapfile -t all < <(closure -o Dir::State::status=/dev/null "${packages[@]}")
    [ "${#all[@]}" -gt 0 ] || fail "apt does not know these packages: apt-get update"
    mkdir -p "$1/root"/usr/{bin,sbin,lib,lib64}
    for name in bin sbin lib lib64; do ln -s "usr/$name" "$1/root/$name"; done
    unpack "$1/root" "${all[@]}"
    rm -rf "$1/root/usr/share/"{doc,man,locale,info,perl5,i18n}
}

# The root's image, and the few modules that it takes to find it.
make_images() {
    local root=$1/root modules version
    version=$(basename "$1"/kernel/lib/modules/*)
    cp -r "$1/kernel/lib/modules" "$root/lib/"
    # The guest's own tool, whether or not this machine has one.
    "$root"/lib64/ld-linux-x86-64.so.2 --argv0 depmod \
        --library-path "$root/usr/lib/x86_64-linux-gnu" "$root/bin/kmod" -b "$root" "$version"
    mkdir -p "$root"/{proc,sys,dev,run,tmp,var,root,tests,etc,home,media,mnt,opt,srv}
    cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
    cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
    ln -sf dash "$root/bin/sh"
    for name in iptables iptables-save iptables-restore ip6tables; do
        [ -e "$root/usr/sbin/$name" ] || ln -s xtables-nft-multi "$root/usr/sbin/$name"
    done
    sed 's/:.*/:*:19000:0:99999:7:::/' "$root/etc/passwd" >"$root/etc/shadow"
    chmod 640 "$root/etc/shadow"
    printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
    echo cgroup2 >"$root/etc/hostname"
    truncate -s 1G "$1/root.img"
    mke2fs -q -t ext4 -O ^has_journal -E root_owner=0:0 -d "$root" "$1/root.img"

    mkdir -p "$1/first"/{bin,proc,dev,root}
    cp "$root/bin/busybox" "$1/first/bin/"
    modules=$root/lib/modules/$version/kernel
    for name in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk; do
        find "$modules" -name "$name.ko" -exec cp {} "$1/first/" \;
    done
    rm -rf "$root" "$1/kernel"
}

# Everything that is downloaded, in a folder that is there whole or not at all.
get_machine() {
    command -v apt-get >/dev/null && [ "$(dpkg --print-architecture)" = amd64 ] \
        || fail "it takes Debian's packages for amd64, which this machine does not get"
    command -v mke2fs >/dev/null || PATH=$PATH:/sbin:/usr/sbin
    rm -rf "$machine.new"
    mkdir -p "$machine.new"
    apt-cache show crun >/dev/null 2>&1 || apt-get update -qq
    get_emulator "$machine.new"
    get_kernel "$machine.new"
    get_root "$machine.new"
    make_images "$machine.new"
    mv "$machine.new" "$machine"
}

compile() {
    RUSTFLAGS="-C target-feature=+crt-static" CARGO_TARGET_DIR=$target cargo test --locked \
        --profile "$profile" --target x86_64-unknown-linux-gnu --package tepui-containers \
        --no-run --message-format=json-render-diagnostics >"$target.json"
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' "$target.json" | sort -u
}

# The tests, each at the path where it was compiled: that is where it looks for its programs.
make_tests() {
    local folder=$1 file
    shift
    mkdir -p "$folder/files" "$work/first"
    cp -r "$machine/first/." "$work/first"
    install -m 755 tools/cgroup2/first.sh "$work/first/init"
    (cd "$work/first" && find . | bin/busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$work/first.gz"
    cp tools/cgroup2/guest.sh "$folder/run"
    for file in "${programs[@]}"; do
        echo "$file" >>"$folder/programs"
        cp "$file" "$folder/files/"
        strip "$folder/files/$(basename "$file")" 2>/dev/null || true
    done
    printf '%s\n' "$@" >"$folder/arguments"
    # A file system with quotas of projects, which nothing in the guest makes.
    truncate -s 64M "$folder/projects.img"
    mke2fs -q -t ext4 -I 256 -O quota,project -E quotatype=prjquota "$folder/projects.img"
    truncate -s 512M "$folder.img"
    mke2fs -q -t ext4 -O ^has_journal -d "$folder" "$folder.img"
}

run_guest() {
    local libraries=$machine/qemu/usr/lib/x86_64-linux-gnu data=$machine/qemu/usr/share
    # Some packages have theirs beside `usr`.
    local all=$libraries:$machine/qemu/lib/x86_64-linux-gnu
    local emulator=(qemu-system-x86_64)
    if [ -x "$machine/qemu/usr/bin/qemu-system-x86_64" ]; then
        emulator=(env "LD_LIBRARY_PATH=$all" "QEMU_MODULE_DIR=$libraries/qemu"
            "$machine/qemu/usr/bin/qemu-system-x86_64" -L "$data/qemu" -L "$data/seabios")
    fi
    timeout --foreground "$limit" "${emulator[@]}" -accel tcg,thread=multi -cpu max -smp 2 -m 2048 \
        -nodefaults -display none -no-reboot -serial stdio -kernel "$machine/vmlinuz" \
        -initrd "$work/first.gz" -append "console=ttyS0 quiet cgroup_no_v1=all panic=-1" \
        -drive "file=$machine/root.img,format=raw,if=virtio,snapshot=on" \
        -drive "file=$work/tests.img,format=raw,if=virtio,snapshot=on" </dev/null
}

main() {
    machine=$cache/cgroup2-1
    mkdir -p "$cache" "$target"
    exec 9>"$cache/.cgroup2.lock"
    flock 9
    [ -d "$machine" ] || get_machine
    flock -u 9
    say "compiling the tests of containers, static"
    mapfile -t programs < <(compile)
    [ "${#programs[@]}" -gt 0 ] || fail "the tests do not compile"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    make_tests "$work/tests" "$@"
    say "booting: what follows is the guest's (it has $limit s)"
    run_guest | tee "$work/console" | sed -u 's/\r$//' || say "the guest was ended"
    code=$(tr -d '\r' <"$work/console" | sed -n 's/^cgroup2-exit: \([0-9]*\)$/\1/p')
    [ -n "$code" ] || fail "the guest did not come to its end within $limit s (TEPUI_CGROUP2_TIMEOUT)"
    say "the guest's tests exited with $code after $SECONDS s"
    exit "$code"
}

main "$@"
