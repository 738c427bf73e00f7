#!/usr/bin/env bash
# Install the Debian packages that the native library needs, or print the exact line and stop.
set -euo pipefail
missing=()
need() { # header-or-program package
  if ! { [ -e "/usr/include/$1" ] || [ -e "/usr/include/x86_64-linux-gnu/$1" ] || command -v "$1" >/dev/null; }; then
    missing+=("$2")
  fi
}
need g++ g++
need openblas-pthread/cblas.h libopenblas-dev
need xxhash.h libxxhash-dev
need zstd.h libzstd-dev
need zlib.h zlib1g-dev
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
