from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn

from cwic.training import muon
from cwic.training.muon import Muon, shares

SHAPES = [(8, 8), (8, 20), (20, 8), (8, 8), (8, 20), (5, 7)]


def parameters() -> list[nn.Parameter]:
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(shape)) for shape in SHAPES]


@pytest.mark.parametrize(("bfloat16", "near"), [(True, 2e-4), (False, 5e-3)])
@pytest.mark.parametrize("options", [{"weight_decay": 0.0}, {"weight_decay": 0.1}, {"nesterov": False}])
def test_steps_and_state_are_those_of_torch(
    options: dict[str, object], bfloat16: bool, near: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    # torch works in bfloat16 everywhere.
    monkeypatch.setattr(muon, "has_bfloat16", lambda _: bfloat16)
    ours, theirs = parameters(), parameters()
    pair = Muon(ours, lr=0.02, **options), torch.optim.Muon(theirs, lr=0.02, **options)
    for step in range(3):
        for one, other in zip(ours, theirs, strict=True):
            one.grad = torch.randn(one.shape)
            other.grad = one.grad.clone()
        if step == 1:
            ours[2].grad = theirs[2].grad = None
        for optimiser in pair:
            optimiser.step()
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=near)
    first, second = (optimiser.state_dict() for optimiser in pair)
    assert first["param_groups"] == second["param_groups"]
    assert first["state"].keys() == second["state"].keys()
    for key, state in first["state"].items():
        torch.testing.assert_close(state["momentum_buffer"], second["state"][key]["momentum_buffer"])


def test_without_gradients_nothing_moves() -> None:
    ours = parameters()
    Muon(ours, lr=0.02).step()
    assert all(torch.equal(one, other) for one, other in zip(ours, parameters(), strict=True))


def test_a_step_is_captured_once_its_tensors_stay_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    captured, done = [], []

    class Graph:
        def __init__(self, update: Callable[[torch.Tensor], None], rate: torch.Tensor) -> None:
            captured.append(update)

        def __call__(self, rate: torch.Tensor) -> None:
            done.append(round(float(rate), 1))

    monkeypatch.setattr(muon, "_UpdateGraph", Graph)
    optimiser, eager = Muon(parameters(), lr=0.02), []
    for places, rate in [([1], 0.1), ([1], 0.2), ([1], 0.3), ([2], 0.4), ([2], 0.5), ([1], 0.6)]:
        optimiser._repeat(0, lambda rate: eager.append(round(float(rate), 1)), places, torch.tensor(rate))
    assert eager == [0.1, 0.4, 0.6]
    assert done == [0.2, 0.3, 0.5]
    assert len(captured) == 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="wants a GPU")
def test_a_captured_step_is_the_step() -> None:
    ours, theirs = ([nn.Parameter(p.detach().cuda()) for p in parameters()] for _ in range(2))
    pair = Muon(ours, lr=0.02), Muon(theirs, lr=0.02)
    for p in (*ours, *theirs):
        p.grad = torch.zeros_like(p)
    for step in range(5):
        for one, other in zip(ours, theirs, strict=True):
            assert one.grad is not None
            one.grad.normal_()
            other.grad = one.grad.clone()  # in another place each time
        for optimiser in pair:
            optimiser.param_groups[0]["lr"] = 0.02 / (1 + step)
            optimiser.step()
    assert pair[0]._graphs
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


def test_the_dearest_tasks_go_to_whoever_has_least_to_do() -> None:
    assert shares([1, 5, 2, 4, 1], 2) == [[1, 0, 4], [3, 2]]
    assert shares([1, 5, 2], 1) == [[1, 2, 0]]
    assert shares([3], 2) == [[0], []]


def step_together(rank: int, processes: int, folder: Path) -> None:
    """What each process of the test below does."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder / 'meet'}", rank=rank, world_size=processes)
    torch.save(after_two_steps(), folder / f"{rank}.pt")
    dist.barrier()  # a process that ends early takes the connection from the other
    dist.destroy_process_group()


def after_two_steps() -> list[torch.Tensor]:
    ours = parameters()
    optimiser = Muon(ours, lr=0.02)
    for _ in range(2):
        for p in ours:
            p.grad = torch.randn(p.shape)
        optimiser.step()
    return [p.detach() for p in ours]


def test_processes_that_share_the_work_come_to_what_one_comes_to(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(step_together, (2, tmp_path), nprocs=2)
    alone = after_two_steps()
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    for one, other, expected in zip(first, second, alone, strict=True):
        assert torch.equal(one, other)
        torch.testing.assert_close(one, expected, rtol=0, atol=2e-4)
