"""Sparse x dense: gust beside torch.sparse, weighted CSR, float32, in turns on the same graph.

    python3 -m venv VENV && VENV/bin/pip install torch safetensors numpy
    VENV/bin/python test/peers/spmm_torch.py GRAPH [WIDTH,...] [THREADS]

GUST names the program (default: build/gust). Prints one JSON line per width: median milliseconds of both over all
rounds and their ratio.
"""
import json
import os
import statistics
import subprocess
import sys
import time
import warnings

import torch
from safetensors.torch import load_file

warnings.filterwarnings("ignore", message="Sparse")
ROUNDS, RUNS = 3, 7


def torch_times(matrix, x):
    with torch.inference_mode():
        for _ in range(2):
            matrix @ x
        times = []
        for _ in range(RUNS):
            start = time.perf_counter()
            matrix @ x
            times.append((time.perf_counter() - start) * 1e3)
    return times


def gust_time(path, width, threads):
    program = os.environ.get("GUST", "build/gust").split()
    options = ["--width", str(width), "--runs", str(RUNS), "-@", str(threads), "--json", "-q"]
    report = subprocess.run([*program, "bench", "spmm", path, *options], check=True, capture_output=True)
    return json.loads(report.stdout)["results"][0]


def main():
    path = sys.argv[1]
    widths = [int(f) for f in sys.argv[2].split(",")] if len(sys.argv) > 2 else [32, 64, 128]
    threads = int(sys.argv[3]) if len(sys.argv) > 3 else len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    graph = load_file(path)
    n, nnz = len(graph["indptr"]) - 1, len(graph["indices"])
    pattern = graph["indptr"].to(torch.int32), graph["indices"].to(torch.int32)
    matrix = torch.sparse_csr_tensor(*pattern, torch.rand(nnz), size=(n, n))
    for width in widths:
        x = torch.rand(n, width)
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(gust_time(path, width, threads))
            theirs += torch_times(matrix, x)
        gust_ms = statistics.median(r["median_ms"] for r in ours)
        torch_ms = statistics.median(theirs)
        print(json.dumps({
            "width": width,
            "gust_ms": round(gust_ms, 2),
            "gust_of_roofline": round(max(r["of_roofline"] for r in ours), 2),
            "torch": torch.__version__,
            "torch_ms": round(torch_ms, 2),
            "torch_over_gust": round(torch_ms / gust_ms, 2),
        }), flush=True)


main()
