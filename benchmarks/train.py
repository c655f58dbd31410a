"""How fast a recipe trains: patches a second, and the share of a step spent outside forward and backward passes.

Whole steps alternate with bare forward and backward passes of a batch that is there already, so that whatever else the
machine does meets both alike. The pictures are noise: their content costs nothing. For `make bench-train`.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import torch
from lightning.fabric import Fabric
from PIL import Image

from cwic.training.data import PictureFolder
from cwic.training.learner import Learner
from cwic.training.recipe import load_recipe
from cwic.training.run_record import hardware

ROOT = Path(__file__).parents[1]
PICTURES, SIDE = 8, 512


def noise(folder: Path) -> None:
    """Pictures to cut crops from."""
    random = np.random.default_rng(0)
    for i in range(PICTURES):
        Image.fromarray(random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(folder / f"{i}.png")


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """How long `work` takes, its kernels included."""
    start = perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipes", nargs="*", type=Path, default=[ROOT / "recipes" / f"cwic-{m}.toml" for m in "sm"])
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--steps", type=int, default=10, help="timed steps; as many more warm up on a GPU")
    options = parser.parse_args()
    fabric = Fabric(accelerator=options.device, devices=1, precision="bf16-mixed")
    fabric.launch()
    device = fabric.device
    if device.type == "cpu":
        torch.set_num_threads(1)
    machine = hardware()
    print(f"{machine['gpus'] or machine['processor']}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"{'recipe':<12}{'patches/s':>12}{'ms a step':>12}{'outside forward and backward':>32}")
    for path in options.recipes:
        recipe = load_recipe(path)
        with tempfile.TemporaryDirectory() as folder:
            noise(Path(folder))
            pictures = PictureFolder(Path(folder), recipe.crop, device=device.type)
        learner = Learner(fabric, recipe, pictures)
        learner.start(None)
        x = pictures.crops(recipe.batch, recipe.crop, np.random.default_rng(0))
        for _ in range(options.steps if device.type == "cuda" else 2):
            learner.step(0.0)
        whole, passes = [], []
        for _ in range(options.steps):
            whole.append(seconds(lambda learner=learner: learner.step(0.0), device))  # type: ignore[misc]
            bare = seconds(lambda learner=learner, x=x: learner.backpropagate(x), device)  # type: ignore[misc]
            passes.append(bare)
        step = median(whole)
        outside = 1 - recipe.accumulate * median(passes) / step
        rate = recipe.batch * recipe.accumulate / step
        print(f"{recipe.name:<12}{rate:>12.1f}{1000 * step:>12.1f}{100 * outside:>30.1f} %", flush=True)


if __name__ == "__main__":
    main()
