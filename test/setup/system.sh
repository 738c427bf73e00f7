#!/usr/bin/env bash
# Install the Debian packages that the native library and its tests need, or print the exact line and stop.
# With "browser": the one that the tests of HTML pages open them with; with "fuzz": a clang that has libFuzzer; with
# "valgrind": that. They are large and not for everybody.
set -euo pipefail
missing=()
need() { # header-or-program package
  if ! { [ -e "/usr/include/$1" ] || [ -e "/usr/include/x86_64-linux-gnu/$1" ] || command -v "$1" >/dev/null; }; then
    missing+=("$2")
  fi
}
# Tests that use it are skipped where it is missing: nobody without root is held up by it.
want() { # program package
  if [ "$(id -u)" = 0 ]; then need "$1" "$2"; fi
}
if [ "${1:-}" = browser ]; then
  want chromium chromium
elif [ "${1:-}" = valgrind ]; then
  want valgrind valgrind
elif [ "${1:-}" = fuzz ]; then
  want clang++-16 clang-16
  [ ${#missing[@]} -eq 0 ] || missing+=(libclang-rt-16-dev)
else
  need g++ g++
  need openblas-pthread/cblas.h libopenblas-dev
  need xxhash.h libxxhash-dev
  need zstd.h libzstd-dev
  need zlib.h zlib1g-dev
  want groff groff-base
  command -v nvcc >/dev/null || python3 -m pip --version >/dev/null 2>&1 || want pip3 python3-pip
fi
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing ${missing[*]}" >&2
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "gust needs Debian packages that are missing here. Run this line, then make again:" >&2
  echo "  sudo apt-get install ${missing[*]}" >&2
  exit 1
fi
