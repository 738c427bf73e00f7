"""torch.sparse: CSR (int32) x dense, float32. The product always reads values: ones where ours reads none."""
import torch

from peer import arguments, serve, timed, topology

path, threads, _ = arguments()
torch.set_num_threads(threads)
indptr, indices = topology(path)
n = len(indptr) - 1
pattern = indptr.int(), indices.int()


def prepare(case):
    values = torch.ones(len(indices)) if case["weights"] == "none" else torch.rand(len(indices))
    matrix, x = torch.sparse_csr_tensor(*pattern, values, size=(n, n)), torch.rand(n, case["width"])

    def product():
        with torch.inference_mode():
            matrix @ x

    return {"int32": timed(product)}


serve("torch.sparse " + torch.__version__, prepare)
