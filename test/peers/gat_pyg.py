"""PyG: one GATConv layer on the whole graph, forward, and backward to weights and input."""
import torch
import torch_geometric
from torch_geometric.nn import GATConv

from gat import both
from peer import arguments, serve, topology

path, threads, device, _ = arguments()
torch.set_num_threads(threads)
indptr, indices = topology(path)
n = len(indptr) - 1
edges = torch.stack([indices, torch.repeat_interleave(torch.arange(n), indptr.diff())]).to(device)


def prepare(case):
    net = GATConv(case["features"], case["width"], case["heads"], add_self_loops=False).to(device)
    return {"GATConv": both(lambda x: net(x, edges), n, case, device)}


serve("pyg " + torch_geometric.__version__, prepare)
