from __future__ import annotations

import numpy as np

from cwic.latents.scales import LOG2_SCALE_MIN, SCALE_STEP, SCALES, scale_grid, scale_index


def test_the_grid_is_geometric() -> None:
    grid = np.array(scale_grid())
    assert len(grid) == SCALES
    np.testing.assert_allclose(np.diff(np.log2(grid)), SCALE_STEP / 256)


def test_the_index_is_that_of_the_nearest_scale() -> None:
    log2_scale = np.arange(-3000, 6000, dtype=np.int32)
    found = scale_index(log2_scale)
    nearest = np.floor((log2_scale - LOG2_SCALE_MIN) / SCALE_STEP + 0.5).clip(0, SCALES - 1)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, nearest)
