"""DGL: neighbour sampling of all nodes in batches, as blocks that are ready for training; and GraphBolt's sampler
with a compaction by sorting, where the release has it.
"""
import dgl
import torch

from peer import arguments, serve, topology
from sample import passes

path, threads, device, _ = arguments()
torch.set_num_threads(threads)
indptr, indices = topology(path)
n = len(indptr) - 1
graph = dgl.graph(("csc", (indptr, indices, [])), num_nodes=n).to(device)


def blocks(fanout):
    # DGL counts layers from the first, ours from the last: the seeds take the first of our numbers.
    sampler = dgl.dataloading.NeighborSampler(fanout[::-1])
    return lambda seeds: sum(block.num_edges() for block in sampler.sample_blocks(graph, seeds)[2])


def fused(fanout):
    import dgl.graphbolt as gb

    sampled = gb.fused_csc_sampling_graph(indptr.to(device), indices.to(device))
    counts = [torch.tensor([count]) for count in fanout]

    def batch(seeds):
        edges, nodes = 0, seeds
        for count in counts:
            found = sampled.sample_neighbors(nodes, count).sampled_csc.indices
            edges += len(found)
            nodes = torch.unique(torch.cat([nodes, found]))
        return edges

    return batch


def feeds(batch, size):
    """What gives the numbers of edges of a pass, batch by batch."""

    def feed():
        order = torch.randperm(n, device=device).split(size)
        return (batch(seeds) for seeds in order)

    return passes(feed, device)


def prepare(case):
    ways = {"NeighborSampler": feeds(blocks(case["fanout"]), case["batchSize"])}
    try:
        graphbolt = fused(case["fanout"])
        graphbolt(torch.arange(min(n, 10), device=device))
        ways["graphbolt"] = feeds(graphbolt, case["batchSize"])
    except Exception:
        pass  # releases differ in what they ship of it
    return ways


serve("dgl " + dgl.__version__, prepare)
