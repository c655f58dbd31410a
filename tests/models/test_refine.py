from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cwic.latents.levels import lmbda_of
from cwic.latents.symbols import CodedLatents
from cwic.models import refine as module
from cwic.models.cwic import CwicModel
from cwic.models.refine import DEFAULT_EFFORT, Goal, compress, refine

LEVEL = 600


@pytest.fixture
def y(model: CwicModel, picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return model.finish_analysis(model.prepare_analysis(picture), LEVEL)


@pytest.fixture
def goal(picture: NDArray[np.float32]) -> Goal:
    return Goal(picture, slice(None), slice(None))


def cost(model: CwicModel, coded: CodedLatents, goal: Goal) -> float:
    x_hat = np.rint(np.clip(model.synthesise(coded.y_hat, LEVEL), 0, 1) * 255)
    error = np.square(x_hat - 255 * goal.x) * goal.mask
    return 8 * len(coded.data) + lmbda_of(LEVEL) * float(error.sum()) / 3


def test_more_steps_cost_less_and_never_more(model: CwicModel, y: NDArray[np.float32], goal: Goal) -> None:
    plain = model.compress(y, LEVEL, 3)
    costs = [cost(model, refine(model, y, goal, LEVEL, 3, steps), goal) for steps in (0, 2, 8)]
    assert costs[0] == cost(model, plain, goal)
    assert costs[2] <= costs[1] < costs[0]


def test_what_is_refined_decodes(model: CwicModel, y: NDArray[np.float32], goal: Goal) -> None:
    coded = refine(model, y, goal, LEVEL, 3, 4)
    assert coded.crc != model.compress(y, LEVEL, 3).crc
    np.testing.assert_array_equal(model.decompress(coded.data, coded.crc, 64, 128, LEVEL, 3), coded.y_hat)


def test_latents_under_no_pixel_that_counts_stay(model: CwicModel, y: NDArray[np.float32], goal: Goal) -> None:
    goal = goal._replace(columns=slice(0, 32))
    seen: list[NDArray[np.float32]] = []

    class Watched:
        def __getattr__(self, name: str) -> Any:
            return getattr(model, name)

        def compress_with_slope(self, y: NDArray[np.float32], *args: Any) -> tuple[CodedLatents, NDArray[np.float32]]:
            seen.append(y)
            return model.compress_with_slope(y, *args)

    refine(Watched(), y, goal, LEVEL, 0, 2)  # type: ignore[arg-type]
    np.testing.assert_array_equal(seen[-1][..., 2:], y[..., 2:])
    assert not np.array_equal(seen[-1][..., :2], y[..., :2])


def test_a_search_without_gains_ends(
    model: CwicModel, y: NDArray[np.float32], goal: Goal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SQUARED", module.SQUARED._replace(curvature=0.01))  # steps far too long
    asked = []
    outlook = model.outlook
    monkeypatch.setattr(model, "outlook", lambda *args: asked.append(0) or outlook(*args))
    best = refine(model, y, goal, LEVEL, 0, 30)
    assert len(asked) == 1 + module.PATIENCE
    assert best.data == model.compress(y, LEVEL).data


def test_efforts(model: CwicModel, y: NDArray[np.float32], goal: Goal) -> None:
    files = [compress(model, y, lambda: goal, LEVEL, 0, effort) for effort in (1, 2, DEFAULT_EFFORT, 7, 9)]
    nearest, low, default, high, most = (cost(model, coded, goal) for coded in files)
    assert low == default
    assert most <= high < default
    assert files[0].data != files[1].data
    assert files[0].data == model.compress(y, LEVEL, error_weight=1e12).data
    assert nearest > 0
