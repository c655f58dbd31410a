"""Torch's Muon (Jordan et al., 2024), but it orthogonalises matrices of one shape in batches, shared among processes.

A small network has a hundred small matrices. Orthogonalised one by one, they take thousands of kernels a step, for
which a GPU mostly waits; in batches they take some hundreds. Processes that train together have the same gradients, so
each orthogonalises its share and all exchange the results. The numbers are the same, and a little more exact on CPUs
that emulate bfloat16.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from cwic.training.precision import has_bfloat16


class Muon(torch.optim.Muon):
    """`torch.optim.Muon` in batches: same arguments, state and steps. Rates follow the shapes, as its "original" does.

    If torch's processes form a group, all of them must step with the same gradients. A process alone on a GPU captures
    its second step as a CUDA graph, and replays it as long as parameters and gradients keep their places in memory.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._graphs: dict[int, _UpdateGraph] = {}
        self._fixed: dict[int, list[Any]] = {}

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # nothing here needs closures
        """Do one step from the gradients of the parameters; parameters without a gradient are left alone."""
        for index, group in enumerate(self.param_groups):
            params = [p for p in group["params"] if p.grad is not None]
            if not params:
                continue
            for p in params:
                if "momentum_buffer" not in self.state[p]:
                    self.state[p]["momentum_buffer"] = torch.zeros_like(p.grad)
            gradients, momenta = [p.grad for p in params], [self.state[p]["momentum_buffer"] for p in params]
            update = partial(_update, params, gradients, momenta, group)
            rate = _scalar(group["lr"], params[0].device)
            if params[0].is_cuda and _processes() == 1:
                settings = [value for name, value in group.items() if name not in ("params", "lr")]
                places = [tensor.data_ptr() for tensor in (*params, *gradients, *momenta)]
                self._repeat(index, update, [*settings, *places], rate)
            else:
                update(rate)

    def _repeat(self, index: int, update: Callable[[Tensor], None], fixed: list[Any], rate: Tensor) -> None:
        """Do the `update` of the group of that index, as a graph if what must be `fixed` is what it was a step before.

        That is the settings of the group and the places of its tensors.
        """
        if self._fixed.get(index) != fixed:
            self._fixed[index] = fixed
            self._graphs.pop(index, None)
            update(rate)
            return
        if index not in self._graphs:
            self._graphs[index] = _UpdateGraph(update, rate)
        self._graphs[index](rate)


class _UpdateGraph:
    """`update(rate)`, captured as a CUDA graph whose rate can change."""

    def __init__(self, update: Callable[[Tensor], None], rate: Tensor) -> None:
        self._rate = rate.clone()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            update(self._rate)

    def __call__(self, rate: Tensor) -> None:
        self._rate.copy_(rate)
        self._graph.replay()


def _scalar(value: float, device: torch.device) -> Tensor:
    """Return `value` as a tensor, which a kernel fills: nothing is copied to the device."""
    return torch.full((), value, device=device)


def _update(
    params: list[Tensor],
    gradients: list[Tensor],
    momenta: list[Tensor],
    group: dict[str, Any],
    rate: Tensor,
) -> None:
    """Update `params` and `momenta` from `gradients`, at a `rate` that is a scalar on their device."""
    torch._foreach_lerp_(momenta, gradients, 1 - group["momentum"])
    updates = torch._foreach_lerp(gradients, momenta, group["momentum"]) if group["nesterov"] else momenta
    if group["weight_decay"]:
        torch._foreach_mul_(params, 1 - rate * group["weight_decay"])
    directions = _shared_out(updates, group)
    torch._foreach_mul_(directions, [-math.sqrt(max(1, len(p) / p.shape[1])) for p in params])
    torch._foreach_mul_(directions, rate)
    torch._foreach_add_(params, directions)


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


def _processes() -> int:
    """Return the number of processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def _shared_out(matrices: Sequence[Tensor], group: dict[str, Any]) -> list[Tensor]:
    """Return the orthogonalised `matrices`, copies; each process of a group computes its share."""
    processes = _processes()
    costs = [float(m.numel() * min(m.shape)) for m in matrices]
    mine = shares(costs, processes)[dist.get_rank() if processes > 1 else 0]
    found: dict[int, Tensor] = {}
    for members in _by_shape(matrices, mine).values():
        batch = _orthogonalised(torch.stack([matrices[i] for i in members]), group)
        found.update(zip(members, batch.unbind(), strict=True))
    if processes == 1:
        return [found[i] for i in range(len(matrices))]
    whole = matrices[0].new_zeros(sum(m.numel() for m in matrices), dtype=torch.bfloat16)
    parts = [part.view_as(m) for part, m in zip(whole.split([m.numel() for m in matrices]), matrices, strict=True)]
    if found:
        torch._foreach_copy_([parts[i] for i in found], list(found.values()))
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
    """Bring the singular values of `matrices` `[B, m, n]` near 1 by a Newton-Schulz iteration; return them contiguous.

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
    return (x.mT if tall else x).to(matrices.dtype, memory_format=torch.contiguous_format).contiguous()
