"""A step of training never mixes devices, copies from the host or waits for the device: watched on the meta device.

It computes shapes alone, so that no GPU is needed, but every operation says where its operands are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric
from PIL import Image
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from cwic.config import EYE
from cwic.lab.cwic import CwicModel
from cwic.nn import windows
from cwic.nn.compiled import compiled_blocks
from cwic.training import learner as learner_module
from cwic.training.data import PictureFolder
from cwic.training.learner import Learner
from cwic.training.recipe import Recipe

META = torch.device("meta")
READS_BACK = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "equal", "is_nonzero")


class Operations(TorchDispatchMode):
    """Lists operations that mix devices, send something to the device, or read something back from it."""

    def __init__(self, found: list[str]) -> None:
        super().__init__()
        self.found, self.seen = found, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        operands = devices((args, kwargs))
        name = func.overloadpacket.__name__
        to = torch.device(kwargs.get("device") or META)
        if "meta" in operands and (len(operands) > 1 or name in READS_BACK or to != META):
            self.found.append(f"{func} of {sorted(operands)}")
        result = func(*args, **kwargs)
        if "meta" in devices(result):
            self.seen += 1
            if operands == {"cpu"}:
                self.found.append(f"{func} to the device")
        return result


class Constants(TorchFunctionMode):
    """Lists what torch makes of Python's and the host's numbers and sends to the device where no mode above sees it."""

    def __init__(self, found: list[str]) -> None:
        super().__init__()
        self.found = found

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if name in ("tensor", "as_tensor", "new_tensor") and "meta" in devices(result):
            self.found.append(f"{name} to the device")
        if name in ("__getitem__", "__setitem__") and args[0].is_meta:
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            if any(isinstance(part, (list, np.ndarray)) for part in index):
                self.found.append(f"{name} by {index} to the device")
        return result


def devices(tree: object) -> set[str]:
    """Of all tensors in a nest of containers."""
    return {leaf.device.type for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)}


class Watch:
    """Both modes: `found` is what would make the host and the device wait for one another, `seen` counts operations."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._operations = Operations(self.found)
        self._modes = contextlib.ExitStack()

    @property
    def seen(self) -> int:
        return self._operations.seen

    def __enter__(self) -> Watch:
        self._modes.enter_context(Constants(self.found))
        self._modes.enter_context(self._operations)
        return self

    def __exit__(self, *error: object) -> None:
        self._modes.close()


def fabric() -> Fabric:
    """What a learner asks of Fabric, on the meta device, which Fabric does not know."""
    return cast(
        Fabric,
        SimpleNamespace(
            device=META,
            global_rank=0,
            world_size=1,
            seed_everything=lambda seed, verbose: None,
            setup_module=lambda model, move_to_device: model,
            no_backward_sync=lambda model, enabled: contextlib.nullcontext(),
            backward=Tensor.backward,
        ),
    )


RESIDUAL: dict[str, dict[str, Any]] = {
    "cwic residual": {},
    "cwic residual window": {"attention": "window"},
    "cwic compiled in the trunk": {"attention_every": 1},
    "cwic window in the trunk": {"attention": "window", "attention_every": 1},
}
"""Other forms and places of attention."""


@pytest.fixture(params=["cwic", "cwic compiled", "cwic finish", "cwic eye", "cwam2024", *RESIDUAL, "cwic none"])
def any_recipe(
    request: pytest.FixtureRequest, recipe: Recipe, paper_recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> Recipe:
    """With cross-window attention where it has no other; `compiled` has blocks in the form that a GPU compiles."""
    chosen = paper_recipe if request.param == "cwam2024" else recipe
    assert chosen.model.attention == "cross-window"
    if "compiled" in request.param:
        monkeypatch.setattr(learner_module, "compiled_blocks", lambda wanted: compiled_blocks())
        for module in ("cwic.nn.depth_conv", "cwic.lab.quadtree_context"):
            monkeypatch.setattr(f"{module}.compiled", lambda function: function)
    if request.param in RESIDUAL:
        changed = replace(chosen.model, attention_form="residual", **RESIDUAL[request.param])
        chosen = replace(chosen, model=changed)
    if request.param == "cwic none":
        chosen = replace(chosen, model=replace(chosen.model, attention="none"))
    if request.param == "cwic eye":
        chosen = replace(chosen, tune=EYE, crop=256)
    return replace(chosen, batch=2, accumulate=2, hard_rounding=request.param == "cwic finish")


def test_calibration_and_a_step_stay_on_the_device(any_recipe: Recipe, folder: Path) -> None:
    if any_recipe.tune == EYE:
        Image.new("RGB", (260, 270)).save(folder / "large.png")
    learner = Learner(fabric(), any_recipe, PictureFolder(folder, any_recipe.crop, device="meta"))
    with Watch() as start:
        learner.start(None)
        if any_recipe.tune == EYE:
            learner.step(0.0)  # constants of the measure
    # Constants of an untrained model come from the host, once.
    assert [line for line in start.found if "to the device" not in line] == []
    windows.forget()  # what is made once must not wait either
    with Watch() as step:
        learner.step(0.0)
    assert step.found == []
    assert step.seen > 1000
    assert all(p.is_meta for p in learner.average.parameters())


def test_estimates_stay_on_the_device(recipe: Recipe) -> None:
    model = CwicModel(recipe.model).to(META).eval()
    x, level = torch.rand(2, 3, 64, 64, device=META), torch.zeros(2, dtype=torch.int64, device=META)
    with Watch() as watch, torch.no_grad():
        assert model(x, level).x_hat.shape == x.shape
    assert watch.found == []


WAITING: dict[str, Callable[[Tensor], object]] = {
    "a list as an index": lambda x: x[[1, 0]],
    "an array as an index": lambda x: x[..., np.array([1, 0])],
    "a constant": lambda x: x.new_tensor([1.0, 2.0]),
    "another constant": lambda x: torch.tensor([1.0, 2.0], device=x.device),
    "a mixture": lambda x: x + torch.ones(3),
    "a copy": lambda x: x.copy_(torch.ones(3)),
    "a move": lambda x: torch.ones(3).to(x.device),
    "a move back": lambda x: x.cpu(),
    "a number": lambda x: x.sum().item(),
}


@pytest.mark.parametrize("work", WAITING.values(), ids=WAITING.keys())
def test_the_watch_sees_what_waits(work: Callable[[Tensor], object]) -> None:
    x = torch.ones(3, device=META)
    with Watch() as watch, contextlib.suppress(RuntimeError, NotImplementedError):
        work(x)
    assert watch.found


def test_the_watch_lets_pass_what_does_not_wait() -> None:
    x = torch.ones(3, 2, device=META)
    with Watch() as watch:
        (2.0 * x)[1, None, ..., :1].sum(dim=0)
        x[1:] = 0.0
        x[torch.arange(2, device=META)]
        torch.where(x > 0, x, 1.0)
        torch.ones(3).sum().item()
    assert watch.found == []
    assert watch.seen > 5
