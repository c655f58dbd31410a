"""The masks against those of the laboratory, which are held to the published network's by their own tests."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cwic.networks.windows import MASKED, window_inputs
from cwic.nn.windows import attention_masks


@pytest.mark.parametrize("window", [4, 8])
@pytest.mark.parametrize(("height", "width"), [(8, 16), (5, 13), (20, 4), (8, 8)])
@pytest.mark.parametrize("shifted", [True, False])
def test_masks_are_those_of_training(height: int, width: int, window: int, shifted: bool) -> None:
    shift = window // 2 if shifted else 0
    found = window_inputs("a", height, width, window, shift, True)
    rows, columns = (-(-side // window) * window for side in (height, width))
    n = window * window
    own, around = attention_masks(rows, columns, (height, width), window, shift, torch.device("cpu"))
    np.testing.assert_array_equal(found["a.own"].reshape(-1, n, n), own.numpy())
    # The keys of the region come quarter by quarter.
    order = np.arange(n).reshape(2, window // 2, 2, window // 2).transpose(0, 2, 1, 3).reshape(-1)
    np.testing.assert_array_equal(found["a.around"].reshape(-1, n, n), around.numpy()[:, :, order])
    assert set(np.unique(found["a.own"])) <= {0, MASKED}
    assert found["a.borders"].tolist() == [0, 0, 0, 0, 0, 0, rows - height, columns - width]
    assert found["a.ends"].tolist() == [height, width]


def test_a_window_alone_needs_no_region() -> None:
    assert "a.around" not in window_inputs("a", 8, 8, 8, 4, False)
