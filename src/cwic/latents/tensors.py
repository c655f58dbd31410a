"""Take integer tensors from a weight file, and check the type and the shape of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwic.errors import ModelError


def take(tensors: Mapping[str, NDArray[Any]], name: str, kind: str, *shape: int) -> NDArray[Any]:
    """The tensor called `name`. Raises `ModelError` unless it is there, of the type `kind` and of that shape."""
    tensor = tensors.get(name)
    if tensor is None:
        raise ModelError(f"the weights lack {name}")
    if tensor.dtype != np.dtype(kind) or tensor.shape != shape:
        raise ModelError(f"{name} of the weights is {tensor.dtype} {list(tensor.shape)}, not {kind} {list(shape)}")
    return tensor
