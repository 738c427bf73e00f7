"""Node data of a graph document as SciPy and NumPy arrays, for the scripts that train."""
import numpy as np
import scipy.sparse as sp

from peer import load


def node_data(path):
    """Adjacency (CSR, without self-loops), row-normalised features (CSR), labels, and the nodes of each split."""
    indptr, indices, fptr, findices, fvalues, dense, label, *split = load(
        path, "indptr", "indices", "feat.indptr", "feat.indices", "feat.values", "feat", "label",
        "split.train", "split.val", "split.test",
    )
    n = len(indptr) - 1
    adjacency = sp.csr_matrix((np.ones(len(indices), np.float32), indices.numpy(), indptr.numpy()), shape=(n, n))
    if dense is None:
        ones = np.ones(len(findices), np.float32)
        width = int(findices.max()) + 1
        values = ones if fvalues is None else fvalues.float().numpy()
        features = sp.csr_matrix((values, findices.numpy(), fptr.numpy()), shape=(n, width))
    else:
        features = sp.csr_matrix(dense.float().numpy())
    sums = np.maximum(np.asarray(abs(features).sum(1)).ravel(), 1e-12)
    features = sp.csr_matrix(sp.diags(1 / sums) @ features, dtype=np.float32)
    labels = label.numpy().astype(np.int64)
    if split[0] is None:
        split = drawn_split(labels)
    else:
        split = [part.numpy() for part in split]
    return adjacency, features, labels, split


def drawn_split(labels, train=20, val=30):
    """20 nodes per class to train and 30 to validate, the rest to test (Shchur et al. 2018)."""
    rng = np.random.default_rng(0)
    parts = [[], [], []]
    for c in range(labels.max() + 1):
        nodes = rng.permutation(np.flatnonzero(labels == c))
        for part, chosen in zip(parts, np.split(nodes, [train, train + val])):
            part.extend(chosen)
    return [np.array(part) for part in parts]
