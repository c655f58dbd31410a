"""The passes of a training step as one CUDA graph: the host starts all of its thousands of kernels at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cwic.nn.windows import forget

WARM_UP = 3
"""Passes before the capture, in which kernels are compiled and chosen, and libraries allocate memory."""


class Taught(NamedTuple):
    """The results of the passes of a step, beside gradients.

    Attributes:
        means: means of the loss, the cost, bpp and the MSE for each batch, `[batches, 4]`.
        finite: True if all gradients were finite.
    """

    means: Tensor
    finite: Tensor


class PassGraph:
    """`passes(batches)`, captured once as a graph, for batches of the same shapes.

    `passes` computes the gradients of those of `parameters` that learn; they have none before. It must never wait for
    the device. The other tensors that it reads (weights, buffers) must keep their place in memory. So do the gradients,
    which belong to the graph. Random numbers come from the generator of the device, whose state the capture restores.
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
        # Cached masks could be freed while the graph still uses them, once pictures of other sizes displace them.
        forget()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._taught = passes(self._batches)
        self._gradients = [(parameter, parameter.grad) for parameter in learning if parameter.grad is not None]
        torch.cuda.set_rng_state(random)

    def __call__(self, batches: Sequence[Tensor]) -> Taught:
        """Compute the gradients of `batches`; they replace any earlier ones."""
        for here, batch in zip(self._batches, batches, strict=True):
            here.copy_(batch)
        self._graph.replay()
        for parameter, gradient in self._gradients:
            parameter.grad = gradient
        return Taught(*(told.clone() for told in self._taught))


def _clear(parameters: Sequence[nn.Parameter]) -> None:
    for parameter in parameters:
        parameter.grad = None
