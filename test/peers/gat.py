"""An attention layer's forward and backward pass, for the scripts of DGL and PyG."""
import torch

from peer import clock


def both(layer, n, case, device):
    """A run for serve(): `layer(x)` gives the outputs of all nodes. A case has `features`, `heads` and `width`."""
    x = torch.rand(n, case["features"], device=device, requires_grad=True)

    def run(repeat):
        forward = backward = 0.0
        for _ in range(repeat):
            start = clock(device)
            out = layer(x)
            middle = clock(device)
            out.sum().backward()
            forward += middle - start
            backward += clock(device) - middle
        return {"forward": forward, "backward": backward, "total": forward + backward}

    return run
