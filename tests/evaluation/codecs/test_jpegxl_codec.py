from __future__ import annotations

import sys

import numpy as np
import pytest

from cwic.errors import InputError
from cwic.evaluation.codecs.registry import PEERS

CODEC = PEERS["jpegxl"]


def test_bytes_are_a_bare_codestream(gradient: np.ndarray) -> None:
    assert CODEC.encode(gradient, 50).startswith(b"\xff\x0a")


def test_quality_is_the_distance_of_cjxl(gradient: np.ndarray) -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    at_distance_1 = imagecodecs.jpegxl_encode(gradient, distance=1.0, effort=7, numthreads=1)
    assert CODEC.encode(gradient, 90) == bytes(at_distance_1)


def test_description() -> None:
    assert CODEC.description.startswith("JPEG XL, VarDCT, effort 7, 1 thread; imagecodecs ")
    assert "libjxl" in CODEC.description


def test_failures_are_input_errors(gradient: np.ndarray) -> None:
    with pytest.raises(InputError, match="cannot read"):
        CODEC.decode(CODEC.encode(gradient, 50)[:40])
    with pytest.raises(InputError, match="cannot write"):
        CODEC.encode(np.zeros((0, 4, 3), np.uint8), 50)


def test_without_imagecodecs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(InputError, match=r"pip install cwic\[eval\]"):
        CODEC.ready()
