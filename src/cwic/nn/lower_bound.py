"""A lower bound whose gradient lets values below it rise again."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor


class _LowerBound(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, bound: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.bound = bound
        return x.clamp_min(bound)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return grad * ((x >= ctx.bound) | (grad < 0)), None


def lower_bound(x: Tensor, bound: float) -> Tensor:
    """Return `max(x, bound)`, for any shape. Below the bound, it has a gradient too if descent would raise x.

    A plain maximum has no gradient there, so a parameter that once fell below would stay (Balle et al., ICLR 2018).
    """
    return cast(Tensor, _LowerBound.apply(x, bound))
