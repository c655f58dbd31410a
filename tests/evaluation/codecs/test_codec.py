from __future__ import annotations

import pytest

from cwic.errors import InputError
from cwic.evaluation.codecs.codec import Scale, unreadable, unwritable


@pytest.mark.parametrize(
    ("quality", "there"), [(10, True), (10.5, True), (10.55, False), (9.9, False), (60, True), (60.1, False)]
)
def test_a_scale_has_its_qualities(quality: float, there: bool) -> None:
    assert (quality in Scale(10, 60, 1)) is there


def test_other_things_are_no_qualities() -> None:
    assert "10" not in Scale()
    assert float("nan") not in Scale()


def test_steps_of_a_scale() -> None:
    scale = Scale(0, 100, 1)
    assert scale.steps == 1000
    assert [scale.at(step) for step in (0, 3, 1000)] == [0, 0.3, 100]
    assert all(scale.at(step) in scale for step in range(scale.steps + 1))


def test_failures_name_the_library() -> None:
    for make in (unreadable, unwritable):
        error = make("libfoo", ValueError("no"))
        assert isinstance(error, InputError)
        assert str(error).startswith("libfoo cannot ")
