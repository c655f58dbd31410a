"""A size or a fidelity instead of a quality: the level that comes closest to it from the allowed side."""

from __future__ import annotations

from collections.abc import Callable
from math import log2
from typing import NamedTuple

from cwic.errors import TargetError
from cwic.progress import report

MAX_LEVEL = 1000
FIRST_GUESS = 500
EXACT = 1000.0
"""Stands for the infinite PSNR of an exact picture."""


class Target(NamedTuple):
    """What a file is to come to: at least `psnr` dB over 8-bit samples, or without that at most `size` bytes."""

    size: float = 0.0
    psnr: float | None = None

    @classmethod
    def of(
        cls,
        pixels: int,
        quality: float | None,
        target_bytes: float | None,
        target_bpp: float | None,
        target_psnr: float | None,
    ) -> Target | None:
        """What was asked for, None for a quality. Raises `ValueError` for two wishes, or one that is not positive."""
        wishes = {"bytes": target_bytes, "bpp": target_bpp, "psnr": target_psnr}
        asked = {name: value for name, value in wishes.items() if value is not None}
        if len(asked) + (quality is not None) > 1:
            raise ValueError("one of quality, target_bytes, target_bpp and target_psnr can be given, not several")
        for name, value in asked.items():
            if not 0 < value < float("inf"):  # written so that NaN is refused too
                raise ValueError(f"target_{name} must be a positive number, not {value}")
        if target_bpp is not None:
            target_bytes = target_bpp * pixels / 8
        return cls(target_bytes or 0.0, target_psnr) if asked else None


class Probe(NamedTuple):
    """The file of one level, and what the search goes by: log2 of its bytes, or the PSNR of what it decodes to."""

    level: int
    data: bytes
    value: float


def reach(target: Target, file_at: Callable[[int], bytes], fidelity: Callable[[bytes], float]) -> bytes:
    """Of the files that meet a target, the largest within a size, or the smallest with a PSNR.

    `file_at` gives the file of a level, `fidelity` the PSNR of a file. Both size and PSNR grow with the level but for
    steps of a few bytes: the search goes by them as if they always did, and takes the best of all that it has seen.

    Raises `TargetError`, with the range that can be reached.
    """
    seen: dict[int, Probe] = {}

    def value(level: int) -> float:
        if level not in seen:
            report("probes", len(seen))
            data = file_at(level)
            found = log2(len(data)) if target.psnr is None else min(fidelity(data), EXACT)
            seen[level] = Probe(level, data, found)
        return seen[level].value

    goal = log2(target.size) if target.psnr is None else target.psnr
    _approach(value, goal, inclusive=target.psnr is None)
    if target.psnr is None:
        meeting = [found for found in seen.values() if len(found.data) <= target.size]
        best = max(meeting, key=lambda found: (len(found.data), found.level), default=None)
    else:
        meeting = [found for found in seen.values() if found.value >= goal]
        best = min(meeting, key=lambda found: (len(found.data), -found.level), default=None)
    if best is None:
        low, high = value(0), value(MAX_LEVEL)
        if target.psnr is None:
            reason = f"{target.size:.0f} bytes are out of reach: this picture takes {2**low:.0f} to {2**high:.0f} bytes"
        else:
            reason = f"{target.psnr:g} dB are out of reach: this picture gets {low:.2f} to {high:.2f} dB"
        raise TargetError(reason)
    return best.data


def _approach(value: Callable[[int], float], goal: float, *, inclusive: bool) -> None:
    """Asks for the values of levels until those of two neighbours lie on the two sides of `goal`, or of an end.

    A value equal to the goal is on the lower side if `inclusive`. The values are close to linear in the level, so
    that interpolation finds the place in few steps; each step on the same side again moves at least twice as far.
    """
    low, high = -1, MAX_LEVEL + 1
    values: dict[int, float] = {}
    level, stride, last_side = FIRST_GUESS, 1, 0
    while high - low > 1:
        found = values[level] = value(level)
        side = -1 if found < goal or (inclusive and found == goal) else 1
        low, high = (level, high) if side < 0 else (low, level)
        stride = 2 * stride if side == last_side else 1
        last_side = side
        # The two known levels nearest to the goal, on whatever sides they are.
        near = sorted(values, key=lambda known: abs(values[known] - goal))[:2]
        slope = (values[near[0]] - values[near[-1]]) / (near[0] - near[-1]) if len(near) > 1 else 0.0
        guess = near[0] + (goal - values[near[0]]) / slope if slope > 0 else (low + high) / 2
        level = round(min(max(guess, -1.0), MAX_LEVEL + 1.0))
        level = max(level, low + stride) if side < 0 else min(level, high - stride)
        level = min(max(level, low + 1), high - 1)
