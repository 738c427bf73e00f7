#!/bin/bash
# The virtual environments of the peers, outside of the tree: GUST_PEERS (default ~/.cache/gust-peers).
# DGL's last release on PyPI needs an old PyTorch, so it has one of its own. Several GB, some minutes.
#
#     test/peers/setup.sh [torch] [dgl]        (default: both)
set -euo pipefail
folder="${GUST_PEERS:-$HOME/.cache/gust-peers}"
[ $# -gt 0 ] || set -- torch dgl

for name in "$@"; do
  case "$name" in
    torch) packages=(torch==2.15.0 torch-geometric==2.8.1 safetensors==0.8.0 numpy==2.4.6 scipy==1.17.1) ;;
    dgl) packages=(torch==2.2.1 torchdata==0.7.1 numpy==1.26.4 dgl==2.1.0 pandas pydantic pyyaml
      setuptools==65.5.0 scipy==1.17.1 safetensors==0.8.0) ;;
    *) echo "setup.sh: no environment \"$name\", expected torch or dgl" >&2; exit 2 ;;
  esac
  mkdir -p "$folder"
  [ -x "$folder/$name/bin/python" ] || python3 -m venv "$folder/$name"
  "$folder/$name/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"
  # DGL's first import writes its settings, and says so on standard output.
  [ "$name" != dgl ] || "$folder/dgl/bin/python" -W ignore -c "import dgl" > /dev/null
done

# PyG samples neighbours with torch-sparse alone, which is built from source: minutes, and it needs a C++ compiler.
# Without it everything but `bench sage --peer pyg` works.
if [[ " $* " == *" torch "* ]]; then
  "$folder/torch/bin/pip" install --quiet --disable-pip-version-check setuptools wheel
  "$folder/torch/bin/pip" install --quiet --disable-pip-version-check --no-build-isolation \
    torch-scatter torch-sparse || echo "setup.sh: torch-sparse did not build: no mini-batches with PyG" >&2
fi
