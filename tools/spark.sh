#!/usr/bin/env bash
# Makes a Python environment with a Spark that knows Mesos, and prints the environment's folder.
# Version 3.5 is the last with Mesos' backend. Java itself comes from the distribution.
set -euo pipefail

cache=${TEPUI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tepui}
env=$cache/pyspark-3.5.8

if ! command -v java >/dev/null; then
    { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; } || {
        echo "there is no Java: install openjdk-17-jdk-headless" >&2
        exit 1
    }
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        openjdk-17-jdk-headless >&2
fi

# Two tests may ask at the same time.
mkdir -p "$cache"
exec 9>"$cache/pyspark.lock"
flock 9
if [ ! -e "$env/ready" ]; then
    rm -rf "$env"
    {
        python3 -m venv "$env"
        pip=("$env/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir)
        "${pip[@]}" 'setuptools<70' wheel
        "${pip[@]}" --no-build-isolation pyspark==3.5.8
        touch "$env/ready"
    } >&2
fi
echo "$env"
