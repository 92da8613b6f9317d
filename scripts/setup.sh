#!/bin/sh
# Installs the Debian packages that are named in the given lists (default: packages.txt) and missing. Asks nothing; where nothing
# is missing, does nothing. On another system, only looks for what is needed and names what is not there.
set -eu
cd "$(dirname "$0")"
[ $# -gt 0 ] || set -- packages.txt
packages=$(sed 's/#.*//' "$@")

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

is_debian_12() { command -v dpkg-query >/dev/null && (. /etc/os-release && [ "$ID-${VERSION_ID:-}" = debian-12 ]) 2>/dev/null; }

# Tells what a system without these packages lacks: commands by name, libraries by a file that they install.
check_other_system() {
  lacking=
  for tool in cmake ninja g++ python3 pkg-config gnuplot; do
    command -v "$tool" >/dev/null || lacking="$lacking $tool"
  done
  command -v g++ >/dev/null && while read -r library header; do
    echo "#include <$header>" | g++ -x c++ -std=c++20 -I/usr/include/eigen3 -fsyntax-only - 2>/dev/null || lacking="$lacking $library"
  done <<LIBRARIES
Eigen-3.4 Eigen/Core
nlohmann-json nlohmann/json.hpp
CLI11 CLI/CLI.hpp
zlib zlib.h
Catch2-2.13 catch2/catch.hpp
LIBRARIES
  [ -z "$lacking" ] && return
  echo "setup: this is not Debian 12, so nothing is installed. Please install:$lacking" >&2
  echo "setup: (Debian 12 calls them:" $packages")" >&2
  exit 1
}

if ! is_debian_12; then
  check_other_system
  exit 0
fi

missing=
for package in $packages; do
  is_installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
  as_root=sudo
  command -v sudo >/dev/null || { echo "setup: not root and no sudo; as root: apt-get install -y --no-install-recommends$missing" >&2; exit 1; }
fi

echo "setup: installing$missing"
install="$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=120$missing"
# On a new machine the lists of packages are absent or out of date; elsewhere they need not be fetched.
$install 2>/dev/null && exit 0
$as_root apt-get update
$install
