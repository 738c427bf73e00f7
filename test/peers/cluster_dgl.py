"""Cluster-GCN in DGL: GraphConv on the subgraphs of its ClusterGCNSampler, through its DataLoader.

The parts are those of the partition document, put where the sampler keeps the parts that METIS gave it before.
"""
import os
import pickle
import tempfile

import dgl
import torch
import torch.nn.functional as F
from dgl.nn import GraphConv

from cluster import tensors, train
from peer import arguments

path, threads, device, case = arguments()
torch.set_num_threads(threads)
torch.manual_seed(0)
edges, x, y, (train_mask, test_mask), part = tensors(path, case)
count = int(part.max()) + 1
# Self-loops of the whole graph are those of every subgraph.
graph = dgl.add_self_loop(dgl.graph((edges[0], edges[1]), num_nodes=len(y)))
graph.ndata.update(x=x, y=y, train=train_mask)
graph.create_formats_()
del edges


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = GraphConv(x.size(1), case["hidden"])
        self.last = GraphConv(case["hidden"], int(y.max()) + 1)

    def forward(self, graph, x):
        x = F.dropout(x, 0.5, self.training)
        x = F.dropout(self.first(graph, x).relu(), 0.5, self.training)
        return self.last(graph, x)


with tempfile.TemporaryDirectory() as folder:
    cache = os.path.join(folder, "parts.pkl")
    sizes = torch.bincount(part, minlength=count)
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), sizes.cumsum(0)])
    with open(cache, "wb") as file:
        pickle.dump((offsets, torch.argsort(part, stable=True)), file)
    sampler = dgl.dataloading.ClusterGCNSampler(graph, count, cache, prefetch_ndata=["x", "y", "train"])
loader = dgl.dataloading.DataLoader(
    graph, torch.arange(count), sampler, batch_size=case["partsPerBatch"], shuffle=True, drop_last=False, device=device
)
net = Net().to(device)


def batches():
    for batch in loader:
        yield lambda: net(batch, batch.ndata["x"]), batch.ndata["y"], batch.ndata["train"]


def exact():
    whole = graph.to(device)
    right = net(whole, whole.ndata["x"]).argmax(1).cpu() == y
    return 1 - right[test_mask].float().mean().item()


train("dgl " + dgl.__version__, net, (net.first, net.last), batches, exact, case, device)
