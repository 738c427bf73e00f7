"""PyG: a pass over all nodes in batches, on the CPU wherever they go: neighbours by a NeighborLoader (it needs pyg-lib or
torch-sparse, setup.sh), subgraphs of GraphSAINT without its norms, or of clusters by a ClusterLoader.
"""
import torch
import torch_geometric
from torch_geometric.data import Data
from torch_geometric.loader import (
    ClusterData,
    ClusterLoader,
    GraphSAINTEdgeSampler,
    GraphSAINTNodeSampler,
    GraphSAINTRandomWalkSampler,
    NeighborLoader,
)

from peer import arguments, load, serve, topology
from sample import passes

path, threads, device, _ = arguments()
torch.set_num_threads(threads)
indptr, indices = topology(path)
n = len(indptr) - 1
data = Data(edge_index=torch.stack([indices, torch.repeat_interleave(torch.arange(n), indptr.diff())]), num_nodes=n)


def saint(method, size):
    """As many batches as it takes to draw as many nodes as the graph has, as ours; an edge draws two of them, a walk three."""
    steps = lambda per_batch: -(-n // per_batch)
    if method == "saint-node":
        return GraphSAINTNodeSampler(data, batch_size=size, num_steps=steps(size), log=False)
    if method == "saint-edge":
        return GraphSAINTEdgeSampler(data, batch_size=size, num_steps=steps(2 * size), log=False)
    return GraphSAINTRandomWalkSampler(data, batch_size=size, walk_length=2, num_steps=steps(3 * size), log=False)


def clusters(file, per_batch):
    part = load(file, "part")[0].long()

    class GivenParts(ClusterData):
        def _metis(self, edge_index, num_nodes):
            return part

    return ClusterLoader(GivenParts(data, int(part.max()) + 1, log=False), batch_size=per_batch, shuffle=True)


def prepare(case):
    method, size = case["method"], case["batchSize"]
    if method == "cluster":
        loader = clusters(case["parts"], case["partsPerBatch"])
    elif method == "neighbor":
        loader = NeighborLoader(data, case["fanout"], batch_size=size, shuffle=True)
    else:
        loader = saint(method, size)
    return {type(loader).__name__: passes(lambda: (batch.to(device).num_edges for batch in loader), device)}


serve("pyg " + torch_geometric.__version__, prepare)
