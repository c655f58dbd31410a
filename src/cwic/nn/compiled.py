"""Compile repeated blocks for training on a GPU.

A whole network takes minutes to compile. The block that it repeats, written as a function of its weights, takes
seconds, once for all blocks of its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

import torch
from torch import Tensor

Result = TypeVar("Result")

_wanted = False


@torch.library.custom_op("cwic::kept", mutates_args=(), schema="(Tensor x) -> Tensor")
def kept(x: Tensor) -> Tensor:
    """Return a contiguous copy of `x`. A compiler would compute it anew in all kernels that read it, but not this."""
    return x.clone(memory_format=torch.contiguous_format)


kept.register_fake(lambda x: torch.empty(x.shape, dtype=x.dtype, device=x.device))
kept.register_autograd(lambda _, gradient: gradient)


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


def compiled(function: Callable[..., Result]) -> Callable[..., Result]:
    """Return a `function` of tensors that is compiled at its first call with their shapes.

    Where a larger part is compiled that calls it, this is the function itself.
    """
    return function if torch.compiler.is_compiling() else _compiled(function)


@cache
def _compiled(function: Callable[..., Result]) -> Callable[..., Result]:
    return torch.compile(function, dynamic=False)
