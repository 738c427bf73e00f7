"""DGL: sums over in-neighbours, float32. copy_u where there are no weights, u_mul_e with a weight per edge."""
import dgl
import dgl.ops
import torch

from peer import arguments, serve, timed, topology

path, threads, device, _ = arguments()
torch.set_num_threads(threads)
indptr, indices = topology(path)
n = len(indptr) - 1
wide = dgl.graph(("csc", (indptr, indices, [])), num_nodes=n).formats("csc").to(device)
graphs = {"int32": wide.int().formats("csc"), "int64": wide}


def prepare(case):
    x = torch.rand(n, case["width"], device=device)
    weights = None if case["weights"] == "none" else torch.rand(len(indices), 1, device=device)

    def product(graph):
        def body():
            with torch.inference_mode():
                if weights is None:
                    dgl.ops.copy_u_sum(graph, x)
                else:
                    dgl.ops.u_mul_e_sum(graph, x, weights)

        return timed(body, device)

    name = "copy_u" if weights is None else "u_mul_e"
    # The weighted sum takes seconds: one width of index will do for it.
    kinds = graphs if weights is None else {"int32": graphs["int32"]}
    return {f"{name} {index}": product(graph) for index, graph in kinds.items()}


serve("dgl " + dgl.__version__, prepare)
