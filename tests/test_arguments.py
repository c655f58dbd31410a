from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cwic.arguments import check_device, check_flag, check_type, four_numbers, model_name, number, whole_number
from cwic.errors import InputError


class Mute:
    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize("value", [2, 2.0, np.int8(2), np.float32(2), Fraction(4, 2)])
def test_numbers_of_all_kinds(value: Any) -> None:
    found = number("n", value)
    assert type(found) is float
    assert found == 2


def test_numbers_beyond_floats_are_infinite() -> None:
    assert number("n", 10**400) == math.inf == -number("n", -(10**400))


@pytest.mark.parametrize("value", [True, np.True_, "2", b"2", None, 2j, Decimal(2), [2], np.array(2), Mute()])
def test_what_is_no_number(value: Any) -> None:
    for check in (number, whole_number):
        with pytest.raises(TypeError, match=r"^n must be a (whole )?number, not "):
            check("n", value)


def test_whole_numbers() -> None:
    assert type(whole_number("n", np.uint8(2))) is int
    for value in (2.0, np.float64(2), Fraction(2)):
        if value != Fraction(2):
            with pytest.raises(TypeError, match=r"^n must be a whole number, not "):
                whole_number("n", value)


def test_flags() -> None:
    for flag in (True, False, np.True_, np.False_):
        check_flag("f", flag)
    for value in (1, 0, None, "yes", np.int8(1)):
        with pytest.raises(TypeError, match=r"^f must be True or False, not "):
            check_flag("f", value)


def test_values_are_shown_where_they_are_short() -> None:
    for value, shown in (("ab", "'ab'"), ("x" * 99, "str"), (Mute(), "Mute"), (np.zeros((2, 2)), "ndarray")):
        with pytest.raises(TypeError, match=f"^a must be an int, not {re.escape(shown)}$"):
            check_type("a", value, int, "an int")


def test_models_and_devices() -> None:
    assert model_name("cwic-s") == "cwic-s"
    assert model_name(Path("a") / "b") == str(Path("a") / "b")
    check_device("cpu")
    check_device("cuda")
    refusals: list[tuple[Callable[[Any], object], Any]] = [(model_name, None), (model_name, b"a"), (check_device, None)]
    for check, value in refusals:
        with pytest.raises(TypeError, match=f"must be .*, not {value!r}$"):
            check(value)
    with pytest.raises(InputError, match=r"^device 'gpu': the networks run on cpu or cuda$"):
        check_device("gpu")


@pytest.mark.parametrize("crop", [(0, 1, 2, 3), [0, 1, 2, 3], np.arange(4), range(4)])
def test_four_numbers(crop: Any) -> None:
    found = four_numbers(crop)
    assert found == (0, 1, 2, 3)
    assert {type(part) for part in found} == {int}


@pytest.mark.parametrize(
    "crop", [7, "0123", b"0123", (0, 1, 2), (0, 1, 2, 3, 4), (0, 1, 2, 3.5), (0, 1, 2, True), [None] * 4]
)
def test_what_is_not_four_numbers(crop: Any) -> None:
    with pytest.raises(TypeError, match=r"^crop must be four whole numbers, left, top, width and height, not "):
        four_numbers(crop)
