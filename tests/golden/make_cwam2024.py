"""Records what the published network computes at N = 16 with seeded weights: `python tests/golden/make_cwam2024.py`.

Writes `cwam2024_n16.safetensors` beside this file: the outputs alone, for weights and picture are drawn again. The
network that made it agreed with the released code map by map; make it anew only if what the network computes is meant
to change.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from cwic.config import Cwam2024Config
from cwic.lab.cwam2024 import Cwam2024Model
from cwic.lab.official import load_official, published_name

FILE = Path(__file__).with_name("cwam2024_n16.safetensors")
N, HEIGHT, WIDTH, SEED = 16, 64, 128, 7
TIE = 2e-4
"""Every value that is rounded is farther than this from where the rounding changes: no machine sees another integer."""

GAINS = {
    "cnn.g_a.7.weight": 2.0,
    "h_a.8.weight": 2.0,
    "entropy_parameters.4.weight": 0.8,
    "cnn.g_s.1.weight": 0.1,
    "cnn.g_s.8.weight": 0.2,
}
"""Latents worth rounding, scales and means that fit them, and a picture of about unit size."""


def seeded_checkpoint(N: int = N, seed: int = SEED) -> dict[str, Tensor]:
    """A state dict with the published names, in which no branch is idle.

    numpy's `RandomState` is frozen: it draws the same numbers in every version, on every machine.
    """
    random = np.random.RandomState(seed)
    with torch.device("meta"):
        shapes = {published_name(n): tuple(p.shape) for n, p in Cwam2024Model(Cwam2024Config(N)).named_parameters()}
    state = {}
    for name, shape in sorted(shapes.items()):
        draw = random.standard_normal(shape)
        if name.endswith("beta"):
            draw = 1 + 0.2 * draw
        elif name.endswith("gamma"):
            size = 0.3 if name.startswith("cnn.g_a.") else 0.02  # the inverse layers square their input
            draw = size * (np.eye(shape[0]) + 0.2 * draw)  # about half of the entries are below their bound
        elif name.endswith("quantiles"):
            draw = np.array([-10.0, 0.0, 10.0]) + 0.4 * draw
        elif "_matrix" in name:
            draw = 0.3 * draw - 0.7
        elif not name.startswith("entropy_bottleneck.") and not name.endswith(("bias", "_x", "_y")):
            # Each output of a transposed stride of 2 adds up a quarter of the taps.
            transposed = name.startswith("cnn.g_s.") and len(shape) == 4 and shape[2] == 5
            fan_in = shape[0] * 25 / 4 if transposed else np.prod(shape[1:])
            draw = GAINS.get(name, 1.0) * draw / np.sqrt(fan_in)
        elif name.endswith("bias"):
            draw = 0.2 * draw
        if name == "entropy_parameters.4.bias":
            draw[:N] += 2  # most scales are above their bound
        state[name] = torch.tensor(draw, dtype=torch.float32)
    return state


def seeded_picture() -> Tensor:
    """Noise `[1, 3, HEIGHT, WIDTH]` in [0, 1)."""
    return torch.tensor(np.random.RandomState(SEED).random_sample((1, 3, HEIGHT, WIDTH)), dtype=torch.float32)


@torch.no_grad()
def outputs(model: Cwam2024Model, x: Tensor) -> dict[str, Tensor]:
    """What is compared: every latent, the picture and the bits."""
    latents, out = model.latents(x), model(x)
    return {**latents._asdict(), "x_hat": out.x_hat, "y_bits": out.y_bits, "z_bits": out.z_bits}


@torch.no_grad()
def main() -> None:
    """Write the file."""
    checkpoint = FILE.with_suffix(".pth")
    torch.save({"state_dict": seeded_checkpoint()}, checkpoint)
    model = load_official(checkpoint)
    checkpoint.unlink()
    found = outputs(model, seeded_picture())
    medians = model.entropy_bottleneck.medians
    for rounded in (found["y"], found["y"] - found["means_hat"], model.h_a(found["y"]) - medians):
        assert ((rounded - rounded.floor() - 0.5).abs() > TIE).all(), "too near a tie: take another seed"
    save_file({name: tensor.contiguous() for name, tensor in found.items()}, FILE)
    for name, tensor in found.items():
        print(f"{name:14} {list(tensor.shape)!s:18} {tensor.min():9.4f} ... {tensor.max():.4f}")


if __name__ == "__main__":
    main()
