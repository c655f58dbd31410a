"""Two of the paper's modules in a codec that has neither: a plain mean-scale hyperprior with them plugged in.

Trains it for a few seconds on the photographs beside this file: `python examples/plug_in_codec.py`. That shows that the
modules fit and learn along with the rest. What they are worth takes hours of training to say, and results/ablation
says it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from cwic.config import Cwam2024Config
from cwic.lab.cwam2024 import Cwam2024Model
from cwic.models.catalog import CATALOG
from cwic.nn import CrossWindowAttentionModule, FeatureEncoding

N = 16
SIDE = 64
LMBDA = 0.013
STEPS = 15


def plain() -> Cwam2024Model:
    """The mean-scale hyperprior of the catalogue, of N channels."""
    config = cast(Cwam2024Config, CATALOG["mean-scale-hyperprior"].config)
    return Cwam2024Model(replace(config, N=N))


def plugged_in() -> Cwam2024Model:
    """The same, with feature encoding at both ends and cross-window attention at 1/16 of the resolution.

    Every module keeps the shape of what it is given, so that it goes between any two others.
    """
    model = plain()
    attention = (CrossWindowAttentionModule(N, window=4, shift=2, units=1) for _ in range(2))
    model.g_a = nn.Sequential(FeatureEncoding(width=8, growth=4), model.g_a, next(attention))  # type: ignore[assignment]
    model.g_s = nn.Sequential(next(attention), model.g_s, FeatureEncoding(width=8, growth=4))  # type: ignore[assignment]
    return model


def photographs() -> list[Tensor]:
    """The bundled photographs, `[3, H, W]` in [0, 1]."""
    files = sorted(Path(__file__).parent.glob("*.png"))
    return [torch.from_numpy(np.array(Image.open(file).convert("RGB"))).permute(2, 0, 1) / 255 for file in files]


def crops(pictures: list[Tensor], count: int = 2) -> Tensor:
    """Random squares `[count, 3, SIDE, SIDE]`."""
    squares = []
    for i in torch.randint(len(pictures), (count,)).tolist():
        top, left = (int(torch.randint(side - SIDE + 1, ())) for side in pictures[i].shape[1:])
        squares.append(pictures[i][:, top : top + SIDE, left : left + SIDE])
    return torch.stack(squares)


def loss_of(model: Cwam2024Model, x: Tensor) -> Tensor:
    """`LMBDA * 255**2 * MSE + bpp`, a scalar."""
    out = model(x)
    bpp = (out.y_bits + out.z_bits).sum() / x[:, 0].numel()
    return LMBDA * 255**2 * (out.x_hat - x).square().mean() + bpp


def main() -> None:
    """Train, and print the loss on the same crops before and after, and how much of each module has learned."""
    pictures = photographs()
    torch.manual_seed(1)
    test = crops(pictures, 8)
    model = plugged_in()
    modules = {"g_a.0": model.g_a[0], "g_a.2": model.g_a[2], "g_s.0": model.g_s[0], "g_s.2": model.g_s[2]}  # type: ignore[index]
    before = {name: nn.utils.parameters_to_vector(module.parameters()).detach() for name, module in modules.items()}
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with torch.no_grad():
        first = loss_of(model, test).item()
    for _ in range(STEPS):
        loss = loss_of(model, crops(pictures))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    with torch.no_grad():
        last = loss_of(model, test).item()
    for name, module in modules.items():
        moved = nn.utils.parameters_to_vector(module.parameters()).detach() != before[name]
        print(f"{name}  {type(module).__name__:<27}{int(moved.sum()):>8,} of {len(moved):>6,} parameters learned")
    print(f"loss {first:.2f} -> {last:.2f} in {STEPS} steps")


if __name__ == "__main__":
    main()
