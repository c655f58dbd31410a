from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from cwic.config import Cwam2024Config, CwicConfig


def test_a_shape_cannot_change() -> None:
    config = CwicConfig()
    with pytest.raises(FrozenInstanceError):
        config.M = 64  # type: ignore[misc]
    assert hash(config) == hash(CwicConfig())


@pytest.mark.parametrize(("name", "value"), [("M", 318), ("trunk", 128)])
def test_impossible_shapes_are_refused(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"not {value}"):
        CwicConfig(**{name: value})


@pytest.mark.parametrize("N", [0, -8, 12, 321])
def test_the_attention_heads_divide_the_channels(N: int) -> None:
    with pytest.raises(ValueError, match=f"8 attention heads, not {N}"):
        Cwam2024Config(N)


@pytest.mark.parametrize("kind", [CwicConfig, Cwam2024Config])
def test_attention_is_one_of_three(kind: type[CwicConfig | Cwam2024Config]) -> None:
    with pytest.raises(ValueError, match="cross-window, window, none, not 'both'"):
        kind(attention="both")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"attention_form": "shut"}, "attention_form is one of gated, residual, not 'shut'"),
        ({"attention_form": "residual", "attention_every": 4}, "attention_every is 0 to 3, the blocks of a trunk, not"),
        ({"attention_form": "residual", "attention_every": -1}, "attention_every is 0 to 3"),
        ({"attention_every": 1}, "for branches of the residual form"),
    ],
)
def test_attention_that_cannot_be_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CwicConfig(attention="window", **values)


def test_configurations_of_before_mean_what_they_did() -> None:
    config = CwicConfig(attention="cross-window")
    assert (config.attention_form, config.attention_every) == ("gated", 0)
