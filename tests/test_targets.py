from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cwic.errors import InputError, TargetError
from cwic.targets import EXACT, MAX_LEVEL, MEASURES, TARGETS, Measure, Target, reach


def size_at(level: int) -> int:
    """Steps of four bytes, not always upwards."""
    return 100 + 4 * int(300 * 2 ** (level / 220)) - 4 * (level % 17 == 0)


class Codec:
    """A codec that knows its curves; the file's first two bytes are its level, the third its effort."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def file_at(self, level: int, effort: int) -> bytes:
        self.asked.append(effort)
        return level.to_bytes(2, "little") + bytes([effort]) + bytes(size_at(level) - 3 - 8 * (effort > 5))


def level_in(data: bytes) -> int:
    return int.from_bytes(data[:2], "little")


def decoded(data: bytes) -> NDArray[np.uint8]:
    """No picture, but what `MEASURE` finds its figure in."""
    return np.frombuffer(data[:3], np.uint8)


def figure(picture: NDArray[np.uint8], x_hat: NDArray[np.uint8]) -> float:
    return 25 + level_in(x_hat.tobytes()) * 0.02 + 0.05 * (x_hat[2] > 5)


MEASURE = Measure(figure, "{:.2f} dB", math.inf)
PICTURE = np.zeros(1, np.uint8)


@given(st.integers(size_at(0), 2 * size_at(MAX_LEVEL)))
def test_the_largest_file_within_a_size(size: int) -> None:
    codec = Codec()
    data = reach(Target(size=size), codec.file_at, decoded, PICTURE)
    assert len(data) <= size
    best = max(size_at(level) for level in range(MAX_LEVEL + 1) if size_at(level) <= size)
    assert best - len(data) <= 4
    assert len(codec.asked) <= 14


@given(st.floats(20, 45))
def test_the_smallest_file_with_a_fidelity(wanted: float) -> None:
    codec = Codec()
    data = reach(Target(fidelity=wanted, measure=MEASURE), codec.file_at, decoded, PICTURE)
    assert figure(PICTURE, decoded(data)) >= wanted
    assert level_in(data) == max(0, math.ceil((wanted - 25) / 0.02 - 1e-9))
    assert len(codec.asked) <= 14


@pytest.mark.parametrize("target", [Target(size=2000), Target(fidelity=30, measure=MEASURE)])
def test_effort_is_spent_on_the_last_file_alone(target: Target) -> None:
    codec = Codec()
    plain = reach(target, codec.file_at, decoded, PICTURE)
    refined = reach(target, codec.file_at, decoded, PICTURE, effort=9)
    assert (level_in(refined), refined[2], len(plain) - len(refined)) == (level_in(plain), 9, 8)
    assert codec.asked.count(9) == 1
    low = reach(target, codec.file_at, decoded, PICTURE, effort=1)
    assert low[2] == 1


def test_a_refined_file_that_misses_the_target_is_left() -> None:
    def larger(level: int, effort: int) -> bytes:
        return Codec().file_at(level, effort) + bytes(400 * (effort > 5))

    for target in (Target(size=2000), Target(fidelity=30, measure=MEASURE)):
        assert reach(target, larger, decoded, PICTURE, effort=9)[2] == 5


def test_out_of_reach_says_what_can_be_reached() -> None:
    codec = Codec()
    with pytest.raises(TargetError, match=f"1000 bytes are out of reach.* {size_at(0)} to {size_at(1000)} bytes"):
        reach(Target(size=1000), codec.file_at, decoded, PICTURE)
    with pytest.raises(TargetError, match=r"45\.10 dB is out of reach.* 25\.00 dB to 45\.00 dB"):
        reach(Target(fidelity=45.1, measure=MEASURE), codec.file_at, decoded, PICTURE)


def test_exact_pictures_reach_any_psnr() -> None:
    measure = MEASURE._replace(of=lambda x, x_hat: math.inf if level_in(x_hat.tobytes()) >= 700 else 30)
    data = reach(Target(fidelity=60, measure=measure), Codec().file_at, decoded, PICTURE)
    assert level_in(data) == 700


def test_flat_curves_end_too() -> None:
    data = reach(Target(size=150), lambda level, _: level.to_bytes(2, "little") + bytes(98), decoded, PICTURE)
    assert len(data) == 100
    flat = MEASURE._replace(of=lambda x, x_hat: 20.0)
    with pytest.raises(TargetError):
        reach(Target(fidelity=30, measure=flat), Codec().file_at, decoded, PICTURE)


def test_a_picture_that_is_too_small_for_the_measure() -> None:
    measure = MEASURE._replace(of=lambda x, x_hat: math.nan)
    with pytest.raises(InputError, match="too small for this target"):
        reach(Target(fidelity=30, measure=measure), Codec().file_at, decoded, PICTURE)


def test_measures_of_pictures() -> None:
    x = np.random.default_rng(0).integers(100, 140, (256, 256), dtype=np.uint8)
    for measure in MEASURES.values():
        near, far = (measure.scaled(measure.of(x, x + np.uint8(step))) for step in (2, 40))
        assert far < near < EXACT
        assert measure.plain(near) == pytest.approx(measure.of(x, x + np.uint8(2)))
    assert MEASURES["target_ms_ssim"].scaled(1.0) == EXACT


def test_wishes() -> None:
    assert Target.of(1000, 50, {}) is None
    assert Target.of(1000, None, dict.fromkeys(TARGETS)) is None
    assert Target.of(1000, None, {"target_bytes": 99}) == Target(size=99)
    assert Target.of(1000, None, {"target_bpp": 0.5}) == Target(size=62.5)
    for name, measure in MEASURES.items():
        assert Target.of(1000, None, {name: 0.9}) == Target(fidelity=0.9, measure=measure)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("bad", [0, -1, math.nan, math.inf])
def test_bad_wishes(name: str, bad: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be"):
        Target.of(1000, None, {name: bad})


def test_wishes_beyond_the_end_of_a_scale() -> None:
    for name, value in (("target_ms_ssim", 1), ("target_ssimulacra2", 100)):
        with pytest.raises(ValueError, match=f"{name} must be between 0 and {value}"):
            Target.of(1000, None, {name: value})


def test_several_wishes() -> None:
    for quality, wishes in ((50, {"target_bytes": 99}), (None, {"target_bytes": 99, "target_bpp": 1})):
        with pytest.raises(ValueError, match="not several"):
            Target.of(1000, quality, wishes)
