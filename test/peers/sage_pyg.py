"""PyG: mini-batch training of two SAGEConv layers on a NeighborLoader, which needs torch-sparse (setup.sh)."""
import torch
import torch.nn.functional as F
import torch_geometric
from torch_geometric.data import Data
from torch_geometric.loader import NeighborLoader
from torch_geometric.nn import SAGEConv

from peer import arguments, serve, topology
from sage import random_data, training

path, threads, device, _ = arguments()
torch.set_num_threads(threads)
indptr, indices = topology(path)
n = len(indptr) - 1
edges = torch.stack([indices, torch.repeat_interleave(torch.arange(n), indptr.diff())])


class Net(torch.nn.Module):
    def __init__(self, case):
        super().__init__()
        self.first = SAGEConv(case["features"], case["hidden"])
        self.last = SAGEConv(case["hidden"], case["classes"])

    def forward(self, batch):
        h = F.relu(self.first(batch.x, batch.edge_index))
        return self.last(h, batch.edge_index)[: batch.batch_size]


def prepare(case):
    x, y = random_data(n, case, "cpu")
    data = Data(x=x, y=y, edge_index=edges)
    seeds = torch.randperm(n)[: case["batches"] * case["batchSize"]]
    loader = NeighborLoader(data, case["fanout"], input_nodes=seeds, batch_size=case["batchSize"], shuffle=True)

    def batches(_):
        for batch in loader:
            batch = batch.to(device)
            yield batch, batch.y[: batch.batch_size]

    return {"NeighborLoader": training(Net(case), batches, case, device)}


serve("pyg " + torch_geometric.__version__, prepare)
