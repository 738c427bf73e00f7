"""torch.sparse: CSR (int32) x dense, float32. The product always reads values: ones where ours reads none."""
import torch

from peer import arguments, serve, timed, topology

path, threads, device, _ = arguments()
torch.set_num_threads(threads)
indptr, indices = topology(path)
n = len(indptr) - 1
pattern = indptr.int().to(device), indices.int().to(device)


def prepare(case):
    make = torch.ones if case["weights"] == "none" else torch.rand
    matrix = torch.sparse_csr_tensor(*pattern, make(len(indices), device=device), size=(n, n))
    x = torch.rand(n, case["width"], device=device)

    def product():
        with torch.inference_mode():
            matrix @ x

    return {"int32": timed(product, device)}


serve("torch.sparse " + torch.__version__, prepare)
