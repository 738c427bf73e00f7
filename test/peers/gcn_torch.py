"""A two-layer GCN in plain PyTorch, as fast as we can write it: sparse features that dropout changes in place of a
dense copy, hand-made backward passes that use the symmetry of the adjacency, a fused optimizer. One process: trains,
validates each epoch, prints the median milliseconds of an epoch.
"""
import json
import statistics

import numpy as np
import scipy.sparse as sp
import torch
import torch.nn.functional as F

from nodes import node_data
from peer import arguments, clock

path, threads, device, case = arguments()
torch.set_num_threads(threads)
torch.manual_seed(0)
adjacency, features, labels, (train, val, test) = node_data(path)
n, classes = len(labels), int(labels.max()) + 1

loops = (adjacency + sp.eye(n, dtype=np.float32)).tocsr()
scale = sp.diags(np.asarray(loops.sum(1)).ravel() ** -0.5)
normalised = sp.csr_matrix(scale @ loops @ scale, dtype=np.float32)
normalised.sort_indices()


def on_device(array):
    return torch.from_numpy(array).to(device)


def tensor(matrix):
    arrays = (on_device(a) for a in (matrix.indptr, matrix.indices, matrix.data))
    return torch.sparse_csr_tensor(*arrays, size=matrix.shape)


A, X = tensor(normalised), tensor(features)
# Where each value of the transposed features comes from, so that dropped values need no new transpose.
numbered = sp.csr_matrix((np.arange(1, features.nnz + 1), features.indices, features.indptr), shape=features.shape)
transposed = numbered.T.tocsr()
XT_indptr, XT_indices = on_device(transposed.indptr), on_device(transposed.indices)
origin = on_device(transposed.data - 1)


class TimesWeights(torch.autograd.Function):
    """X(values) @ W; X is constant, so that the gradient is X^T @ g alone."""

    @staticmethod
    def forward(ctx, values, W):
        ctx.values = values
        return torch.sparse_csr_tensor(X.crow_indices(), X.col_indices(), values, size=X.shape) @ W

    @staticmethod
    def backward(ctx, g):
        XT = torch.sparse_csr_tensor(XT_indptr, XT_indices, ctx.values[origin], size=(X.shape[1], n))
        return None, XT @ g


class Propagate(torch.autograd.Function):
    """A @ H; A is constant and symmetric."""

    @staticmethod
    def forward(ctx, H):
        return A @ H

    @staticmethod
    def backward(ctx, g):
        return A @ g


hidden = case["hidden"]
W1, W2 = (torch.nn.Parameter(torch.empty(shape, device=device)) for shape in ((X.shape[1], hidden), (hidden, classes)))
b1, b2 = (torch.nn.Parameter(torch.zeros(width, device=device)) for width in (hidden, classes))
torch.nn.init.xavier_uniform_(W1)
torch.nn.init.xavier_uniform_(W2)
groups = [dict(params=[W1, b1], weight_decay=5e-4), dict(params=[W2, b2], weight_decay=0)]
optimizer = torch.optim.Adam(groups, lr=0.01, fused=True)


def forward(training):
    values = F.dropout(X.values(), 0.5, training)
    h = F.dropout((Propagate.apply(TimesWeights.apply(values, W1)) + b1).relu(), 0.5, training)
    return Propagate.apply(h @ W2) + b2


y, train, val, test = (on_device(a) for a in (labels, train, val, test))
best, accuracy, times = -1, 0, []
for _ in range(case["epochs"]):
    start = clock(device)
    optimizer.zero_grad()
    F.cross_entropy(forward(True)[train], y[train]).backward()
    optimizer.step()
    with torch.no_grad():
        right = forward(False).argmax(1) == y
    score = right[val].float().mean().item()
    if score >= best:
        best, accuracy = score, right[test].float().mean().item()
    times.append(clock(device) - start)
values = {"epoch": statistics.median(times), "test_error": 1 - accuracy}
print(json.dumps({"peer": "torch " + torch.__version__, "values": values}))
