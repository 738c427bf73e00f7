"""DGL: mini-batch training of two SAGEConv layers on blocks of NeighborSampler."""
import dgl
import torch
import torch.nn.functional as F
from dgl.nn import SAGEConv

from peer import arguments, serve, topology
from sage import random_data, training

path, threads, device, _ = arguments()
torch.set_num_threads(threads)
indptr, indices = topology(path)
n = len(indptr) - 1
graph = dgl.graph(("csc", (indptr, indices, [])), num_nodes=n).to(device)


class Net(torch.nn.Module):
    def __init__(self, case):
        super().__init__()
        self.first = SAGEConv(case["features"], case["hidden"], "mean")
        self.last = SAGEConv(case["hidden"], case["classes"], "mean")

    def forward(self, inputs):
        blocks, x = inputs
        return self.last(blocks[1], F.relu(self.first(blocks[0], x)))


def prepare(case):
    x, y = random_data(n, case, device)
    sampler = dgl.dataloading.NeighborSampler(case["fanout"][::-1])

    def batches(count):
        for seeds in torch.randperm(n, device=device)[: count * case["batchSize"]].split(case["batchSize"]):
            nodes, out, blocks = sampler.sample_blocks(graph, seeds)
            yield (blocks, x[nodes]), y[out]

    return {"NeighborSampler": training(Net(case), batches, case, device)}


serve("dgl " + dgl.__version__, prepare)
