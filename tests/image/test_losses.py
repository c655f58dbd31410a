from __future__ import annotations

import warnings

import pytest

from cwic.image.losses import LossWarning, losses_to, warn_of


def test_losses_are_one_warning() -> None:
    with pytest.warns(LossWarning, match="^left out: a, b$"):
        warn_of(["a", "b"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of([])


def test_losses_become_lines_as_often_as_they_are_met() -> None:
    said: list[str] = []
    with warnings.catch_warnings(record=True) as others:
        warnings.simplefilter("always")
        with losses_to(said.append):
            for _ in range(2):
                warn_of(["a"])
            warnings.warn("another", stacklevel=1)
    assert said == ["left out: a"] * 2
    assert [str(other.message) for other in others] == ["another"]
