"""Muon (Jordan et al., 2024) as torch has it, but with matrices of one shape orthogonalised together.

A small network has a hundred small matrices. One by one, they are thousands of kernels a step, for which a GPU mostly
waits; in batches they are some hundreds. The numbers are the same.
"""

from __future__ import annotations

import math
from collections import defaultdict

import torch
from torch import Tensor


class Muon(torch.optim.Muon):
    """`torch.optim.Muon`: same arguments, state and steps; learning rates are adjusted to shapes as "original" does."""

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # nothing here needs closures
        """One step from the parameters' gradients; those without are left alone."""
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            gradients = [p.grad for p in params]
            if not params:
                continue
            for p in params:
                if "momentum_buffer" not in self.state[p]:
                    self.state[p]["momentum_buffer"] = torch.zeros_like(p.grad)
            momenta = [self.state[p]["momentum_buffer"] for p in params]
            torch._foreach_lerp_(momenta, gradients, 1 - group["momentum"])
            updates = torch._foreach_lerp(gradients, momenta, group["momentum"]) if group["nesterov"] else momenta
            if group["weight_decay"]:
                torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])
            by_shape: dict[tuple[int, ...], list[int]] = defaultdict(list)
            for i, p in enumerate(params):
                by_shape[tuple(p.shape)].append(i)
            for (rows, columns), members in by_shape.items():
                stacked = torch.stack([updates[i] for i in members])
                whole = _orthogonalised(stacked, group["ns_coefficients"], group["ns_steps"], group["eps"])
                rate = group["lr"] * math.sqrt(max(1, rows / columns))
                torch._foreach_add_([params[i] for i in members], list(whole.to(stacked.dtype)), alpha=-rate)


def _orthogonalised(matrices: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> Tensor:
    """`matrices` `[B, m, n]` with their singular values near 1, in bfloat16, by a Newton-Schulz iteration."""
    a, b, c = coefficients
    x = matrices.bfloat16()
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
