"""What exactness costs: bytes of the integer path against the likelihoods of the float networks it was made from.

    python benchmarks/exactness.py STATE FOLDER        for instance recipes/state/cwic-s.safetensors kodak

STATE is a checkpoint of `cwic train`, with its float networks; weight files hold integers only. Both sides use Gaussian
tables and the same rules of rounding. What tables fitted at export then save is not counted.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import mean

import torch

from cwic.config import CwicConfig
from cwic.image.arrays import to_floats
from cwic.image.folder import picture_files, read_picture
from cwic.image.geometry import pad
from cwic.lab.cwic import CwicModel
from cwic.lab.cwic_export import export
from cwic.models.base import encode
from cwic.training.checkpoint import load_checkpoint, load_into

QUALITIES = (20, 50, 80)


@torch.no_grad()
def main(state: Path, folder: Path) -> None:
    """Measure and print, as means over the pictures of the folder."""
    model = CwicModel(CwicConfig()).eval()
    load_into(model, load_checkpoint(state)["average"], state)
    exported = export(model)
    pictures = [pad(to_floats(read_picture(file))) for file in picture_files(folder)]
    print(f"{len(pictures)} pictures")
    print(f"{'quality':<8}{'float, bytes':>14}{'integer, bytes':>16}{'ratio':>9}")
    for quality in QUALITIES:
        level = 10 * quality
        outputs = [model(torch.from_numpy(x), torch.tensor([level])) for x in pictures]
        float_bytes = [(output.y_bits + output.z_bits).item() / 8 for output in outputs]
        integer_bytes = [len(encode(exported, x, level).data) for x in pictures]
        ratio = mean(b / a for a, b in zip(float_bytes, integer_bytes, strict=True))
        print(f"{quality:<8}{mean(float_bytes):>14.0f}{mean(integer_bytes):>16.0f}{ratio:>9.4f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
