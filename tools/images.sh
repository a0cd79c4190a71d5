#!/usr/bin/env bash
# Gets what the tests of images use from the distribution, into the cache and without installing it:
# a registry (docker-registry) and what their images hold (busybox-static). Prints the folder.
set -euo pipefail

cache=${TEPUI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tepui}
folder=$cache/debian-images
exec 9>"$cache/.debian-images.lock"
flock 9
if [ ! -x "$folder/usr/bin/docker-registry" ] || [ ! -x "$folder/bin/busybox" ]; then
    command -v apt-get >/dev/null || { echo "images: only Debian's packages are known here" >&2; exit 1; }
    rm -rf "$folder.new"
    mkdir -p "$folder.new"
    (
        cd "$folder.new"
        apt-get download -qq docker-registry busybox-static >&2
        for package in *.deb; do dpkg -x "$package" . && rm "$package"; done
    )
    rm -rf "$folder"
    mv "$folder.new" "$folder"
fi
echo "$folder"
