"""How fast a recipe trains: patches a second, and what a step is spent on.

That is forward and backward passes, cutting crops, and the update: optimisers, clipping and the weight average. Whole
steps alternate with bare passes and bare crops, so that whatever else the machine does meets all alike. The pictures
are noise: their content costs nothing. For `make bench-train`.

On a GPU a second line has what steps one after the other reach, with no wait between them: crops a second, TFLOP/s of
matrices and convolutions in the passes, and how much of the time kernels run; then the kernels that take the most.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import torch
from lightning.fabric import Fabric
from PIL import Image
from torch.autograd import DeviceType
from torch.utils.flop_counter import FlopCounterMode

from cwic.training.data import PictureFolder
from cwic.training.family import FAMILIES
from cwic.training.learner import Learner
from cwic.training.precision import fabric_precision
from cwic.training.recipe import Recipe, load_recipe
from cwic.training.run_record import hardware

ROOT = Path(__file__).parents[1]
PICTURES, SIDE = 8, 512
MANY, FEW = 8, 4
"""Batches of more than MANY crops are meant for GPUs: a CPU is measured with FEW."""


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


def passes_flops(recipe: Recipe) -> int:
    """Floating-point operations of a step's passes: matrices and convolutions, three times those of the forward pass.

    These are counted on the meta device, where nothing computes. (torch counts the backward pass of a depth-wise
    convolution as that of a dense one.)
    """
    family, meta = FAMILIES[recipe.family], torch.device("meta")
    model = family.build(recipe).to(meta).train()
    x = torch.zeros(recipe.batch, 3, recipe.crop, recipe.crop, device=meta)
    level = family.draw(recipe.batch, meta)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(*family.arguments(x, level))
    return 3 * recipe.accumulate * counter.get_total_flops()


def report_gpu(learner: Learner, recipe: Recipe, steps: int, device: torch.device) -> None:
    """Prints what `steps` steps in a row reach, and what their kernels are."""

    def work() -> None:
        for _ in range(steps):
            learner.step(0.0)

    step = seconds(work, device) / steps
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        profiled = seconds(work, device)
    kernels = profile.key_averages()
    busy = sum(k.self_device_time_total for k in kernels if k.device_type == DeviceType.CUDA) / 1e6 / profiled
    crops, rate = recipe.batch * recipe.accumulate / step, passes_flops(recipe) / step / 1e12
    print(f"{'':<12}{crops:>10.1f} crops/s{rate:>8.1f} TFLOP/s{100 * busy:>8.1f} % of the time in kernels")
    print(kernels.table(sort_by="self_device_time_total", row_limit=12, max_name_column_width=70), flush=True)


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
        if device.type == "cpu" and recipe.batch > MANY:
            recipe = replace(recipe, batch=FEW)
        with tempfile.TemporaryDirectory() as folder:
            noise(Path(folder))
            pictures = PictureFolder(Path(folder), recipe.crop, device=device.type)
        learner = Learner(fabric, recipe, pictures)
        learner.start(None)
        cut = partial(pictures.crops, recipe.batch, recipe.crop, np.random.default_rng(0), recipe.downscale)
        x = cut()
        # On a GPU the passes of a whole step are one graph.
        alone, whole = partial(learner.backpropagate, x), partial(learner.gradients, [x] * recipe.accumulate)
        bare, repeated = (alone, recipe.accumulate) if device.type == "cpu" else (whole, 1)
        for _ in range(options.steps if device.type == "cuda" else 2):
            learner.step(0.0)
        times: dict[str, list[float]] = {"step": [], "passes": [], "crops": []}
        for _ in range(options.steps):
            times["step"].append(seconds(partial(learner.step, 0.0), device))
            times["passes"].append(seconds(bare, device))
            times["crops"].append(seconds(cut, device))
        step, passes, crops = (median(times[key]) for key in ("step", "passes", "crops"))
        passes, crops = 100 * repeated * passes / step, 100 * recipe.accumulate * crops / step
        rate = recipe.batch * recipe.accumulate / step
        shares = "".join(f"{share:>8.1f} %" for share in (passes, crops, 100 - passes - crops))
        print(f"{recipe.name:<12}{rate:>12.1f}{1000 * step:>12.1f}{shares}", flush=True)
        if device.type == "cuda":
            report_gpu(learner, recipe, options.steps, device)


if __name__ == "__main__":
    main()
