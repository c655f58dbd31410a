from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cwic.errors import InputError
from cwic.evaluation.bd import Curve, bd, read_curve

BPP, PSNR = [0.1, 0.3, 0.6, 1.0, 1.8], [26.0, 29.0, 32.0, 35.0, 39.0]
CURVE = Curve(np.array(BPP), np.array(PSNR))
Write = Callable[..., Path]


@pytest.mark.parametrize("key", ["psnr-rgb", "psnr"])
def test_curves_are_sorted_by_psnr(summary_file: Write, key: str) -> None:
    curve = read_curve(summary_file("a", {"bpp": BPP[::-1], key: PSNR[::-1]}, meta={"pictures": "0a"}))
    assert curve.bpp.tolist() == BPP
    assert curve.quality.tolist() == PSNR
    assert curve.pictures == "0a"


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ({"bpp": BPP}, "has no psnr-rgb"),
        ({"bpp": BPP[:3], "psnr": PSNR[:3]}, "3 points"),
        ({"bpp": BPP, "psnr": [*PSNR[:4], 35.0]}, "of its own"),
        (
            {"bpp": BPP, "psnr": [*PSNR[:4], None]},
            "1 of 5 points have no finite psnr-rgb, as where a picture came back exact",
        ),
        ({"bpp": [0, *BPP[1:]], "psnr": PSNR}, "positive bpp"),
        ({"bpp": [None, *BPP[1:]], "psnr": PSNR}, "positive bpp"),
    ],
)
def test_other_files_are_refused(summary_file: Write, results: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_curve(summary_file("a", results))


def test_a_tenth_more_bits_is_ten_percent() -> None:
    found = bd(CURVE, CURVE._replace(bpp=1.1 * CURVE.bpp))
    assert found.rate_percent == pytest.approx(10)
    assert found.gain is not None
    assert found.gain < 0
    assert (found.low, found.high) == (26, 39)
    assert (found.low_bpp, found.high_bpp) == (pytest.approx(0.11), 1.8)


def test_a_decibel_more_is_a_decibel() -> None:
    assert bd(CURVE, CURVE._replace(quality=CURVE.quality + 1)).gain == pytest.approx(1)


def test_overlap_and_unequal_numbers_of_points() -> None:
    found = bd(CURVE, Curve(CURVE.bpp[:4], CURVE.quality[:4] + 2))
    assert (found.low, found.high) == (28, 37)


def test_over_a_range() -> None:
    test = CURVE._replace(bpp=CURVE.bpp * [1, 1, 1.2, 1.6, 2])  # parting above 29 dB
    whole, lower, upper = (bd(CURVE, test, over) for over in (None, (26.0, 29.0), (35.0, 39.0)))
    assert abs(lower.rate_percent) < 5 < whole.rate_percent < 60 < upper.rate_percent < 100
    assert (upper.low, upper.high) == (35, 39)
    assert bd(CURVE, test, (26.0, 39.0)).rate_percent == pytest.approx(whole.rate_percent)
    with pytest.raises(InputError, match=r"do not both cover 20 to 30, only 26.00 to 39.00"):
        bd(CURVE, test, (20, 30))


def test_curves_apart() -> None:
    with pytest.raises(InputError, match=r"26.00 to 39.00, and 39.00 to 52.00"):
        bd(CURVE, CURVE._replace(quality=CURVE.quality + 13))
    found = bd(CURVE, CURVE._replace(bpp=CURVE.bpp * 100))
    assert found.rate_percent == pytest.approx(9900)
    assert found[3:] == (None, None, None)


STEPS = np.arange(13)
FINE = Curve(np.array(0.1 * 1.25**STEPS), np.array(26.0 + STEPS))
"""13 points, a decibel and a quarter more bits apart."""


def test_a_curve_that_wastes_few_bits_has_a_bd_rate() -> None:
    wasteful = FINE.bpp.copy()
    wasteful[6] = 1.001 * wasteful[7]
    found = bd(FINE, FINE._replace(bpp=wasteful))
    assert 0 < found.rate_percent < 3
    assert found.gain is None


def _moved(bpp: dict[int, float] | None = None, quality: dict[int, float] | None = None) -> Curve:
    """The coarse half of `FINE` with some points moved, by rising quality."""
    rates, qualities = FINE.bpp[::4].copy(), FINE.quality[::4].copy()
    for k, factor in (bpp or {}).items():
        rates[k] *= factor
    for k, decibel in (quality or {}).items():
        qualities[k] += decibel
    order = np.argsort(qualities)
    return Curve(rates[order], qualities[order])


@pytest.mark.parametrize(
    "odd",
    [
        _moved(quality={2: -5}),  # worse with more bits
        _moved(quality={1: 3.99}, bpp={1: 2.3}),  # two points close together
        _moved(quality={2: -3.995}),
        _moved(bpp={1: 3}),
    ],
)
def test_what_depends_on_how_points_are_joined_is_no_figure(odd: Curve) -> None:
    for curves in ((FINE, odd), (odd, FINE)):
        with pytest.raises(InputError, match=r"no BD-rate, .* % by Akima, .* % by PCHIP, .* % by straight lines"):
            bd(*curves)


def test_where_akima_shoots_over_a_step_there_is_no_gain() -> None:
    """2 dB for a thousandth of the bits: by Akima that curve would be 13 dB worse, being better everywhere."""
    coarse = Curve(FINE.bpp[::2], FINE.quality[::2])
    rates = coarse.bpp.copy()
    rates[2:] *= 1.001 * rates[1] / rates[2]
    found = bd(coarse, coarse._replace(bpp=rates))
    assert found.rate_percent == pytest.approx(-28, abs=0.5)
    assert found.gain is None


def test_figures_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="no BD-rate"):
        bd(FINE._replace(bpp=FINE.bpp * 1e-300), FINE._replace(bpp=FINE.bpp * 1e100))


def test_other_pictures_do_not_compare() -> None:
    with pytest.raises(InputError, match="other pictures"):
        bd(CURVE._replace(pictures="0a"), CURVE._replace(pictures="0b"))
    bd(CURVE._replace(pictures="0a"), CURVE)  # published curves do not say which


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bjontegaard", None)
    with pytest.raises(InputError, match=r"pip install cwic\[eval\]"):
        bd(CURVE, CURVE)


def _number(cell: str) -> float | None:
    return None if cell == "–" else float(cell.replace("−", "-"))


@pytest.mark.skipif("CWIC_DATA" not in os.environ, reason="needs the published curves")
def test_the_known_table_of_published_curves() -> None:
    """BD-rates against VTM as somebody else's program computed them: akima, akima over 31 to 36 dB, and MS-SSIM."""
    anchors = Path(os.environ["CWIC_DATA"]).parent / "anchors"
    if not (anchors / "README.md").is_file():
        pytest.skip("no published curves beside the data")
    published = anchors / "published" / "kodak"
    lines = re.findall(r"^\| (\S+) \| published \| (.+) \|$", (anchors / "README.md").read_text("utf-8"), re.MULTILINE)
    table = {name: cells.split(" | ") for name, cells in lines if len(cells.split(" | ")) == 7}
    assert len(table) == 15
    for name, cells in table.items():
        known = [_number(cells[index]) for index in (2, 5, 6)]
        rows = [("psnr", None, known[0]), ("psnr", (31.0, 36.0), known[1]), ("ms-ssim", None, known[2])]
        for metric, over, percent in rows:
            if percent is not None:
                reference, test = (read_curve(published / f"{curve}.json", metric) for curve in ("vtm", name))
                assert bd(reference, test, over).rate_percent == pytest.approx(percent, abs=0.1), (name, metric, over)
