from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def gradient() -> np.ndarray:
    """A smooth colour picture, 48 by 64."""
    rows, columns = np.mgrid[0:48, 0:64].astype(np.uint8)
    return np.stack([3 * columns, 4 * rows, 2 * columns + rows], axis=2)
