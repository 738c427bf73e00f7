"""A two-layer GCN in PyTorch Geometric, as most people write it: GCNConv on dense features, its adjacency as a list of
edges (with the normalisation cached) or as a normalised sparse tensor. One process, like gcn_torch.py.
"""
import json
import statistics

import torch
import torch.nn.functional as F
import torch_geometric
from torch_geometric.nn import GCNConv
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.utils import to_torch_csr_tensor

from nodes import node_data
from peer import arguments, clock

path, threads, device, case = arguments()
torch.set_num_threads(threads)
torch.manual_seed(0)
adjacency, features, labels, split = node_data(path)
n, hidden, classes = len(labels), case["hidden"], int(labels.max()) + 1
x, y = torch.from_numpy(features.toarray()).to(device), torch.from_numpy(labels).to(device)
train, val, test = (torch.from_numpy(part).to(device) for part in split)
coo = adjacency.tocoo()
edges = torch.stack([torch.from_numpy(a).long() for a in (coo.col, coo.row)]).to(device)
if case["way"] == "sparse":
    graph, options = to_torch_csr_tensor(*gcn_norm(edges, None, n), (n, n)), dict(normalize=False)
else:
    graph, options = edges, dict(cached=True)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = GCNConv(x.size(1), hidden, **options)
        self.last = GCNConv(hidden, classes, **options)

    def forward(self, x):
        x = F.dropout(x, 0.5, self.training)
        x = F.dropout(self.first(x, graph).relu(), 0.5, self.training)
        return self.last(x, graph)


net = Net().to(device)
groups = [dict(params=net.first.parameters(), weight_decay=5e-4), dict(params=net.last.parameters(), weight_decay=0)]
optimizer = torch.optim.Adam(groups, lr=0.01)
best, accuracy, times = -1, 0, []
for _ in range(case["epochs"]):
    start = clock(device)
    net.train()
    optimizer.zero_grad()
    F.cross_entropy(net(x)[train], y[train]).backward()
    optimizer.step()
    net.eval()
    with torch.no_grad():
        right = net(x).argmax(1) == y
    score = right[val].float().mean().item()
    if score >= best:
        best, accuracy = score, right[test].float().mean().item()
    times.append(clock(device) - start)
values = {"epoch": statistics.median(times), "test_error": 1 - accuracy}
print(json.dumps({"peer": "pyg " + torch_geometric.__version__, "values": values}))
