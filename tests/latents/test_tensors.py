from __future__ import annotations

import numpy as np
import pytest

from cwic.errors import ModelError
from cwic.latents.tensors import take

TENSORS = {"a": np.zeros((2, 3), np.int8)}


def test_a_tensor_that_is_as_expected_is_taken() -> None:
    assert take(TENSORS, "a", "int8", 2, 3) is TENSORS["a"]


@pytest.mark.parametrize(
    ("name", "kind", "shape", "reason"),
    [
        ("b", "int8", (2, 3), "the weights lack b"),
        ("a", "int32", (2, 3), r"a of the weights is int8 \[2, 3\], not int32 \[2, 3\]"),
        ("a", "int8", (3, 2), r"not int8 \[3, 2\]"),
        ("a", "int8", (2, 3, 1), "not int8"),
    ],
)
def test_any_other_is_refused(name: str, kind: str, shape: tuple[int, ...], reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        take(TENSORS, name, kind, *shape)
