"""What the scripts of this folder share: the graph, and the talk with gust bench (core/bench/peer.ts has the words).

A script is started as `python SCRIPT GRAPH THREADS --device cpu`, or `cuda:0`; GRAPH is a gust graph document, which is
a safetensors file with the tensors `indptr` (int64) and `indices` (int32 or int64): the in-neighbours of every node.
"""
import argparse
import json
import os
import sys
import time
import warnings

warnings.filterwarnings("ignore")


def arguments():
    """The graph's path, the threads and the device to use, and the case of a script for whole processes (else None)."""
    parser = argparse.ArgumentParser()
    parser.add_argument("graph")
    parser.add_argument("threads", type=int)
    parser.add_argument("case", type=json.loads, nargs="?")
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    return given.graph, given.threads, given.device, given.case


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


def clock(device):
    """Milliseconds since some moment, once the device has done what it was asked to."""
    if device != "cpu":
        import torch

        torch.cuda.synchronize(device)
    return time.perf_counter() * 1e3


def timed(body, device):
    """A run for serve(): the milliseconds of `repeat` calls."""

    def run(repeat):
        start = clock(device)
        for _ in range(repeat):
            body()
        return {"ms": clock(device) - start}

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
