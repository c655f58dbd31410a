from __future__ import annotations

import torch

from cwic.nn.lower_bound import lower_bound


def test_it_is_the_maximum() -> None:
    x = torch.tensor([-1.0, 0.1, 0.11, 3.0])
    torch.testing.assert_close(lower_bound(x, 0.11), torch.tensor([0.11, 0.11, 0.11, 3.0]))


def test_below_the_bound_a_gradient_passes_only_if_descent_raises_the_value() -> None:
    x = torch.tensor([-1.0, -1.0, 0.5, 2.0, 2.0], requires_grad=True)
    (lower_bound(x, 0.5) * torch.tensor([-3.0, 3.0, 3.0, -3.0, 3.0])).sum().backward()
    assert x.grad.tolist() == [-3.0, 0.0, 3.0, -3.0, 3.0]
