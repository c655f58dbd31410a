from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cwic.errors import TargetError
from cwic.targets import MAX_LEVEL, Target, reach


def size_at(level: int) -> int:
    """Steps of four bytes, not always upwards."""
    return 100 + 4 * int(300 * 2 ** (level / 220)) - 4 * (level % 17 == 0)


class Codec:
    """A codec that knows its curves; the file's first two bytes are its level."""

    def __init__(self) -> None:
        self.asked = 0

    def file_at(self, level: int) -> bytes:
        self.asked += 1
        return level.to_bytes(2, "little") + bytes(size_at(level) - 2)

    def fidelity(self, data: bytes) -> float:
        return 25 + level_in(data) * 0.02


def level_in(data: bytes) -> int:
    return int.from_bytes(data[:2], "little")


@given(st.integers(size_at(0), 2 * size_at(MAX_LEVEL)))
def test_the_largest_file_within_a_size(size: int) -> None:
    codec = Codec()
    data = reach(Target(size=size), codec.file_at, codec.fidelity)
    assert len(data) <= size
    best = max(size_at(level) for level in range(MAX_LEVEL + 1) if size_at(level) <= size)
    assert best - len(data) <= 4
    assert codec.asked <= 14


@given(st.floats(20, 45))
def test_the_smallest_file_with_a_psnr(psnr: float) -> None:
    codec = Codec()
    data = reach(Target(psnr=psnr), codec.file_at, codec.fidelity)
    assert codec.fidelity(data) >= psnr
    assert level_in(data) == max(0, math.ceil((psnr - 25) / 0.02 - 1e-9))
    assert codec.asked <= 14


def test_out_of_reach_says_what_can_be_reached() -> None:
    codec = Codec()
    with pytest.raises(TargetError, match=f"1000 bytes are out of reach.* {size_at(0)} to {size_at(1000)} bytes"):
        reach(Target(size=1000), codec.file_at, codec.fidelity)
    with pytest.raises(TargetError, match=r"45\.1 dB are out of reach.* 25\.00 to 45\.00 dB"):
        reach(Target(psnr=45.1), codec.file_at, codec.fidelity)


def test_exact_pictures_reach_any_psnr() -> None:
    codec = Codec()
    data = reach(Target(psnr=60), codec.file_at, lambda data: math.inf if level_in(data) >= 700 else 30)
    assert level_in(data) == 700


def test_flat_curves_end_too() -> None:
    data = reach(Target(size=150), lambda level: level.to_bytes(2, "little") + bytes(98), lambda data: 0.0)
    assert len(data) == 100
    with pytest.raises(TargetError):
        reach(Target(psnr=30), Codec().file_at, lambda data: 20.0)


def test_wishes() -> None:
    assert Target.of(1000, 50, None, None, None) is None
    assert Target.of(1000, None, None, None, None) is None
    assert Target.of(1000, None, 99, None, None) == Target(size=99)
    assert Target.of(1000, None, None, 0.5, None) == Target(size=62.5)
    assert Target.of(1000, None, None, None, 33) == Target(psnr=33)


@pytest.mark.parametrize("bad", [0, -1, math.nan, math.inf])
def test_bad_wishes(bad: float) -> None:
    for wish in ((None, bad, None, None), (None, None, bad, None), (None, None, None, bad)):
        with pytest.raises(ValueError, match="must be a positive number"):
            Target.of(1000, *wish)


def test_several_wishes() -> None:
    for wishes in ((50, 99, None, None), (None, 99, 1, None), (0, None, None, 30)):
        with pytest.raises(ValueError, match="not several"):
            Target.of(1000, *wishes)
