from __future__ import annotations

from typing import Any

import pytest
import torch

from cwic.lab.cwam2024_hyper import hyper_analysis, hyper_synthesis


@pytest.mark.parametrize("N", [8, 24])
def test_shapes(N: int) -> None:
    y = torch.randn(2, N, 8, 12)
    z = hyper_analysis(N)(y)
    assert z.shape == (2, N, 2, 3)
    assert hyper_synthesis(N)(z).shape == (2, 2 * N, 8, 12)


def test_parameters_are_the_published_number() -> None:
    with torch.device("meta"):
        counts = [sum(p.numel() for p in part.parameters()) for part in (hyper_analysis(320), hyper_synthesis(320))]
    assert counts == [4_609_600, 17_054_240]


@torch.no_grad()
def test_the_published_transforms_agree(golden: Any) -> None:
    h_a, h_s = hyper_analysis(16), hyper_synthesis(16)
    h_a.load_state_dict(golden.weights("h_a."))
    h_s.load_state_dict(golden.weights("h_s."))
    torch.testing.assert_close(h_a(golden["y"]), golden["z"], rtol=0, atol=1e-4)
    torch.testing.assert_close(h_s(golden["z_hat"]), golden["params"], rtol=0, atol=1e-4)
