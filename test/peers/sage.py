"""Mini-batch SAGE training, for the scripts of DGL and PyG: random data, and the times of sampling and training."""
import time

import torch
import torch.nn.functional as F


def random_data(n, case):
    """Features and labels of all nodes."""
    return torch.rand(n, case["features"]), torch.randint(case["classes"], (n,))


def training(net, batches, case):
    """A run for serve(): `batches(count)` yields (input, labels); net(input) gives the logits of the seeds."""
    optimizer = torch.optim.Adam(net.parameters(), 0.003)

    def run(repeat):
        count = case["batches"]
        sample = train = 0.0
        for _ in range(repeat):
            feed = iter(batches(count))
            for _ in range(count):
                start = time.perf_counter()
                inputs, labels = next(feed)
                drawn = time.perf_counter()
                optimizer.zero_grad()
                F.cross_entropy(net(inputs), labels).backward()
                optimizer.step()
                sample += (drawn - start) * 1e3
                train += (time.perf_counter() - drawn) * 1e3
        both = sample + train
        return {"ms": both, "sample": sample / count, "train": train / count, "total": both / count}

    return run
