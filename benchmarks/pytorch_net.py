"""The lesson's ResNet-18 in PyTorch, channels last, for `benchmarks/bench.py`.

    .venv-bench/bin/python -m benchmarks.pytorch_net eager|compiled
"""
import sys

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.serve import serve

BATCH, SIZE, STEPS, BATCHES, SIDE = 64, 96, 10, 12, 4096  # as in contender.py


class Residual(nn.Module):
    def __init__(self, inputs, channels, same_shape=True):
        super().__init__()
        stride = 1 if same_shape else 2
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride, 1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Identity() if same_shape else nn.Conv2d(inputs, channels, 1, stride)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x), inplace=True)


def new_net():
    blocks, inputs = [], 64
    for channels in (64, 128, 256, 512):
        blocks += [Residual(inputs, channels, inputs == channels), Residual(channels, channels)]
        inputs = channels
    return nn.Sequential(nn.Conv2d(1, 64, 7, 2), nn.MaxPool2d(3, 2), *blocks,
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


net = new_net().to(memory_format=torch.channels_last)
assert sum(p.numel() for p in net.parameters()) == 11_178_250  # as many as the lesson's
if sys.argv[1] == 'compiled':
    net.compile()  # at the first call, which serve does before it measures
optimizer = torch.optim.SGD(net.parameters(), lr=1e-4)
x = torch.rand(BATCH, 1, SIZE, SIZE).contiguous(memory_format=torch.channels_last)
y = torch.randint(0, 10, (BATCH,))


def train():
    """What utils.train does: steps that look at the loss and count hits, then one test batch."""
    net.train()
    hits = 0
    for _ in range(STEPS):
        optimizer.zero_grad()
        out = net(x)
        loss = F.cross_entropy(out, y)
        assert loss.item() < 1e9
        loss.backward()
        optimizer.step()
        hits += (out.argmax(1) == y).sum()
    evaluate(1)
    return hits.item()


def evaluate(batches=BATCHES):
    net.eval()
    with torch.inference_mode():
        return sum((net(x).argmax(1) == y).sum() for _ in range(batches)).item()


@torch.inference_mode()
def one_by_one():
    net.eval()
    return [net(x[i:i + 1]).numpy() for i in range(BATCH)]


a, b = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
serve({'train': train, 'infer': evaluate, 'one by one': one_by_one, 'matmul': lambda: a @ b})
