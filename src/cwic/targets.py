"""Search the level for a size or a fidelity: the closest level that keeps the promise."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cwic.arguments import number
from cwic.errors import InputError, TargetError
from cwic.image.fidelity import psnr
from cwic.image.ms_ssim import ms_ssim
from cwic.image.ssimulacra2 import ssimulacra2
from cwic.models.refine import DEFAULT_EFFORT
from cwic.progress import report

MAX_LEVEL = 1000
FIRST_GUESS = 500
EXACT = 1000.0
"""Stands for the infinite PSNR of an exact picture."""
_SIZES = ("target_bytes", "target_bpp")


class Measure(NamedTuple):
    """A fidelity that can be a target.

    Attributes:
        of: of two pictures `[H, W]` or `[H, W, 3]`, uint8; more is better, NaN where a picture is too small for it.
        title: how figures of it are written.
        end: what no picture reaches.
        scaled: on a scale that is nearly linear in the level.
        plain: the inverse.
    """

    of: Callable[[NDArray[np.uint8], NDArray[np.uint8]], float]
    title: str
    end: float
    scaled: Callable[[float], float] = float
    plain: Callable[[float], float] = float


def _decibels(similarity: float) -> float:
    return EXACT if similarity >= 1 else -10 * math.log10(1 - similarity)


def _similarity(decibels: float) -> float:
    return 1 - 10.0 ** (-decibels / 10)


def _of_colours(x: NDArray[np.uint8], x_hat: NDArray[np.uint8]) -> float:
    """SSIMULACRA 2; greyscale is compared as three equal channels."""
    colour, colour_hat = (np.broadcast_to(np.atleast_3d(each), (*each.shape[:2], 3)) for each in (x, x_hat))
    return ssimulacra2(colour, colour_hat)


MEASURES = {
    "target_psnr": Measure(psnr, "{:.2f} dB", math.inf),
    "target_ms_ssim": Measure(ms_ssim, "an MS-SSIM of {:.5f}", 1.0, _decibels, _similarity),
    "target_ssimulacra2": Measure(_of_colours, "{:.2f} points of SSIMULACRA 2", 100.0),
}
"""By the name of the argument."""
TARGETS = (*_SIZES, *MEASURES)


class Target(NamedTuple):
    """The target of a search: at least `fidelity` by a measure or, without a measure, at most `size` bytes."""

    size: float = 0.0
    fidelity: float = 0.0
    measure: Measure | None = None

    @classmethod
    def of(cls, pixels: int, quality: float | None, wishes: Mapping[str, float | None]) -> Target | None:
        """Make a target of the caller's wishes, which have the names in `TARGETS`; return None for a quality.

        Raises `ValueError` for two wishes, or one that is out of range, and `TypeError` for one that is no number.
        """
        asked = {name: number(name, value) for name, value in wishes.items() if value is not None}
        if len(asked) + (quality is not None) > 1:
            raise ValueError(f"one of quality, {', '.join(TARGETS)} can be given, not several")
        for name, value in asked.items():
            end = MEASURES[name].end if name in MEASURES else math.inf
            if not 0 < value < end:  # written so that NaN is refused too
                limit = "a positive number" if end == math.inf else f"between 0 and {end:g}"
                raise ValueError(f"{name} must be {limit}, not {value}")
            if name in _SIZES:
                return cls(size=value * pixels / 8 if name == "target_bpp" else value)
            return cls(fidelity=value, measure=MEASURES[name])
        return None

    @property
    def goal(self) -> float:
        """The value that the search aims at: log2 of a size, or a fidelity on the scale of its measure."""
        return math.log2(self.size) if self.measure is None else self.measure.scaled(self.fidelity)


class Probe(NamedTuple):
    """The file of one level, and what the search goes by: log2 of its bytes, or the fidelity of what it decodes to."""

    level: int
    data: bytes
    value: float


def reach(
    target: Target,
    file_at: Callable[[int, int], bytes],
    decoded: Callable[[bytes], NDArray[np.uint8]],
    picture: NDArray[np.uint8],
    effort: int = DEFAULT_EFFORT,
) -> bytes:
    """Of the files that meet a target, the largest within a size, or the smallest with a fidelity.

    Both size and fidelity grow with the level but for steps of a few bytes: the search goes by them as if they always
    did, and takes the best of all that it has seen. A higher effort than the default is spent on that one alone.

    Args:
        target: what to reach.
        file_at: gives the file of a level with an effort.
        decoded: gives the pixels of a file.
        picture: the pixels that they are compared with.
        effort: as `cwic.encode` has it.

    Raises:
        InputError: the picture is too small for the measure.
        TargetError: with the range that can be reached.
    """
    seen: dict[int, Probe] = {}

    def probe(level: int, effort: int) -> Probe:
        data = file_at(level, effort)
        if target.measure is None:
            return Probe(level, data, math.log2(len(data)))
        found = target.measure.scaled(target.measure.of(picture, decoded(data)))
        if math.isnan(found):
            raise InputError("the picture is too small for this target: take a quality or --target-psnr")
        return Probe(level, data, min(found, EXACT))

    def value(level: int) -> float:
        if level not in seen:
            report("probes", len(seen))
            seen[level] = probe(level, min(effort, DEFAULT_EFFORT))
        return seen[level].value

    _approach(value, target.goal, inclusive=target.measure is None)
    best = _best(target, seen.values())
    if best is None:
        raise TargetError(_out_of_reach(target, value(0), value(MAX_LEVEL)))
    if effort > DEFAULT_EFFORT:
        refined = probe(best.level, effort)
        within = len(refined.data) <= (target.size if target.measure is None else len(best.data))
        if within and (target.measure is None or refined.value >= target.goal):
            best = refined
    return best.data


def _best(target: Target, probes: Iterable[Probe]) -> Probe | None:
    """The largest file within a size, or the smallest with a fidelity; None where none meets the target."""
    if target.measure is None:
        meeting = [found for found in probes if len(found.data) <= target.size]
        return max(meeting, key=lambda found: (len(found.data), found.level), default=None)
    meeting = [found for found in probes if found.value >= target.goal]
    return min(meeting, key=lambda found: (len(found.data), -found.level), default=None)


def _out_of_reach(target: Target, low: float, high: float) -> str:
    """Return the reachable range in words, from the values at the lowest and the highest level."""
    if target.measure is None:
        return f"{target.size:.0f} bytes are out of reach: this picture takes {2**low:.0f} to {2**high:.0f} bytes"
    wanted, least, most = (
        target.measure.title.format(value)
        for value in (target.fidelity, target.measure.plain(low), target.measure.plain(high))
    )
    return f"{wanted} is out of reach: this picture gets {least} to {most}"


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
