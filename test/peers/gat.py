"""An attention layer's forward and backward pass, for the scripts of DGL and PyG."""
import time

import torch


def both(layer, n, case):
    """A run for serve(): `layer(x)` gives the outputs of all nodes. A case has `features`, `heads` and `width`."""
    x = torch.rand(n, case["features"], requires_grad=True)

    def run(repeat):
        forward = backward = 0.0
        for _ in range(repeat):
            start = time.perf_counter()
            out = layer(x)
            middle = time.perf_counter()
            out.sum().backward()
            forward += (middle - start) * 1e3
            backward += (time.perf_counter() - middle) * 1e3
        return {"forward": forward, "backward": backward, "total": forward + backward}

    return run
