"""Cluster-GCN in PyTorch Geometric: GCNConv on batches of its ClusterLoader.

The parts are those of the partition document. ClusterData asks METIS for its own (through pyg-lib or torch-sparse, which
are not needed here): the one function that does is replaced, and permutation, slicing and assembly of batches stay its.
"""
import torch
import torch.nn.functional as F
import torch_geometric
from torch_geometric.data import Data
from torch_geometric.loader import ClusterData, ClusterLoader
from torch_geometric.nn import GCNConv

from cluster import tensors, train
from peer import arguments

path, threads, device, case = arguments()
torch.set_num_threads(threads)
torch.manual_seed(0)
edges, x, y, (train_mask, test_mask), part = tensors(path, case)


class GivenParts(ClusterData):
    def _metis(self, edge_index, num_nodes):
        return part


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = GCNConv(x.size(1), case["hidden"])
        self.last = GCNConv(case["hidden"], int(y.max()) + 1)

    def forward(self, x, edges):
        x = F.dropout(x, 0.5, self.training)
        x = F.dropout(self.first(x, edges).relu(), 0.5, self.training)
        return self.last(x, edges)


data = Data(x=x, y=y, edge_index=edges, train_mask=train_mask)
parts = GivenParts(data, int(part.max()) + 1, log=False)
loader = ClusterLoader(parts, batch_size=case["partsPerBatch"], shuffle=True)
net = Net().to(device)


def batches():
    for batch in loader:
        batch = batch.to(device)
        yield lambda: net(batch.x, batch.edge_index), batch.y, batch.train_mask


def exact():
    right = net(x.to(device), edges.to(device)).argmax(1).cpu() == y
    return 1 - right[test_mask].float().mean().item()


train("pyg " + torch_geometric.__version__, net, (net.first, net.last), batches, exact, case, device)
