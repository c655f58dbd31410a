from __future__ import annotations

import json
import math
from dataclasses import dataclass, field

import numpy as np
import pytest

from cwic.errors import FormatError
from cwic.evaluation.measure import (
    Row,
    environment,
    means,
    measure_picture,
    to_summary,
    to_tsv,
)
from cwic.image.picture import as_picture


@dataclass
class FakeCodec:
    """`quality` bytes of file; a picture of level 100 comes back wrong by 10."""

    name: str = "fake"
    description: str = "no codec"
    decimals: int = 0
    calls: list[str] = field(default_factory=list)

    def encode(self, pixels: np.ndarray, quality: float) -> bytes:
        self.calls.append(f"encode {quality:g}")
        if quality == 99:
            raise FormatError("too good")
        self.shape = (*pixels.shape[:2], 3)
        return bytes(int(quality))

    def decode(self, data: bytes) -> np.ndarray:
        self.calls.append("decode")
        return np.full(self.shape, 110, np.uint8)


PICTURE = as_picture(np.full((20, 30, 3), 100, np.uint8))


def _row(quality: float, image: str, **values: float) -> Row:
    plain = {"width": 8, "height": 4, "bytes": 4, "bpp": 1.0, "psnr_rgb_db": 30.0, "ms_ssim_rgb": 0.9}
    return Row("fake", quality, image, **{**plain, "encode_s": 0.1, "decode_s": 0.2, **values})


def test_rows_hold_bytes_rate_and_distortion() -> None:
    rows = measure_picture(FakeCodec(), [15, 30], "a.png", PICTURE)
    assert [row[:7] for row in rows] == [
        ("fake", 15, "a.png", 30, 20, 15, 8 * 15 / 600),
        ("fake", 30, "a.png", 30, 20, 30, 8 * 30 / 600),
    ]
    assert rows[0].psnr_rgb_db == pytest.approx(10 * math.log10(255**2 / 100))
    assert math.isnan(rows[0].ms_ssim_rgb)
    assert min(rows[0].encode_s, rows[0].decode_s) >= 0


def test_greyscale_is_compared_as_rgb() -> None:
    grey = as_picture(np.full((20, 30), 100, np.uint8))
    colour_row, grey_row = (measure_picture(FakeCodec(), [15], "a", picture)[0] for picture in (PICTURE, grey))
    assert grey_row[:8] == colour_row[:8]


def test_the_first_run_is_not_timed() -> None:
    codec = FakeCodec()
    measure_picture(codec, [15, 30], "a.png", PICTURE)
    assert codec.calls == ["encode 15", "decode"] * 2 + ["encode 30", "decode"]


def test_failure_names_codec_and_quality_and_keeps_its_kind() -> None:
    with pytest.raises(FormatError, match="fake at quality 99: too good"):
        measure_picture(FakeCodec(), [15, 99], "a.png", PICTURE)


def test_means_are_over_pictures_with_equal_weight() -> None:
    small = _row(5, "b", bpp=3.0, psnr_rgb_db=40.0, ms_ssim_rgb=math.nan, width=1)
    points = means([_row(25, "a"), _row(5, "a"), small])
    assert [point.quality for point in points] == [5, 25]
    assert points[0][1:4] == pytest.approx((2.0, 35.0, 0.9))
    assert points[0][4:] == pytest.approx((0.1, 0.2))


def test_tsv() -> None:
    text = to_tsv([_row(25, "a"), _row(5, "b\tc"), _row(5.5, "a", psnr_rgb_db=math.inf)]).decode()
    assert text == (
        "codec\tquality\timage\twidth\theight\tbytes\tbpp\tpsnr_rgb_db\tms_ssim_rgb\tencode_s\tdecode_s\n"
        "fake\t5\tb c\t8\t4\t4\t1.000000\t30.000000\t0.900000\t0.100000\t0.200000\n"
        "fake\t5.5\ta\t8\t4\t4\t1.000000\tinf\t0.900000\t0.100000\t0.200000\n"
        "fake\t25\ta\t8\t4\t4\t1.000000\t30.000000\t0.900000\t0.100000\t0.200000\n"
    )


def test_summary() -> None:
    rows = [_row(5, "a", ms_ssim_rgb=math.nan), _row(25, "a", psnr_rgb_db=math.inf)]
    assert json.loads(to_summary(FakeCodec(), means(rows), {"images": 1})) == {
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


def test_environment_can_be_written_down() -> None:
    found = environment()
    assert {"cwic", "python", "torch", "pillow"} <= set(found["versions"])
    assert json.loads(json.dumps(found)) == found
