from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cwic.errors import FormatError
from cwic.evaluation.codecs.codec import Scale
from cwic.evaluation.match import match_rate
from cwic.image.picture import as_picture

PICTURE = as_picture(np.full((20, 30, 3), 100, np.uint8))  # a byte is 8/600 bpp


@pytest.mark.parametrize(("bpp", "quality"), [(0.4, 30), (0.405, 30), (0.411, 31), (0.0, 0), (9.0, 90)])
def test_the_nearest_file(fake: Any, bpp: float, quality: float) -> None:
    fake.scale = Scale(0, 90)
    found = match_rate(fake, PICTURE, bpp)
    assert found.quality == quality
    assert found.bpp == pytest.approx(8 * quality / 600)
    assert found.x_hat.shape == (20, 30, 3)


def test_few_files_are_made(fake: Any) -> None:
    fake.scale = Scale(0, 90)
    match_rate(fake, PICTURE, 0.5)
    encodes = [call for call in fake.calls if call != "decode"]
    assert len(encodes) == len(set(encodes)) <= 9


def test_caption(fake: Any) -> None:
    fake.scale = Scale(0, 90)
    assert match_rate(fake, PICTURE, 0.4).caption == "fake 0.400 bpp / 28.13 dB"


def test_failures_name_the_codec(fake: Any) -> None:
    fake.scale = Scale(99, 100)
    with pytest.raises(FormatError, match="fake: too good"):
        match_rate(fake, PICTURE, 0.4)
