"""Triton: CSR x dense, float32, as most people would write it: a program per row, all columns at once."""
import sys

import torch

from peer import arguments, serve, timed, topology

path, _, device, _ = arguments()
if device == "cpu":
    sys.exit("triton runs on a GPU alone: give --device cuda")
import triton
import triton.language as tl

torch.cuda.set_device(device)
indptr, indices = topology(path)
n = len(indptr) - 1
indptr, indices = indptr.to(device), indices.int().to(device)


@triton.jit
def row_kernel(indptr, indices, values, x, out, width, COLUMNS: tl.constexpr, WEIGHTED: tl.constexpr):
    row = tl.program_id(0)
    columns = tl.arange(0, COLUMNS)
    inside = columns < width
    total = tl.zeros([COLUMNS], dtype=tl.float32)
    for e in range(tl.load(indptr + row), tl.load(indptr + row + 1)):
        source = tl.load(indices + e).to(tl.int64)
        added = tl.load(x + source * width + columns, mask=inside, other=0.0)
        if WEIGHTED:
            added *= tl.load(values + e)
        total += added
    tl.store(out + row.to(tl.int64) * width + columns, total, mask=inside)


def prepare(case):
    width, is_weighted = case["width"], case["weights"] != "none"
    x, out = torch.rand(n, width, device=device), torch.empty(n, width, device=device)
    values = torch.rand(len(indices), device=device)

    def product(warps):
        def body():
            row_kernel[(n,)](
                indptr, indices, values, x, out, width,
                COLUMNS=triton.next_power_of_2(width), WEIGHTED=is_weighted, num_warps=warps,
            )

        return timed(body, device)

    return {f"{warps} warps": product(warps) for warps in (1, 2, 4)}


serve("triton " + triton.__version__, prepare)
