#!/usr/bin/env bash
# Makes a Python environment with clients of Mesos that others wrote, and prints its interpreter.
# They are old: the parser that pymesos uses is made anew from its own source.
set -euo pipefail

cache=${TEPUI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tepui}
env=$cache/python-clients-1
python=$env/bin/python

if [ ! -e "$env/ready" ]; then
    rm -rf "$env"
    mkdir -p "$cache"
    {
        python3 -m venv "$env"
        pip=("$python" -m pip install --quiet --disable-pip-version-check)
        "${pip[@]}" 'setuptools<70' wheel cython==0.29.37 mesoshttp==0.4.2
        source=$(mktemp -d)
        trap 'rm -rf "$source"' EXIT
        "$python" -m pip download --quiet --no-deps --no-binary :all: \
            --dest "$source" http-parser==0.9.0
        tar -xzf "$source"/http-parser-0.9.0.tar.gz -C "$source"
        (
            cd "$source/http-parser-0.9.0"
            "$env/bin/cython" http_parser/parser.pyx
            "${pip[@]}" --no-build-isolation .
        )
        "${pip[@]}" pymesos==0.3.15
        touch "$env/ready"
    } >&2
fi
echo "$python"
