"""DGL: a pass over all nodes in batches that are ready for training: blocks of neighbours (uniform, labor), subgraphs of
GraphSAINT, or of clusters; and GraphBolt's sampler with a compaction by sorting, where the release has it.
"""
import os
import pickle
import tempfile

import dgl
import torch

from peer import arguments, load, serve, topology
from sample import passes

path, threads, device, _ = arguments()
torch.set_num_threads(threads)
indptr, indices = topology(path)
n = len(indptr) - 1
graph = dgl.graph(("csc", (indptr, indices, [])), num_nodes=n).to(device)


def blocks(sampler):
    return lambda seeds: sum(block.num_edges() for block in sampler.sample_blocks(graph, seeds)[2])


def fused(fanout, labor):
    import dgl.graphbolt as gb

    sampled = gb.fused_csc_sampling_graph(indptr.to(device), indices.to(device))
    draw = sampled.sample_layer_neighbors if labor else sampled.sample_neighbors
    counts = [torch.tensor([count]) for count in fanout]

    def batch(seeds):
        edges, nodes = 0, seeds
        for count in counts:
            found = draw(nodes, count).sampled_csc.indices
            edges += len(found)
            nodes = torch.unique(torch.cat([nodes, found]))
        return edges

    return batch


def seeds(batch, size):
    """Of a way to make a batch of seeds: what gives the numbers of edges of a pass."""

    def feed():
        order = torch.randperm(n, device=device).split(size)
        return (batch(seeds) for seeds in order)

    return passes(feed, device)


def neighbours(fanout, size, labor):
    # DGL counts layers from the first, ours from the last: the seeds take the first of our numbers.
    name = "LaborSampler" if labor else "NeighborSampler"
    ways = {name: seeds(blocks(getattr(dgl.dataloading, name)(fanout[::-1])), size)}
    try:
        graphbolt = fused(fanout, labor)
        graphbolt(torch.arange(min(n, 10), device=device))
        ways["graphbolt"] = seeds(graphbolt, size)
    except Exception:
        pass  # releases differ in what they ship of it
    return ways


def saint(mode, size):
    """As many batches as it takes to draw as many nodes as the graph has, as ours; an edge draws two of them, a walk three."""
    budget = (size, 2) if mode == "walk" else size
    sampler = dgl.dataloading.SAINTSampler(mode=mode, budget=budget)
    count = -(-n // (size * {"node": 1, "edge": 2, "walk": 3}[mode]))
    return {f"SAINTSampler {mode}": passes(lambda: (sampler.sample(graph, 0).num_edges() for _ in range(count)), device)}


def clusters(file, per_batch):
    part = load(file, "part")[0].long()
    count = int(part.max()) + 1
    with tempfile.TemporaryDirectory() as folder:
        # Where the sampler keeps the parts that METIS gave it before.
        cache = os.path.join(folder, "parts.pkl")
        offsets = torch.cat([torch.zeros(1, dtype=torch.int64), torch.bincount(part, minlength=count).cumsum(0)])
        with open(cache, "wb") as out:
            pickle.dump((offsets, torch.argsort(part, stable=True)), out)
        sampler = dgl.dataloading.ClusterGCNSampler(graph, count, cache)

    def feed():
        return (sampler.sample(graph, ids).num_edges() for ids in torch.randperm(count).split(per_batch))

    return {"ClusterGCNSampler": passes(feed, device)}


def prepare(case):
    method, size = case["method"], case["batchSize"]
    if method.startswith("saint-"):
        return saint(method.removeprefix("saint-"), size)
    if method == "cluster":
        return clusters(case["parts"], case["partsPerBatch"])
    return neighbours(case["fanout"], size, method == "labor")


serve("dgl " + dgl.__version__, prepare)
