"""DGL: one GATConv layer on the whole graph, forward, and backward to weights and input."""
import dgl
import torch
from dgl.nn import GATConv

from gat import both
from peer import arguments, serve, topology

path, threads, device, _ = arguments()
torch.set_num_threads(threads)
indptr, indices = topology(path)
n = len(indptr) - 1
# From pairs: a graph made of a CSC has no numbers of edges, which sums over edges need.
graph = dgl.graph((indices, torch.repeat_interleave(torch.arange(n), indptr.diff())), num_nodes=n).to(device)


def prepare(case):
    net = GATConv(case["features"], case["width"], case["heads"], allow_zero_in_degree=True).to(device)
    return {"GATConv": both(lambda x: net(graph, x), n, case, device)}


serve("dgl " + dgl.__version__, prepare)
