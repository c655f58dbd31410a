from __future__ import annotations

import torch

from cwic.nn.precision import single_precision


def test_nothing_inside_is_halved() -> None:
    a = torch.randn(3, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (a @ a).dtype == torch.bfloat16
        with single_precision(a.device):
            assert (a @ a).dtype == torch.float32
        assert (a @ a).dtype == torch.bfloat16


def test_devices_without_mixed_precision_are_taken() -> None:
    with single_precision(torch.device("meta")):
        assert (torch.ones(2, 2, device="meta") @ torch.ones(2, 2, device="meta")).dtype == torch.float32
