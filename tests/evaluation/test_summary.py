from __future__ import annotations

import json
import math
from typing import Any

import pytest

from cwic.evaluation.rows import Row
from cwic.evaluation.summary import environment, means, pictures_id, to_summary


def _row(quality: float, image: str, **values: Any) -> Row:
    plain = Row("fake", "0a", quality, image, f"crc of {image}", 8, 4, 4, 1.0, 30.0, 0.9, None, 0.1, 0.2)
    return plain._replace(**values)


def test_means_are_over_pictures_with_equal_weight() -> None:
    small = _row(5, "b", bpp=3.0, psnr_rgb_db=40.0, ms_ssim_rgb=math.nan, width=1)
    points = means([_row(25, "a"), _row(5, "a"), small])
    assert [point.quality for point in points] == [5, 25]
    assert points[0][1:4] == pytest.approx((2.0, 35.0, 0.9))
    assert points[0].ssimulacra2 is None
    assert points[0][5:] == pytest.approx((0.1, 0.2))


def test_mean_of_the_perceptual_measure() -> None:
    values = (80.0, 60.0, math.nan)
    rows = [_row(5, image, ssimulacra2=value) for image, value in zip("abc", values, strict=True)]
    assert means(rows)[0].ssimulacra2 == pytest.approx(70)
    assert list(means(rows)[0].results())[3] == "ssimulacra2"


def test_summary(fake: Any) -> None:
    rows = [_row(5, "a", ms_ssim_rgb=math.nan), _row(25, "a", psnr_rgb_db=math.inf)]
    assert json.loads(to_summary(fake, means(rows), {"images": 1})) == {
        "name": "fake",
        "description": "no codec",
        "meta": {"images": 1, "quality": [5, 25]},
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


def test_environment_can_be_written_down() -> None:
    found = environment(2)
    assert {"cwic", "python", "torch", "pillow"} <= set(found["versions"])
    assert found["jobs"] == 2
    assert json.loads(json.dumps(found)) == found
