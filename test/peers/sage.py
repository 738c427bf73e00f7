"""Mini-batch SAGE training, for the scripts of DGL and PyG: random data, and the times of sampling and training."""
import torch
import torch.nn.functional as F

from peer import clock


def random_data(n, case, device):
    """Features and labels of all nodes."""
    return torch.rand(n, case["features"], device=device), torch.randint(case["classes"], (n,), device=device)


def training(net, batches, case, device):
    """A run for serve(): `batches(count)` yields (input, labels); net(input) gives the logits of the seeds."""
    net.to(device)
    optimizer = torch.optim.Adam(net.parameters(), 0.003)

    def run(repeat):
        count = case["batches"]
        sample = train = 0.0
        for _ in range(repeat):
            feed = iter(batches(count))
            for _ in range(count):
                start = clock(device)
                inputs, labels = next(feed)
                drawn = clock(device)
                optimizer.zero_grad()
                F.cross_entropy(net(inputs), labels).backward()
                optimizer.step()
                sample += drawn - start
                train += clock(device) - drawn
        both = sample + train
        return {"ms": both, "sample": sample / count, "train": train / count, "total": both / count}

    return run
