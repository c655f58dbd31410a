from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cwic.view.formats import OTHERS, code_within

PIXELS = np.asarray(Image.radial_gradient("L").resize((96, 64)).convert("RGB"))


@pytest.mark.parametrize("name", OTHERS)
def test_the_file_is_the_largest_that_fits(name: str) -> None:
    smallest = code_within(name, PIXELS, 0)
    largest = code_within(name, PIXELS, 1 << 20)
    assert (smallest.quality, largest.quality) == (0, 100)
    limit = (len(smallest.data) + len(largest.data)) // 2
    found = code_within(name, PIXELS, limit)
    assert len(smallest.data) <= len(found.data) <= limit
    with Image.open(io.BytesIO(found.data)) as image:
        assert (image.format or "").lower() == name
        assert image.size == (96, 64)
