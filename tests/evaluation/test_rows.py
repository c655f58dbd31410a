from __future__ import annotations

import math
from typing import Any

import pytest

from cwic.errors import InputError
from cwic.evaluation.rows import OPTIONAL, Row, read_tsv, to_tsv


def row(quality: float, image: str, **values: Any) -> Row:
    return Row("fake", "0a", quality, image, "ff", 8, 4, 4, 1.0, 30.0, 0.9, None, None, 0.1, 0.2)._replace(**values)


def test_text() -> None:
    text = to_tsv([row(25, "a"), row(5, "b c"), row(5.5, "a", psnr_rgb_db=math.inf)]).decode()
    assert text == (
        "codec\tsettings\tquality\timage\tpixels_crc32\twidth\theight\tbytes\tbpp\tpsnr_rgb_db\tms_ssim_rgb\t"
        "encode_s\tdecode_s\n"
        "fake\t0a\t5\tb c\tff\t8\t4\t4\t1.000000\t30.000000\t0.900000\t0.100000\t0.200000\n"
        "fake\t0a\t5.5\ta\tff\t8\t4\t4\t1.000000\tinf\t0.900000\t0.100000\t0.200000\n"
        "fake\t0a\t25\ta\tff\t8\t4\t4\t1.000000\t30.000000\t0.900000\t0.100000\t0.200000\n"
    )


@pytest.mark.parametrize("values", [{}, {"ssimulacra2": -3.5}, {"butteraugli": 1.25}])
def test_there_and_back(values: dict[str, float]) -> None:
    rows = [row(5, "a", **values), row(5.5, "b")]
    text = to_tsv(rows)
    assert read_tsv(text) == rows
    names = text.decode().split("\n", 1)[0].split("\t")
    assert [name for name in OPTIONAL if name in names] == list(values)


def test_small_pictures_keep_their_nan() -> None:
    [back] = read_tsv(to_tsv([row(5, "a", ms_ssim_rgb=math.nan)]))
    assert math.isnan(back.ms_ssim_rgb)


def test_other_columns_are_refused() -> None:
    with pytest.raises(InputError, match="other columns"):
        read_tsv(to_tsv([row(5, "a")]).replace(b"bpp", b"rate"))


@pytest.mark.parametrize(("old", "new"), [("\t8\t", "\teight\t"), ("\t1.000000\t", "\tnan\t"), ("fake\t0a", "fake")])
def test_damaged_lines_are_refused(old: str, new: str) -> None:
    text = to_tsv([row(5, "a"), row(6, "b")]).decode()
    with pytest.raises(InputError, match="line 2 is damaged"):
        read_tsv(text.replace(old, new, 1).encode())
