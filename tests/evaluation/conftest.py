from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cwic.errors import FormatError
from cwic.evaluation.codecs.codec import Scale


@dataclass
class FakeCodec:
    """`quality` bytes of file; a picture of level 100 comes back wrong by 10. It refuses quality 99."""

    name: str = "fake"
    description: str = "no codec"
    scale: Scale = field(default=Scale())
    qualities: tuple[float, ...] = (15, 30)
    calls: list[str] = field(default_factory=list)

    def encode(self, pixels: np.ndarray, quality: float) -> bytes:
        self.calls.append(f"encode {quality:g}")
        if quality == 99:
            raise FormatError("too good")
        self.shape = (*pixels.shape[:2], 3)
        return bytes(int(quality))

    def decode(self, data: bytes) -> np.ndarray:
        self.calls.append("decode")
        return np.full(self.shape, 110, np.uint8)


@pytest.fixture
def fake() -> FakeCodec:
    """A codec at no cost, which counts its calls."""
    return FakeCodec()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two grey levels as pictures."""
    path = tmp_path / "set"
    path.mkdir()
    for name, level in (("a.png", 100), ("b.png", 120)):
        Image.new("RGB", (30, 20), (level,) * 3).save(path / name)
    return path


@pytest.fixture
def summary_file(tmp_path: Path) -> Callable[..., Path]:
    """Write a summary of these results."""
    import json

    def write(name: str, results: object, **more: object) -> Path:
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"name": name, "results": results, **more}))
        return path

    return write
