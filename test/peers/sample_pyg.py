"""PyG: neighbour sampling of all nodes in batches by a NeighborLoader, on the CPU wherever batches go. It needs pyg-lib
or torch-sparse (setup.sh).
"""
import torch
import torch_geometric
from torch_geometric.data import Data
from torch_geometric.loader import NeighborLoader

from peer import arguments, serve, topology
from sample import passes

path, threads, device, _ = arguments()
torch.set_num_threads(threads)
indptr, indices = topology(path)
n = len(indptr) - 1
data = Data(edge_index=torch.stack([indices, torch.repeat_interleave(torch.arange(n), indptr.diff())]), num_nodes=n)


def prepare(case):
    loader = NeighborLoader(data, case["fanout"], batch_size=case["batchSize"], shuffle=True)
    return {"NeighborLoader": passes(lambda: (batch.to(device).num_edges for batch in loader), device)}


serve("pyg " + torch_geometric.__version__, prepare)
