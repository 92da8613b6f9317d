#!/bin/sh
# Collects what a build of lora_core needs of this Debian 12 machine besides compiler, CMake and CUDA (headers, and zlib as a static
# library), so that it can be carried to a machine that lacks them: bundle_headers.sh DIR, then -DCMAKE_PREFIX_PATH=DIR/usr there.
set -eu
[ $# = 1 ] || { sed -n '2,3p' "$0" >&2; exit 2; }
mkdir -p "$1"
dpkg -L libeigen3-dev nlohmann-json3-dev libcli11-dev catch2 zlib1g-dev | grep -E '^/usr/(include|share|lib)/' | grep -vE '/(doc|man|lintian)(/|$)|unsupported' |
  while read -r path; do
    [ -d "$path" ] || { mkdir -p "$1$(dirname "$path")" && cp -L "$path" "$1$path"; }
  done
rm -f "$1"/usr/lib/*/libz.so  # a link to the library of this machine
du -sh "$1"
