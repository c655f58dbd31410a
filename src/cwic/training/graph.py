"""A training step's passes as one CUDA graph: the host starts thousands of kernels at once instead of one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cwic.nn.windows import forget

WARM_UP = 3
"""Passes before the capture: kernels are compiled and chosen, and libraries take their memory."""


class Taught(NamedTuple):
    """What the passes of a step tell beside gradients: means `[batches, 4]`, and whether all gradients were finite."""

    means: Tensor
    finite: Tensor


class PassGraph:
    """`passes(batches)`, captured once, for batches of the same shapes.

    `passes` gives those of `parameters` that learn their gradients, which they begin without, and never waits for the
    device. What it reads beside the batches (weights, buffers) has to keep its place in memory. Gradients keep theirs:
    they belong to the graph. Random numbers come from the device's generator; the capture leaves it where it was.
    """

    def __init__(
        self,
        passes: Callable[[Sequence[Tensor]], Taught],
        batches: Sequence[Tensor],
        parameters: Iterable[nn.Parameter],
    ) -> None:
        learning = list(parameters)
        self._batches = [batch.clone() for batch in batches]
        random = torch.cuda.get_rng_state()
        aside, current = torch.cuda.Stream(), torch.cuda.current_stream()
        aside.wait_stream(current)
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP):
                _clear(learning)
                passes(self._batches)
        current.wait_stream(aside)
        _clear(learning)
        # Masks that were made before would be freed under the graph once pictures of other sizes displace them.
        forget()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._taught = passes(self._batches)
        self._gradients = [(parameter, parameter.grad) for parameter in learning if parameter.grad is not None]
        torch.cuda.set_rng_state(random)

    def __call__(self, batches: Sequence[Tensor]) -> Taught:
        """Computes the gradients of `batches`, in the place of any others."""
        for here, batch in zip(self._batches, batches, strict=True):
            here.copy_(batch)
        self._graph.replay()
        for parameter, gradient in self._gradients:
            parameter.grad = gradient
        return Taught(*(told.clone() for told in self._taught))


def _clear(parameters: Sequence[nn.Parameter]) -> None:
    for parameter in parameters:
        parameter.grad = None
