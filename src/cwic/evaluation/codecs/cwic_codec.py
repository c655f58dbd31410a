"""cwic itself, with one of its models."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import cwic
from cwic.evaluation.codecs.codec import Scale
from cwic.models import catalog


@dataclass(frozen=True)
class CwicCodec:
    """A model of the catalogue, or one in a weight file.

    `model` is what `cwic.encode` takes: a name of the catalogue or the path of a `.safetensors` file.
    """

    name: str
    model: str
    scale: Scale = field(default=Scale(0, 100, 1))
    qualities: tuple[float, ...] = (0, 5, 15, 25, 35, 45, 55, 65, 75, 85, 95, 100)

    @property
    def description(self) -> str:
        return f"cwic {cwic.__version__}, model {self.name} ({catalog.id_of(self.model).hex()})"

    def encode(self, pixels: NDArray[np.uint8], quality: float) -> bytes:
        return cwic.encode(Image.fromarray(pixels), quality=quality, model=self.model)

    def decode(self, data: bytes) -> NDArray[np.uint8]:
        return np.asarray(cwic.decode(data).convert("RGB"))
