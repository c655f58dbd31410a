"""Rate and distortion of a model in training, estimated on whole pictures (float networks, ideal bits)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from cwic.errors import InputError
from cwic.image.arrays import to_floats
from cwic.image.folder import middle, picture_files, read_picture
from cwic.image.geometry import pad
from cwic.training.family import FAMILIES
from cwic.training.loss import rate_distortion
from cwic.training.precision import has_bfloat16
from cwic.training.recipe import Recipe


class Validation(NamedTuple):
    """Means over the pictures at each point of the family.

    Attributes:
        labels: the labels of the points.
        bpp: bits per pixel.
        psnr: PSNR in dB.
        cost: the loss of the recipe.
    """

    labels: list[str]
    bpp: list[float]
    psnr: list[float]
    cost: list[float]

    def __str__(self) -> str:
        rows = zip(self.labels, self.bpp, self.psnr, self.cost, strict=True)
        return "  ".join(f"{label}: {b:.4f} bpp {p:.2f} dB J {c:.4f}" for label, b, p, c in rows)


class Usable(NamedTuple):
    """The picture files that a model can be validated on, and the other files with the reasons."""

    files: list[Path]
    skipped: list[str]


def usable_pictures(folder: Path, recipe: Recipe) -> Usable:
    """Return the usable pictures under `folder`. Each is read once, so that none can end a run later.

    Raises:
        InputError: no picture can be used.
    """
    found = Usable([], [])
    for file in picture_files(folder):
        try:
            sides = read_picture(file).pixels.shape[:2]
        except Exception as error:  # readers of formats raise nearly anything
            found.skipped.append(f"{file}: {error}")
            continue
        if min(sides) >= recipe.least_side:
            found.files.append(file)
        else:
            found.skipped.append(f"{file}: {recipe.tune} needs at least {recipe.least_side} pixels a side")
    if not found.files:
        raise InputError(f"no picture under {folder} can be validated on: {found.skipped[0]}")
    return found


@torch.no_grad()
def validate(model: nn.Module, recipe: Recipe, pictures: Path | Sequence[Path], half: bool = True) -> Validation:
    """Validate a model on pictures. PSNR is that of x_hat clamped but not rounded to 8 bits.

    Args:
        model: the model, in evaluation mode.
        recipe: its recipe, whose loss is the cost.
        pictures: a folder, or picture files.
        half: work in bfloat16 if the processor multiplies that in hardware.
    """
    family = FAMILIES[recipe.family]
    points = family.points(recipe)
    table = np.zeros((3, len(points)))
    files = picture_files(pictures) if isinstance(pictures, Path) else pictures
    device = next(model.parameters()).device
    for file in files:
        pixels = to_floats(read_picture(file))
        x, padded = (torch.from_numpy(each).to(device) for each in (pixels, pad(pixels)))
        padded = padded.contiguous(memory_format=torch.channels_last)
        for i, point in enumerate(points):
            level = torch.tensor([point.level], device=device)
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=half and has_bfloat16(device.type)):
                output = model(*family.arguments(padded, level))
            output = output._replace(x_hat=output.x_hat[:, :, : x.shape[2], : x.shape[3]].float().clamp(0, 1))
            rd = rate_distortion(output, x, family.lmbda(recipe, level), tune=recipe.tune)
            table[:, i] += [rd.bpp.item(), -10 * np.log10(rd.mse.item()), rd.cost.item()]
    bpp, psnr, cost = (table / len(files)).tolist()
    return Validation([point.label for point in points], bpp, psnr, cost)


@torch.no_grad()
def sample(model: nn.Module, recipe: Recipe, file: Path, side: int = 256) -> Tensor:
    """Return the middle of a picture and its reconstruction at each point: `[1 + points, 3, h, w]`.

    The sides h and w are at most `side` pixels.
    """
    family = FAMILIES[recipe.family]
    pixels = middle(file, side)
    device = next(model.parameters()).device
    x, padded = (torch.from_numpy(each).to(device) for each in (pixels, pad(pixels)))
    shown = [x]
    for point in family.points(recipe):
        level = torch.tensor([point.level], device=device)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=has_bfloat16(device.type)):
            x_hat = model(*family.arguments(padded, level)).x_hat
        shown.append(x_hat[:, :, : x.shape[2], : x.shape[3]].float().clamp(0, 1))
    return torch.cat(shown)
