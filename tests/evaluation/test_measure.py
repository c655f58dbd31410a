from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from cwic.errors import FormatError, InputError
from cwic.evaluation.measure import fingerprint, measure_picture, settings_of
from cwic.image.picture import as_picture

PICTURE = as_picture(np.full((20, 30, 3), 100, np.uint8))


def test_rows_hold_bytes_rate_and_distortion(fake: Any) -> None:
    rows = measure_picture(fake, [15, 30], "a.png", PICTURE)
    print_ = fingerprint(PICTURE)
    assert [row[:9] for row in rows] == [
        ("fake", settings_of(fake), 15, "a.png", print_, 30, 20, 15, 0.2),
        ("fake", settings_of(fake), 30, "a.png", print_, 30, 20, 30, 0.4),
    ]
    assert rows[0].psnr_rgb_db == pytest.approx(10 * math.log10(255**2 / 100), abs=1e-6)
    assert math.isnan(rows[0].ms_ssim_rgb)
    assert rows[0].ssimulacra2 is None
    assert min(rows[0].encode_s, rows[0].decode_s) >= 0


def test_greyscale_is_compared_as_rgb(fake: Any) -> None:
    grey = as_picture(np.full((20, 30), 100, np.uint8))
    colour_row, grey_row = (measure_picture(fake, [15], "a", picture)[0] for picture in (PICTURE, grey))
    assert grey_row[5:10] == colour_row[5:10]


def test_the_first_run_is_not_timed(fake: Any) -> None:
    measure_picture(fake, [15, 30], "a.png", PICTURE)
    assert fake.calls == ["encode 15", "decode"] * 2 + ["encode 30", "decode"]


def test_perceptual_measure_where_asked(fake: Any) -> None:
    picture = as_picture(np.full((256, 256, 3), 100, np.uint8))
    [row] = measure_picture(fake, [15], "a", picture, further=["ssimulacra2"])
    assert row.ssimulacra2 is not None
    assert 0 < row.ssimulacra2 < 100
    assert row.butteraugli is None


def test_failure_names_codec_and_quality_and_keeps_its_kind(fake: Any) -> None:
    with pytest.raises(FormatError, match="fake at quality 99: too good"):
        measure_picture(fake, [15, 99], "a.png", PICTURE)


def test_a_picture_of_another_size_is_a_failure(fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(fake), "decode", lambda self, data: np.zeros((20, 31, 3), np.uint8))
    with pytest.raises(InputError, match=r"\[20, 30, 3\] came back as \[20, 31, 3\]"):
        measure_picture(fake, [15], "a.png", PICTURE)


def test_settings_follow_the_description(fake: Any) -> None:
    before = settings_of(fake)
    fake.description = "no codec, version 2"
    assert settings_of(fake) != before


def test_fingerprint_follows_the_samples() -> None:
    assert fingerprint(PICTURE) == fingerprint(as_picture(PICTURE.pixels.copy()))
    assert fingerprint(PICTURE) != fingerprint(as_picture(PICTURE.pixels + np.uint8(1)))
