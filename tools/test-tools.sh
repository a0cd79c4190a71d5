#!/usr/bin/env bash
# Installs what tests use and this machine lacks: a static busybox for roots of containers, the
# standard plugins of CNI and what these call, runc, on which checks of containers are tried first,
# and strace, to kill an agent at any point of its work. Says which tests do less without them.
set -euo pipefail

packages=()
command -v ip >/dev/null || packages+=(iproute2)
command -v iptables >/dev/null || packages+=(iptables)
[ -x /bin/busybox ] || packages+=(busybox-static)
command -v strace >/dev/null || packages+=(strace)
[ -x /usr/lib/cni/bridge ] || packages+=(containernetworking-plugins)
command -v runc >/dev/null || packages+=(runc)
if [ "${#packages[@]}" = 0 ]; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null \
    && apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2; then
    exit 0
fi
echo "tests: without ${packages[*]} the tests of images, networks, containers and recovery do less" >&2
