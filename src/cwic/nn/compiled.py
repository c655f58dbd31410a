"""Compile repeated blocks for training on a GPU.

A whole network takes minutes to compile. The block that it repeats, written as a function of its weights, takes
seconds, once for all blocks of its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor

_wanted = False


@contextmanager
def compiled_blocks(wanted: bool = True) -> Iterator[None]:
    """Run the blocks that have a form for compiling in that form, if `wanted`: other kernels, the same numbers."""
    global _wanted
    before, _wanted = _wanted, wanted
    try:
        yield
    finally:
        _wanted = before


def are_compiled() -> bool:
    """Return whether blocks run compiled."""
    return _wanted


@cache
def compiled(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return a `function` of tensors that is compiled at its first call with their shapes."""
    return torch.compile(function, dynamic=False)
