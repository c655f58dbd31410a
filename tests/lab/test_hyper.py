from __future__ import annotations

import torch
from torch import nn

from cwic.config import CwicConfig
from cwic.lab.hyper import HyperAnalysis, HyperSynthesis


def test_the_hyper_latent_has_a_quarter_of_the_side_and_follows_the_level(small: CwicConfig) -> None:
    h_a, features = HyperAnalysis(small), torch.randn(2, 32, 8, 12)
    z = h_a(features, torch.tensor([0, 1000]))
    assert z.shape == (2, 8, 2, 3)
    with torch.no_grad():
        h_a.gain.log2_gain[7:] += 1
    louder = h_a(features, torch.tensor([0, 1000]))
    torch.testing.assert_close(louder, z * torch.tensor([1.0, 2.0])[:, None, None, None])


def test_h_a_sees_both_values_and_magnitudes(small: CwicConfig) -> None:
    features = torch.randn(1, 32, 4, 4, requires_grad=True)
    HyperAnalysis(small)(features, torch.tensor([500])).sum().backward()
    assert (features.grad.abs().amax(dim=(0, 2, 3)) > 0).all()


def test_the_state_has_four_times_the_side(small: CwicConfig) -> None:
    assert HyperSynthesis(small)(torch.randn(1, 2, 3, 8)).shape == (1, 8, 12, 16)


@torch.no_grad()
def test_what_z_changes_in_the_state_lies_around_it(small: CwicConfig) -> None:
    h_s = HyperSynthesis(small)
    for parameter in h_s.parameters():
        nn.init.normal_(parameter)
    z = torch.randn(1, 7, 7, 8)
    moved = z.clone()
    moved[0, 3, 2] += 1
    changed = (h_s(moved) != h_s(z)).any(dim=-1)[0]
    rows, columns = changed.nonzero().unbind(dim=1)
    # One 3x3 at 1/64 and one at 1/32: 4 + 2 positions on each side of the four that z covers.
    assert (rows.min(), rows.max()) == (12 - 6, 15 + 6)
    assert (columns.min(), columns.max()) == (8 - 6, 11 + 6)
