from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cwic.config import Attention, CwicConfig
from cwic.lab.cost import parts
from cwic.lab.cwic import CwicModel
from cwic.models.catalog import CATALOG


def test_the_whole_is_the_sum_of_its_parts(small: CwicConfig) -> None:
    *rows, total = parts(small)
    assert total.part == "total"
    outer = [row for row in rows if not row.part.startswith(" ")]
    assert sum(row.mac_per_pixel for row in outer) == pytest.approx(total.mac_per_pixel, rel=1e-6)
    model = CwicModel(small)
    assert total.parameters == sum(p.numel() for p in model.parameters())
    knots = model.prior.exact.log2_gain.value.numel() + model.prior.exact.z_log2_scale.value.numel()
    assert sum(row.parameters for row in outer) + knots == total.parameters


def test_an_inner_part_is_less_than_its_whole(small: CwicConfig) -> None:
    rows = {row.part: row for row in parts(small)[:5]}
    for part in ("mac_per_pixel", "parameters"):
        inner = getattr(rows["  feature encoding"], part)
        assert 0 < inner < getattr(rows["g_a"], part)


def test_one_by_one_convolutions_cost_what_they_must() -> None:
    h_s = {row.part: row for row in parts(CwicConfig())}["h_s"]
    width, z, state = 192, 128, 192
    products = (z * width + 9 * width + 4 * width * width) / 64**2 + (9 * width + 4 * width * state) / 32**2
    assert h_s.mac_per_pixel == pytest.approx(products, rel=1e-3)


def test_the_small_model_is_small() -> None:
    total = parts(CATALOG["cwic-s"].config)[-1]
    assert 10_000 < total.mac_per_pixel <= 35_000
    assert 1_000_000 < total.parameters <= 6_000_000


@pytest.mark.parametrize("attention", ["window", "cross-window"])
@pytest.mark.parametrize(("every", "branches"), [(0, (1, 1)), (2, (1, 2))])
def test_attention_costs_what_it_says_wherever_it_stands(
    small: CwicConfig, attention: Attention, every: int, branches: tuple[int, int]
) -> None:
    place: dict[str, Any] = {"attention_form": "residual", "attention_every": every}
    config = replace(small, attention=attention, analysis_blocks=3, synthesis_blocks=4, **place)
    rows = [row for row in parts(config) if "attention" in row.part]
    assert [row.part for row in rows] == [f"  {attention} attention"] * 2
    D, window, ends = config.attention_dim, config.attention_window, 768 if every else config.M
    alone = (6.5 if attention == "cross-window" else 3) * D**2
    alone += (4 if attention == "cross-window" else 2) * window**2 * D + 2 * ends * D
    for row, count in zip(rows, branches, strict=True):
        assert row.mac_per_pixel == pytest.approx(count * alone / 16**2)
    without = {row.part for row in parts(replace(config, attention="none"))}
    assert not any("attention" in part for part in without)
