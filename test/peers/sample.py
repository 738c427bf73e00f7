"""Passes of neighbour sampling, for the scripts of DGL and PyG."""
from peer import clock


def passes(feed, device):
    """A run for serve(): `feed()` gets a pass ready and gives the numbers of sampled edges, batch by batch."""

    def run(repeat):
        feeds = [feed() for _ in range(repeat)]
        start = clock(device)
        edges = sum(map(sum, feeds))
        ms = clock(device) - start
        return {"ms": ms, "per_million": repeat * ms / max(edges / 1e6, 1e-6)}

    return run
