"""A block of cwic in a network that has nothing to do with coding: cross-window attention in an image classifier.

Learns to tell which way noisy stripes run, in a few seconds on a CPU: `python examples/plug_in.py`.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cwic.nn import CrossWindowAttentionModule

ANGLES = 4
STEPS = 60


def classifier(classes: int = ANGLES, channels: int = 16) -> nn.Sequential:
    """A plain CNN, `[B, 1, H, W]` to `[B, classes]`; the module keeps the shape of its input, any H and W."""
    return nn.Sequential(
        nn.Conv2d(1, channels, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, stride=2, padding=1),
        CrossWindowAttentionModule(channels, window=4, shift=2, heads=4, units=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(channels, classes),
    )


def stripes(count: int, side: int = 32) -> tuple[Tensor, Tensor]:
    """Pictures `[count, 1, side, side]` of noisy stripes, and which of the `ANGLES` directions they run in."""
    target = torch.randint(ANGLES, (count,))
    angle = (math.pi / ANGLES * target)[:, None, None]
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    phase = 2 * math.pi * torch.rand(count, 1, 1)
    waves = torch.sin(phase + rows * torch.sin(angle) + columns * torch.cos(angle))
    return (waves + torch.randn_like(waves))[:, None], target


def main() -> None:
    """Train, and print how often the classifier is right."""
    torch.manual_seed(0)
    model = classifier()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(STEPS):
        x, target = stripes(64)
        loss = F.cross_entropy(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 20 == 0:
            print(f"step {step:3}  loss {loss.item():.3f}")
    with torch.no_grad():
        x, target = stripes(512)
        right = (model(x).argmax(dim=1) == target).float().mean().item()
    print(f"right on {right:.0%} of 512 new pictures; a guess is right on {1 / ANGLES:.0%}")


if __name__ == "__main__":
    main()
