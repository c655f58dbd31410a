"""Torch's Muon (Jordan et al., 2024), but it orthogonalises matrices of one shape in batches, shared among processes.

A small network has a hundred small matrices. Orthogonalised one by one, they take thousands of kernels a step, for
which a GPU mostly waits; in batches they take some hundreds. Processes that train together have the same gradients, so
each orthogonalises its share and all exchange the results. The numbers are the same, and a little more exact on CPUs
that emulate bfloat16.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from cwic.training.precision import has_bfloat16


class Muon(torch.optim.Muon):
    """`torch.optim.Muon` in batches: same arguments, state and steps. Rates follow the shapes, as its "original" does.

    If torch's processes form a group, all of them must step with the same gradients.
    """

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # nothing here needs closures
        """Do one step from the gradients of the parameters; parameters without a gradient are left alone."""
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
            directions = _shared_out(updates, group)
            for (rows, columns), members in _by_shape(updates, range(len(updates))).items():
                rate = group["lr"] * math.sqrt(max(1, rows / columns))
                torch._foreach_add_([params[i] for i in members], [directions[i] for i in members], alpha=-rate)


def shares(costs: Sequence[float], processes: int) -> list[list[int]]:
    """Divide tasks with these `costs` among processes: the dearest first, each to the process with the least to do.

    Returns:
        The indices of the tasks of each process.
    """
    taken: list[list[int]] = [[] for _ in range(processes)]
    loads = [0.0] * processes
    for task in sorted(range(len(costs)), key=lambda i: -costs[i]):
        least = loads.index(min(loads))
        taken[least].append(task)
        loads[least] += costs[task]
    return taken


def _shared_out(matrices: Sequence[Tensor], group: dict[str, Any]) -> list[Tensor]:
    """Return the orthogonalised `matrices`; each process of a group computes its share."""
    grouped = dist.is_available() and dist.is_initialized()
    rank, processes = (dist.get_rank(), dist.get_world_size()) if grouped else (0, 1)
    costs = [float(m.numel() * min(m.shape)) for m in matrices]
    whole = matrices[0].new_zeros(sum(m.numel() for m in matrices), dtype=torch.bfloat16)
    parts = [part.view_as(m) for part, m in zip(whole.split([m.numel() for m in matrices]), matrices, strict=True)]
    for members in _by_shape(matrices, shares(costs, processes)[rank]).values():
        found = _orthogonalised(torch.stack([matrices[i] for i in members]), group)
        torch._foreach_copy_([parts[i] for i in members], list(found))
    if processes > 1:
        # All addends but one are zero, so the sum is exact, and one exchange serves any number of matrices.
        dist.all_reduce(whole)
    return [part.to(m.dtype) for part, m in zip(parts, matrices, strict=True)]


def _by_shape(matrices: Sequence[Tensor], chosen: Sequence[int]) -> dict[tuple[int, int], list[int]]:
    """Group the indices in `chosen` by the rows and columns of their matrices."""
    members: dict[tuple[int, int], list[int]] = defaultdict(list)
    for i in chosen:
        rows, columns = matrices[i].shape
        members[rows, columns].append(i)
    return members


def _orthogonalised(matrices: Tensor, group: dict[str, Any]) -> Tensor:
    """Bring the singular values of `matrices` `[B, m, n]` near 1 by a Newton-Schulz iteration.

    It works in bfloat16 if the processor multiplies that in hardware.
    """
    a, b, c = group["ns_coefficients"]
    x = matrices.to(torch.bfloat16 if has_bfloat16(matrices.device.type) else torch.float32)
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=group["eps"])
    for _ in range(group["ns_steps"]):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
