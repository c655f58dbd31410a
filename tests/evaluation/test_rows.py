from __future__ import annotations

import math
from typing import Any

import pytest

from cwic.errors import InputError
from cwic.evaluation.rows import Row, columns, read_tsv, to_tsv


def row(quality: float, image: str, **values: Any) -> Row:
    return Row("fake", "0a", quality, image, "ff", 8, 4, 4, 1.0, 30.0, 0.9, None, 0.1, 0.2)._replace(**values)


def test_text() -> None:
    text = to_tsv([row(25, "a"), row(5, "b c"), row(5.5, "a", psnr_rgb_db=math.inf)], perceptual=False).decode()
    assert text == (
        "codec\tsettings\tquality\timage\tpixels_crc32\twidth\theight\tbytes\tbpp\tpsnr_rgb_db\tms_ssim_rgb\t"
        "encode_s\tdecode_s\n"
        "fake\t0a\t5\tb c\tff\t8\t4\t4\t1.000000\t30.000000\t0.900000\t0.100000\t0.200000\n"
        "fake\t0a\t5.5\ta\tff\t8\t4\t4\t1.000000\tinf\t0.900000\t0.100000\t0.200000\n"
        "fake\t0a\t25\ta\tff\t8\t4\t4\t1.000000\t30.000000\t0.900000\t0.100000\t0.200000\n"
    )


@pytest.mark.parametrize("perceptual", [False, True])
def test_there_and_back(perceptual: bool) -> None:
    rows = [
        row(5, "a", ssimulacra2=-3.5 if perceptual else None),
        row(5.5, "b", ssimulacra2=80.0 if perceptual else None),
    ]
    assert read_tsv(to_tsv(rows, perceptual=perceptual), perceptual=perceptual) == (rows, 0)


def test_small_pictures_keep_their_nan() -> None:
    [back], _ = read_tsv(to_tsv([row(5, "a", ms_ssim_rgb=math.nan)], perceptual=False), perceptual=False)
    assert math.isnan(back.ms_ssim_rgb)


def test_the_perceptual_column_is_optional() -> None:
    assert set(columns(perceptual=True)) - set(columns(perceptual=False)) == {"ssimulacra2"}
    with pytest.raises(InputError, match="other columns"):
        read_tsv(to_tsv([row(5, "a")], perceptual=False), perceptual=True)


def test_every_half_written_table_gives_the_rows_before() -> None:
    rows = [row(5, "a"), row(6, "b")]
    text = to_tsv(rows, perceptual=False)
    head, first = text.index(b"\n") + 1, text.index(b"\n", text.index(b"\n") + 1) + 1
    for length in range(head, len(text)):
        found, damaged = read_tsv(text[:length], perceptual=False)
        assert found == rows[: length >= first]
        assert damaged == (length not in (head, first))


@pytest.mark.parametrize(("old", "new"), [("\t8\t", "\teight\t"), ("\t1.000000\t", "\tnan\t"), ("fake\t0a", "fake")])
def test_damaged_lines_are_counted(old: str, new: str) -> None:
    text = to_tsv([row(5, "a"), row(6, "b")], perceptual=False).decode()
    assert read_tsv(text.replace(old, new, 1).encode(), perceptual=False) == ([row(6, "b")], 1)
