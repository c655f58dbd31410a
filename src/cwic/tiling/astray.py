"""Find the latents that the decoder would lose its way with.

At low levels the blocks of g_a and g_s can amplify a rare detail, most often at the border of a picture, one after the
other and without a limit. A square of it would be shown in loud colours. The analysis at a somewhat higher level does
not amplify the detail, and its latents there show it as it should be, in fewer bytes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CHECKED_LEVELS = 250
"""The highest level that is checked. Of 24,000 squares of photographs at random levels three went astray, below 150."""
AHEAD = 200
"""The distance in levels to the analysis whose latents are taken instead. All of 66 squares came right with it."""
_FAR = 1.25
"""The distance from mid-grey, 0.5, from which a value is astray: pixels end at 0.5. Those 24,000 reached 1.2."""
_AROUND = 2
"""Positions around one that is astray whose latents are replaced too."""


def astray(x_hat: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which positions of the latents are to be replaced.

    Args:
        x_hat: what the decoder shows, `[1, 3, 16 h, 16 w]`, not clamped.

    Returns:
        True for the positions around values that no pixel is near to, `[h, w]`.
    """
    height, width = (side // 16 for side in x_hat.shape[2:])
    far = np.abs(x_hat - 0.5).max(axis=(0, 1)).reshape(height, 16, width, 16).max(axis=(1, 3)) > _FAR
    found = np.zeros_like(far)
    for row, column in np.argwhere(far):
        found[max(0, row - _AROUND) : row + _AROUND + 1, max(0, column - _AROUND) : column + _AROUND + 1] = True
    return found
