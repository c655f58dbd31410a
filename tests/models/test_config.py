from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from cwic.models.config import CwicConfig


def test_a_shape_cannot_change() -> None:
    config = CwicConfig()
    with pytest.raises(FrozenInstanceError):
        config.M = 64  # type: ignore[misc]
    assert hash(config) == hash(CwicConfig())


@pytest.mark.parametrize(("name", "value"), [("M", 318), ("trunk", 128)])
def test_impossible_shapes_are_refused(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"not {value}"):
        CwicConfig(**{name: value})
