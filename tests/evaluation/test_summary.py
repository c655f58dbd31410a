from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cwic.errors import InputError
from cwic.evaluation.rows import Row
from cwic.evaluation.summary import environment, has_metric, means, pictures_id, points, read_summary, to_summary
from cwic.libraries import chosen
from cwic.threads import THREADS_VARIABLE

BPP, PSNR = [0.3, 0.1], [29.0, 26.0]
Write = Callable[..., Path]


def _row(quality: float, image: str, **values: Any) -> Row:
    plain = Row("fake", "0a", quality, image, f"crc of {image}", 8, 4, 4, 1.0, 30.0, 0.9, None, None, 0.1, 0.2)
    return plain._replace(**values)


def test_means_are_over_pictures_with_equal_weight() -> None:
    small = _row(5, "b", bpp=3.0, psnr_rgb_db=40.0, ms_ssim_rgb=0.7, width=1)
    found = means([_row(25, "a"), _row(5, "a"), small, small._replace(quality=25)])
    assert [point.quality for point in found] == [5, 25]
    assert found[0][1:4] == pytest.approx((2.0, 35.0, 0.8))
    assert found[0].ssimulacra2 is None
    assert found[0][6:] == pytest.approx((0.1, 0.2, 0))


def test_no_mean_leaves_a_picture_out() -> None:
    small = _row(5, "b", ms_ssim_rgb=math.nan, psnr_rgb_db=math.inf)
    (point,) = means([_row(5, "a"), small, _row(5, "c")])
    assert math.isnan(point.ms_ssim_rgb)
    assert (point.psnr_rgb_db, point.exact) == (math.inf, 1)
    for rows in ([_row(5, "a"), _row(25, "b")], [_row(5, "a"), _row(5, "a")], [_row(5, "a"), _row(25, "a"), small]):
        with pytest.raises(InputError, match="same pictures"):
            means(rows)


def test_means_of_the_optional_measures() -> None:
    rows = [_row(5, image, ssimulacra2=value) for image, value in (("a", 80.0), ("b", 60.0))]
    assert means(rows)[0].ssimulacra2 == pytest.approx(70)
    assert math.isnan(means([*rows, _row(5, "c", ssimulacra2=math.nan)])[0].ssimulacra2 or 0)
    assert list(means(rows)[0].results())[3] == "ssimulacra2"


def test_summary(fake: Any) -> None:
    rows = [_row(5, "a", ms_ssim_rgb=math.nan), _row(25, "a", psnr_rgb_db=math.inf)]
    assert json.loads(to_summary(fake, means(rows), {"images": 1})) == {
        "name": "fake",
        "description": "no codec",
        "meta": {"images": 1, "exact": [0, 1], "quality": [5, 25]},
        "results": {
            "bpp": [1, 1],
            "psnr-rgb": [30, None],
            "ms-ssim-rgb": [None, 0.9],
            "encoding_time": [0.1, 0.1],
            "decoding_time": [0.2, 0.2],
        },
    }


def test_pictures_stand_for_the_set_not_its_order() -> None:
    assert pictures_id([_row(5, "a"), _row(5, "b")]) == pictures_id([_row(9, "b"), _row(5, "a"), _row(9, "a")])
    assert pictures_id([_row(5, "a")]) != pictures_id([_row(5, "a"), _row(5, "b")])


def test_environment_can_be_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS_VARIABLE, "6")
    found = environment(2)
    assert {"cwic", "python", "numpy", "pillow", "onnxruntime"} <= set(found["versions"])
    assert found["engine"] in {"native", *found["versions"]}
    assert found["library"] == chosen()
    assert (found["jobs"], found["threads"]) == (2, 3)
    assert json.loads(json.dumps(found)) == found


def test_an_engine_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CWIC_ENGINE", "steam")
    with pytest.raises(InputError, match="'steam'"):
        environment(1)


@pytest.mark.parametrize("key", ["psnr-rgb", "psnr"])
def test_either_name_in_the_order_of_the_file(summary_file: Write, key: str) -> None:
    summary = read_summary(summary_file("a", {"bpp": BPP, key: PSNR}))
    assert points(summary, "psnr").tolist() == [BPP, PSNR]
    assert has_metric(summary, "psnr")
    assert not has_metric(summary, "ms-ssim")


def test_ms_ssim_is_in_db() -> None:
    summary = {"results": {"bpp": [1, 2, 3], "ms-ssim-rgb": [0.9, 0.99, None]}}
    assert points(summary, "ms-ssim")[1] == pytest.approx([10, 20, np.nan], nan_ok=True)


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ({"bpp": BPP}, "has no psnr-rgb"),
        ({"bpp": BPP, "psnr": []}, "has no psnr-rgb"),
        ({"bpp": BPP, "psnr": ["a", "b"]}, "two lists of numbers"),
        ({"psnr": PSNR}, "two lists of numbers"),
        ({"bpp": BPP, "psnr": 3}, "two lists of numbers"),
        ({"bpp": 2, "psnr": 3}, "two lists of numbers"),
        ({"bpp": BPP, "psnr": PSNR[1:]}, "two lists of numbers"),
    ],
)
def test_other_results(results: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        points({"results": results}, "psnr")


@pytest.mark.parametrize("content", [b"\xff{", b"[]", b"{}", b'{"results": []}'])
def test_files_of_another_kind(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(InputError, match="not a summary"):
        read_summary(tmp_path / "a")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        read_summary(tmp_path / "a")
