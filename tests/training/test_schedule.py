from __future__ import annotations

import pytest

from cwic.training.schedule import is_decaying, rate_factor, share_done


@pytest.mark.parametrize(
    ("step", "elapsed", "steps", "budget", "expected"),
    [(0, 0, 0, 100, 0), (7, 50, 0, 100, 0.5), (7, 120, 0, 100, 1), (0, 0, 0, 0, 1),
     (25, 90, 100, 100, 0.25), (100, 1, 100, 1000, 1), (130, 1, 100, 1000, 1)],
)  # fmt: skip
def test_a_run_is_as_long_as_its_steps_or_else_its_budget(
    step: int, elapsed: float, steps: int, budget: float, expected: float
) -> None:
    assert share_done(step, elapsed, steps, budget) == expected


@pytest.mark.parametrize(
    ("step", "done", "expected"),
    [
        (0, 0, 0.01),
        (49, 0, 0.5),
        (99, 0, 1),
        (5000, 0.8, 1),
        (5000, 0.9, 0.5),
        (5000, 1, 0),
        (9, 0.9, 0.05),
    ],
)
def test_warm_up_constant_and_decay(step: int, done: float, expected: float) -> None:
    assert rate_factor(step, done, warmup_steps=100, decay_share=0.2) == pytest.approx(expected)


@pytest.mark.parametrize(("warmup", "share"), [(0, 0.2), (100, 0.0), (0, 1.0)])
def test_parts_can_be_left_out(warmup: int, share: float) -> None:
    assert rate_factor(200, 0, warmup, share) == 1
    assert rate_factor(200, 1, warmup, share) == 0


def test_the_state_to_go_on_from_is_kept_when_the_rates_begin_to_fall() -> None:
    for done in range(129):
        assert is_decaying(done / 128, 0.25) == (rate_factor(10**6, done / 128, 1, 0.25) < 1)
