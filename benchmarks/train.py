"""How fast a recipe trains: patches a second, and what a step is spent on.

That is forward and backward passes, cutting crops, and the update: optimisers, clipping and the weight average. Whole
steps alternate with bare passes and bare crops, so that whatever else the machine does meets all alike. The pictures
are noise: their content costs nothing. For `make bench-train`.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import torch
from lightning.fabric import Fabric
from PIL import Image

from cwic.training.data import PictureFolder
from cwic.training.learner import Learner
from cwic.training.precision import fabric_precision
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
    fabric = Fabric(accelerator=options.device, devices=1, precision=fabric_precision(options.device))
    fabric.launch()
    device = fabric.device
    if device.type == "cpu":
        torch.set_num_threads(1)
    machine = hardware()
    print(f"{machine['gpus'] or machine['processor']}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    heads = "".join(f"{head:>10}" for head in ("passes", "crops", "update"))
    print(f"{'recipe':<12}{'patches/s':>12}{'ms a step':>12}{heads}")
    for path in options.recipes:
        recipe = load_recipe(path)
        with tempfile.TemporaryDirectory() as folder:
            noise(Path(folder))
            pictures = PictureFolder(Path(folder), recipe.crop, device=device.type)
        learner = Learner(fabric, recipe, pictures)
        learner.start(None)
        cut = partial(pictures.crops, recipe.batch, recipe.crop, np.random.default_rng(0), recipe.downscale)
        x = cut()
        for _ in range(options.steps if device.type == "cuda" else 2):
            learner.step(0.0)
        times: dict[str, list[float]] = {"step": [], "passes": [], "crops": []}
        for _ in range(options.steps):
            times["step"].append(seconds(partial(learner.step, 0.0), device))
            times["passes"].append(seconds(partial(learner.backpropagate, x), device))
            times["crops"].append(seconds(cut, device))
        step, passes, crops = (median(times[key]) for key in ("step", "passes", "crops"))
        passes, crops = (100 * recipe.accumulate * part / step for part in (passes, crops))
        rate = recipe.batch * recipe.accumulate / step
        shares = "".join(f"{share:>8.1f} %" for share in (passes, crops, 100 - passes - crops))
        print(f"{recipe.name:<12}{rate:>12.1f}{1000 * step:>12.1f}{shares}", flush=True)


if __name__ == "__main__":
    main()
