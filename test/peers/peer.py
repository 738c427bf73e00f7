"""What the scripts of this folder share: the graph, and the talk with gust bench (core/bench/peer.ts has the words).

A script is started as `python SCRIPT GRAPH THREADS`; GRAPH is a gust graph document, which is a safetensors file with
the tensors `indptr` (int64) and `indices` (int32 or int64): the in-neighbours of every node.
"""
import json
import os
import sys
import time
import warnings

warnings.filterwarnings("ignore")


def arguments():
    """The graph's path, the threads to use, and the case where one is given (a script for whole processes)."""
    case = json.loads(sys.argv[3]) if len(sys.argv) > 3 else None
    return sys.argv[1], int(sys.argv[2]), case


def load(path, *names):
    """The named tensors of a document as PyTorch tensors; those that are not there are None."""
    from safetensors import safe_open

    with safe_open(path, "pt") as document:
        there = set(document.keys())
        return [document.get_tensor(name) if name in there else None for name in names]


def topology(path):
    """indptr and indices, both int64 for PyTorch's sake."""
    indptr, indices = load(path, "indptr", "indices")
    return indptr, indices.long()


def timed(body):
    """A run for serve(): the milliseconds of `repeat` calls."""

    def run(repeat):
        start = time.perf_counter()
        for _ in range(repeat):
            body()
        return {"ms": (time.perf_counter() - start) * 1e3}

    return run


def serve(name, prepare):
    """Answer requests until the input ends. prepare(case) gives the ways to do it by name: run(repeat) -> values."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer

    def say(reply):
        out.write(json.dumps(reply) + "\n")
        out.flush()

    say({"peer": name})
    ways = {}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "prepare" in request:
                ways = {}  # the old case's arrays go before the new one's come
                ways = prepare(request["prepare"])
                say({"variants": list(ways)})
            else:
                say({"values": ways[request["variant"]](request["run"])})
        except Exception as error:
            first = str(error).split("\n")[0]
            say({"error": f"{type(error).__name__}: {first}"})
