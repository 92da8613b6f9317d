#!/bin/sh
# Checks formatting and, unless --format-only, runs clang-tidy with the commands of build/clang (made by `make clang`).
#   lint.sh [--format-only] [FILE...]     default: every source file of the project
set -eu
cd "$(dirname "$0")/.."

need() { command -v "$1" >/dev/null || { echo "lint: $1 is not installed (Debian 12: apt-get install -y $1)" >&2; exit 1; }; }

format_only=no
[ "${1-}" != --format-only ] || { format_only=yes; shift; }
[ $# -gt 0 ] || set -- $(find core kernels nn lora models datasets apps tests bench examples -name '*.[ch]pp' -o -name '*.cu' 2>/dev/null | sort)

need clang-format
clang-format --dry-run -Werror "$@"
[ "$format_only" = no ] || exit 0

need clang-tidy
[ -f build/clang/compile_commands.json ] || { echo "lint: no build/clang/compile_commands.json; run make clang first" >&2; exit 1; }
sources=$(printf '%s\n' "$@" | grep '\.cpp$' || true)
[ -z "$sources" ] || printf '%s\n' $sources | xargs -n 1 -P "$(nproc)" clang-tidy --quiet -p build/clang
