from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from cwic.training.data import PictureFolder
from cwic.training.graph import WARM_UP, PassGraph, Taught
from cwic.training.learner import Learner
from cwic.training.recipe import Recipe

on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


class Passes:
    """A model's passes, a part of which learns nothing."""

    def __init__(self) -> None:
        self.used, self.idle = nn.Linear(3, 2), nn.Linear(3, 2)
        self.parameters = [*self.used.parameters(), *self.idle.parameters()]
        self.calls = 0

    def __call__(self, batches: Sequence[Tensor]) -> Taught:
        assert all(p.grad is None for p in self.parameters)
        self.calls += 1
        losses = [self.used(x + torch.rand_like(x)).square().mean() for x in batches]
        torch.stack(losses).sum().backward()
        return Taught(torch.stack([loss.detach().expand(4) for loss in losses]), torch.tensor(True))


class Stream:
    def wait_stream(self, other: Stream) -> None:
        pass


@contextlib.contextmanager
def _ignored(_: object) -> Iterator[None]:
    yield


@pytest.fixture
def _cuda_on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """As much of torch.cuda as a capture asks for; what is captured runs at once."""
    stand_ins = {
        "CUDAGraph": object,
        "Stream": Stream,
        "current_stream": Stream,
        "stream": _ignored,
        "graph": _ignored,
        "get_rng_state": torch.get_rng_state,
        "set_rng_state": torch.set_rng_state,
    }
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)


class Replay:
    """Writes the results of new passes where the captured ones wrote theirs, as the replay of a graph does."""

    def __init__(self, graph: PassGraph, passes: Passes) -> None:
        self.graph, self.passes = graph, passes

    def replay(self) -> None:
        twin = copy.deepcopy(self.passes)
        for parameter in twin.parameters:
            parameter.grad = None
        for old, new in zip(self.graph._taught, twin(self.graph._batches), strict=True):
            old.copy_(new)
        for (_, old), parameter in zip(self.graph._gradients, twin.used.parameters(), strict=True):
            old.copy_(parameter.grad)


@pytest.mark.usefixtures("_cuda_on_the_host")
def test_a_replay_leaves_the_gradients_of_its_batches() -> None:
    passes = Passes()
    first, second, third = (torch.randn(2, 5, 3) for _ in range(3))
    before = torch.get_rng_state()
    graph = PassGraph(passes, first, passes.parameters)
    assert torch.equal(torch.get_rng_state(), before)
    assert passes.calls == WARM_UP + 1
    graph._graph = Replay(graph, passes)
    kept = []
    for batches in (second, third):
        for parameter in passes.parameters:
            parameter.grad = None  # as optimisers do after their step
        state = torch.get_rng_state()
        expected = passes(batches)
        gradients = [p.grad for p in passes.parameters]
        torch.set_rng_state(state)
        taught = graph(batches)
        assert all(torch.equal(one, other) for one, other in zip(taught, expected, strict=True))
        for parameter, gradient in zip(passes.parameters[:2], gradients[:2], strict=True):
            assert torch.equal(parameter.grad, gradient)
        assert all(p.grad is None for p in passes.parameters[2:])
        kept.append(taught.means)
    assert not torch.equal(*kept)  # what was told stays when the next is


@on_a_gpu
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_graph_learns_what_single_kernels_learn(
    recipe: Recipe, paper_recipe: Recipe, folder: Path, accumulate: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cwic.training.learner.compiled_blocks", lambda wanted: contextlib.nullcontext())
    for chosen in (recipe, paper_recipe):
        gradients = []
        for captures in (False, True):
            fabric = Fabric(accelerator="cuda", devices=1, precision="bf16-mixed")
            pictures = PictureFolder(folder, 64, device="cuda")
            learner = Learner(fabric, replace(chosen, accumulate=accumulate), pictures)
            learner.start(None)
            learner._captures = captures
            torch.manual_seed(5)
            taught = learner.gradients([learner._crops() for _ in range(accumulate)])
            assert taught.finite
            gradients.append([p.grad.clone() for p in learner._optimisers.parameters if p.grad is not None])
        assert len(gradients[0]) == len(gradients[1]) > 0
        for plain, graphed in zip(*gradients, strict=True):
            assert (graphed - plain).norm() <= 1e-2 * plain.norm() + 1e-6


@on_a_gpu
def test_steps_go_on_after_pictures_of_many_sizes(recipe: Recipe, folder: Path) -> None:
    fabric = Fabric(accelerator="cuda", devices=1, precision="bf16-mixed")
    learner = Learner(fabric, recipe, PictureFolder(folder, 64, device="cuda"))
    learner.start(None)
    for step in range(3):
        learner.step(0.0)
        for side in range(64 * step, 64 * step + 640, 64):
            x = torch.rand(1, 3, 64 + side, 64, device="cuda")
            learner.average(x, torch.zeros(1, dtype=torch.int64, device="cuda"))
    metrics = learner.metrics()
    assert metrics is not None
    assert metrics.skipped == 0
