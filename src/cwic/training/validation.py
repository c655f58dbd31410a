"""Rate and distortion of a model in training, estimated on whole pictures (float networks, ideal bits)."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from cwic.image.folder import picture_files, read_picture
from cwic.image.geometry import pad
from cwic.image.tensors import to_tensor
from cwic.models.model import CwicModel
from cwic.training.loss import rate_distortion

LEVELS = (200, 400, 600, 800)


class Validation(NamedTuple):
    """Means over the pictures, one entry a level."""

    levels: tuple[int, ...]
    bpp: list[float]
    psnr: list[float]
    cost: list[float]

    def __str__(self) -> str:
        rows = zip(self.levels, self.bpp, self.psnr, self.cost, strict=True)
        return "  ".join(f"q{level / 10:g}: {b:.4f} bpp {p:.2f} dB J {c:.4f}" for level, b, p, c in rows)


@torch.no_grad()
def validate(model: CwicModel, folder: Path, levels: tuple[int, ...] = LEVELS) -> Validation:
    """Validates on every picture under `folder`. `cost` is the loss `lmbda 255^2 MSE + bpp` at each level."""
    table = np.zeros((3, len(levels)))
    files = picture_files(folder)
    device = next(model.parameters()).device
    for file in files:
        x = pad(to_tensor(read_picture(file))).to(device)
        for i, level in enumerate(torch.tensor(levels, device=device).split(1)):
            with torch.autocast(device.type, dtype=torch.bfloat16):
                output = model(x, level)
            rd = rate_distortion(output._replace(x_hat=output.x_hat.float().clamp(0, 1)), x, level)
            table[:, i] += [rd.bpp.item(), -10 * np.log10(rd.mse.item()), rd.cost.item()]
    bpp, psnr, cost = (table / len(files)).tolist()
    return Validation(levels, bpp, psnr, cost)
