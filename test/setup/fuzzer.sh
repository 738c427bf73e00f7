#!/usr/bin/env bash
# Print the compiler for fuzzing: a clang that has libFuzzer and _Float16, else g++.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { _Float16 h = 1; return h != 1; }' > "$folder/try.cpp"
for clang in clang++-19 clang++-18 clang++-17 clang++-16 clang++; do
  if "$clang" -fsanitize=fuzzer,address,undefined "$folder/try.cpp" -o "$folder/try" 2>/dev/null; then
    echo "$clang"
    exit
  fi
done
echo "no clang with libFuzzer: a driver without coverage takes its place" >&2
echo g++
