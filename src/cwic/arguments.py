"""Checks of arguments before any work is done. Each error message says which values are accepted.

A number may be Python's or numpy's, a flag too. True and False are no numbers: `quality=True` is a slip.
"""

from __future__ import annotations

import math
import os
from numbers import Integral, Real
from typing import Any

from cwic.errors import InputError


def number(name: str, value: Any, wanted: str = "a number") -> float:
    """The value as Python's float, infinite where that has no room for it. Raises `TypeError` for no real number."""
    check_type(name, value, Real, wanted)
    if _is_flag(value):
        raise TypeError(f"{name} must be {wanted}, not {_shown(value)}")
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def whole_number(name: str, value: Any, wanted: str = "a whole number") -> int:
    """The value as Python's integer. Raises `TypeError` for anything else, 2.0 included."""
    if _is_flag(value) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be {wanted}, not {_shown(value)}")
    return int(value)


def check_flag(name: str, value: Any) -> None:
    """Raise `TypeError` for what is neither True nor False."""
    if not _is_flag(value):
        raise TypeError(f"{name} must be True or False, not {_shown(value)}")


def check_type(name: str, value: Any, kind: type | tuple[type, ...], wanted: str) -> None:
    """Raise `TypeError` for what is of another type."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {wanted}, not {_shown(value)}")


def model_name(value: Any) -> str:
    """The name of a model, or the path of a weight file, as a text. Raises `TypeError` for anything else."""
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    check_type("model", text, str, "a name that `cwic models list` shows, or the path of a weight file")
    return str(text)


def check_device(value: Any) -> None:
    """Raise `TypeError` for what is no text, and `InputError` for one that names no device that cwic knows."""
    check_type("device", value, str, "'cpu' or 'cuda'")
    if value != "cpu" and not value.startswith("cuda"):
        raise InputError(f"device {value!r}: the networks run on cpu or cuda")


def four_numbers(crop: Any) -> tuple[int, int, int, int]:
    """A part of a picture as Python's integers. Raises `TypeError` for anything but four whole numbers."""
    wanted = "four whole numbers, left, top, width and height"
    try:
        numbers = None if isinstance(crop, str | bytes) else [*crop]
    except TypeError:
        numbers = None
    if numbers is None or len(numbers) != 4:
        raise TypeError(f"crop must be {wanted}, not {_shown(crop)}")
    left, top, width, height = (whole_number("crop", number, wanted) for number in numbers)
    return left, top, width, height


def _is_flag(value: Any) -> bool:
    kind = type(value)  # of numpy, which is not loaded here
    return isinstance(value, bool) or (kind.__module__ == "numpy" and kind.__name__ in ("bool", "bool_"))


def _shown(value: Any) -> str:
    """A value in a sentence: itself where it is short, else its type."""
    try:
        text = repr(value)
    except Exception:  # an object of a class that cannot say what it is
        text = ""
    return text if 0 < len(text) <= 40 and "\n" not in text else type(value).__name__
