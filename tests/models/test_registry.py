from __future__ import annotations

import pytest

from cwic.models.cwic import CwicModel
from cwic.models.registry import FAMILIES, make_model


def test_rows_are_named_as_their_configurations_are() -> None:
    assert all(row.config.family == name for name, row in FAMILIES.items())
    assert all(type(row.config()) is row.config for row in FAMILIES.values())


def test_a_row_makes_its_model(model: CwicModel) -> None:
    made = make_model(model.data)
    assert type(made) is CwicModel
    assert made.data is model.data


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_row_names_a_class(family: str) -> None:
    module, _, name = FAMILIES[family].coding.rpartition(".")
    made = __import__(module, fromlist=[name])
    assert {"compress", "decompress", "synthesise"} <= set(dir(getattr(made, name)))
