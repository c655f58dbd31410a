"""cwic itself, with one of its models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import cwic
from cwic.errors import InputError
from cwic.evaluation.codecs.codec import Scale
from cwic.models import catalog

_QUALITIES = tuple(range(0, 101, 5))


@dataclass(frozen=True)
class CwicCodec:
    """A model that `cwic models list` shows, or one in a weight file. One of a single rate has quality 0 alone.

    `model` is what `cwic.encode` takes: a name, or the path of a `.safetensors` file. `effort` too, 5 by default.
    """

    name: str
    model: str
    effort: int | None = None

    @property
    def description(self) -> str:
        effort = "" if self.effort is None else f", effort {self.effort}"
        return (
            f"cwic {cwic.__version__}, model {self.name.partition('@')[0]} ({catalog.id_of(self.model).hex()}){effort}"
        )

    @property
    def scale(self) -> Scale:
        return Scale(0, 100, 1) if self._has_qualities else Scale(0, 0)

    @property
    def qualities(self) -> tuple[float, ...]:
        return _QUALITIES if self._has_qualities else (0,)

    def encode(self, pixels: NDArray[np.uint8], quality: float) -> bytes:
        asked = quality if self._has_qualities else None
        options: dict[str, Any] = {} if self.effort is None else {"effort": self.effort}
        try:
            return cwic.encode(Image.fromarray(pixels), quality=asked, model=self.model, **options)
        except ValueError as error:
            raise InputError(str(error)) from error

    def decode(self, data: bytes) -> NDArray[np.uint8]:
        return np.asarray(cwic.decode(data, model=self.model).convert("RGB"))

    @property
    def _has_qualities(self) -> bool:
        return catalog.describe(self.model).config.variable_rate
