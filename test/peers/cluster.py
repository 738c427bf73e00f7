"""What the Cluster-GCN scripts share: node data with dense features, the parts of a partition document, and training:
two layers of a GCN with dropout 0.5, Adam, epochs without scoring and one exact scoring on the whole graph at the end.
"""
import json
import statistics

import torch
import torch.nn.functional as F

from nodes import drawn_split
from peer import clock, load, topology


def tensors(path, case):
    """Edges from source to target, dense features, labels, masks of training and test nodes, the part of every node."""
    indptr, indices = topology(path)
    x, y, train, test = load(path, "feat", "label", "split.train", "split.test")
    x, y = sparse_rows(path) if x is None else x.float(), y.long()
    if train is None:
        train, _, test = (torch.from_numpy(nodes) for nodes in drawn_split(y.numpy()))
    edges = torch.stack([indices, torch.repeat_interleave(torch.arange(len(y)), indptr.diff())])
    masks = [torch.zeros(len(y), dtype=torch.bool).index_fill(0, nodes, True) for nodes in (train, test)]
    return edges, x, y, masks, load(case["parts"], "part")[0].long()


def sparse_rows(path):
    """Features that are stored sparse, as dense rows."""
    indptr, columns, values = load(path, "feat.indptr", "feat.indices", "feat.values")
    columns = columns.long()
    x = torch.zeros(len(indptr) - 1, int(columns.max()) + 1)
    rows = torch.repeat_interleave(torch.arange(len(x)), indptr.diff())
    x[rows, columns] = torch.ones(len(columns)) if values is None else values.float()
    return x


def train(peer, net, layers, batches, exact, case, device):
    """Run the epochs and print the values. batches() yields (output of the net, labels, mask of training nodes) of each
    batch; exact() gives the share of wrong test nodes."""
    first, last = layers
    groups = [dict(params=first.parameters(), weight_decay=5e-4), dict(params=last.parameters(), weight_decay=0)]
    optimizer = torch.optim.Adam(groups, lr=0.01)
    times = []
    for _ in range(case["epochs"]):
        start = clock(device)
        net.train()
        for forward, y, mask in batches():
            if not bool(mask.any()):
                continue
            optimizer.zero_grad()
            F.cross_entropy(forward()[mask], y[mask]).backward()
            optimizer.step()
        times.append(clock(device) - start)
    net.eval()
    with torch.no_grad():
        error = exact()
    print(json.dumps({"peer": peer, "values": {"epoch": statistics.median(times), "test_error": error}}))
