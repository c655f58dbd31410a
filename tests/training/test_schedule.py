from __future__ import annotations

import pytest

from cwic.training.schedule import is_decaying, rate_factor


@pytest.mark.parametrize(
    ("step", "elapsed", "expected"),
    [
        (0, 0, 0.01),
        (49, 0, 0.5),
        (99, 0, 1),
        (5000, 80, 1),
        (5000, 90, 0.5),
        (5000, 100, 0),
        (5000, 130, 0),
        (9, 90, 0.05),
    ],
)
def test_warm_up_constant_and_decay(step: int, elapsed: float, expected: float) -> None:
    assert rate_factor(step, elapsed, 100, warmup_steps=100, decay_share=0.2) == pytest.approx(expected)


@pytest.mark.parametrize(("warmup", "share"), [(0, 0.2), (100, 0.0), (0, 1.0)])
def test_parts_can_be_left_out(warmup: int, share: float) -> None:
    assert rate_factor(200, 0, 100, warmup, share) == 1
    assert rate_factor(200, 100, 100, warmup, share) == 0


def test_the_state_to_go_on_from_is_kept_when_the_rates_begin_to_fall() -> None:
    for elapsed in range(101):
        assert is_decaying(elapsed, 100, 0.2) == (rate_factor(10**6, elapsed, 100, 1, 0.2) < 1)
