from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cwic.errors import InputError
from cwic.evaluation.bd import Curve, bd_rate, read_curve

BPP, PSNR = [0.1, 0.3, 0.6, 1.0, 1.8], [26.0, 29.0, 32.0, 35.0, 39.0]
CURVE = Curve(np.array(BPP), np.array(PSNR))


def _file(folder: Path, results: Any) -> Path:
    path = folder / "curve.json"
    path.write_text(json.dumps({"name": "a", "results": results}))
    return path


@pytest.mark.parametrize("key", ["psnr-rgb", "psnr"])
def test_curves_are_sorted_by_psnr(tmp_path: Path, key: str) -> None:
    curve = read_curve(_file(tmp_path, {"bpp": BPP[::-1], key: PSNR[::-1]}))
    assert curve.bpp.tolist() == BPP
    assert curve.psnr.tolist() == PSNR


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([], "not a summary"),
        ({"bpp": BPP}, "not a summary"),
        ({"bpp": BPP, "psnr": ["a"]}, "not a summary"),
        ({"bpp": BPP, "psnr": 3}, "same length"),
        ({"bpp": BPP, "psnr": PSNR[1:]}, "same length"),
        ({"bpp": BPP[:3], "psnr": PSNR[:3]}, "3 points"),
        ({"bpp": BPP, "psnr": [*PSNR[:4], 35.0]}, "of its own"),
        ({"bpp": BPP, "psnr": [*PSNR[:4], None]}, "of its own"),
        ({"bpp": [0, *BPP[1:]], "psnr": PSNR}, "positive bpp"),
        ({"bpp": [None, *BPP[1:]], "psnr": PSNR}, "positive bpp"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, results: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_curve(_file(tmp_path, results))


def test_files_that_are_no_json(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff{")
    with pytest.raises(InputError, match="not a summary"):
        read_curve(tmp_path / "a")
    with pytest.raises(InputError, match="cannot read"):
        read_curve(tmp_path / "b")


def test_a_tenth_more_bits_is_ten_percent() -> None:
    percent, low, high = bd_rate(CURVE, Curve(1.1 * CURVE.bpp, CURVE.psnr))
    assert percent == pytest.approx(10)
    assert (low, high) == (26, 39)


def test_overlap_and_unequal_numbers_of_points() -> None:
    _, low, high = bd_rate(CURVE, Curve(CURVE.bpp[:4], CURVE.psnr[:4] + 2))
    assert (low, high) == (28, 37)


def test_curves_apart() -> None:
    with pytest.raises(InputError, match=r"26.00 to 39.00 dB, and 39.00 to 52.00 dB"):
        bd_rate(CURVE, Curve(CURVE.bpp, CURVE.psnr + 13))


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bjontegaard", None)
    with pytest.raises(InputError, match=r"pip install cwic\[eval\]"):
        bd_rate(CURVE, CURVE)


@pytest.mark.skipif("CWIC_DATA" not in os.environ, reason="needs the published curves")
def test_published_jpeg_against_published_vtm() -> None:
    published = Path(os.environ["CWIC_DATA"]).parent / "anchors" / "published" / "kodak"
    if not published.is_dir():
        pytest.skip("no published curves beside the data")
    found = bd_rate(read_curve(published / "vtm.json"), read_curve(published / "jpeg.json"))
    assert found.percent == pytest.approx(208.5, abs=0.05)
    assert (found.low, found.high) == pytest.approx((26.1, 40.6), abs=0.05)
