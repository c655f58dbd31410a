"""What the codec asks of a model, whatever its family: the five steps between pixels and bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from cwic.config import PSNR, ModelConfig
from cwic.entropy.tables import Tables
from cwic.latents.rounding import ERROR_WEIGHT
from cwic.latents.symbols import CodedLatents, Seen, SymbolSink
from cwic.networks.graph import Graph

Floats = NDArray[np.float32]


class Halo(NamedTuple):
    """What a transform must see around a region to give there what it gives in the whole picture; positions of y."""

    positions: int
    """On every side, except where the picture ends."""
    grid: int = 1
    """Where regions begin, at multiples of it: attention then cuts the windows that it cuts in the whole picture."""


class Outlook(NamedTuple):
    """What the decoder makes of latents, and how that would get better.

    Attributes:
        x_hat: `[1, 3, 16 h, 16 w]`, not clamped.
        y_hat: the latents in units of y, `[1, M, h, w]`.
        slope: the gradient of half the squared error by the latents in quantisation steps, of the same shape.
        step: the length of a quantisation step in units of y, `[1, M, 1, 1]`.
    """

    x_hat: Floats
    y_hat: Floats
    slope: Floats
    step: Floats


class CutLatents(NamedTuple):
    """The latents of a tile whose coded data are cut short.

    Attributes:
        y_hat: integers `[H/16, W/16, M]`: what is coded before the cut, and behind it the means that the model expects.
        passes: how many passes lie before the cut.
        of: how many passes there are.
    """

    y_hat: NDArray[np.int64]
    passes: int
    of: int


class ModelData(NamedTuple):
    """What a weight file holds, as every family takes it.

    Attributes:
        config: the shape.
        exact: the integer tensors that decide bytes, by their names without `prior.`.
        tables: the probability tables.
        graphs: the float networks by name.
        weights: gives float tensors by name; they are read when a network is first used.
        error_weight: how the encoder rounds (`cwic.latents.rounding`).
        tune: what the model was trained to please, one of `cwic.config.TUNES`.
    """

    config: ModelConfig
    exact: dict[str, NDArray[Any]]
    tables: Tables
    graphs: dict[str, Graph]
    weights: Callable[[Sequence[str]], Mapping[str, NDArray[Any]]]
    error_weight: float = ERROR_WEIGHT
    tune: str = PSNR


class CodingModel(Protocol):
    """A model that codes. Arrays are numpy's; pictures and latents have a first axis of one.

    `level` is 0..1000, and 0 for a model of one rate.
    """

    @property
    def data(self) -> ModelData:
        """What the model was made from."""
        ...

    @property
    def analysis_halo(self) -> Halo:
        """What g_a must see around a region."""
        ...

    @property
    def synthesis_halo(self) -> Halo:
        """What g_s must see around a region."""
        ...

    def prepare_analysis(self, x: Floats) -> Floats:
        """The part of g_a that is the same for all levels, of `x` `[1, 3, H, W]` in [0, 1], sides multiples of 16."""
        ...

    def finish_analysis(self, prepared: Floats, level: int) -> Floats:
        """y `[1, M, H/16, W/16]`, before rounding, of what `prepare_analysis` gave, which stays as it is."""
        ...

    def compress(
        self,
        y: Floats,
        level: int,
        tile: int = 0,
        sink: SymbolSink | None = None,
        error_weight: float | None = None,
    ) -> CodedLatents:
        """Codes the latents `y` `[1, M, h, w]` of tile number `tile`, h and w multiples of 4.

        The symbols go to `sink` instead of a coder if there is one. They are rounded with the model's weight of errors
        or with `error_weight`.
        """
        ...

    def as_written(self, y: Floats, level: int) -> NDArray[np.int64]:
        """The y_hat that the format prescribes for `y` where only pixels are at hand (docs/format.md, section 8)."""
        ...

    def decompress(
        self, data: bytes, crc: int, height: int, width: int, level: int, tile: int = 0, seen: Seen | None = None
    ) -> NDArray[np.int64]:
        """y_hat, integers `[H/16, W/16, M]`, of a tile of `height` and `width` pixels, multiples of 64.

        `seen` is shown the symbols of each call: those of z, then those of y, by passes or waves. Raises `FormatError`.
        """
        ...

    def decompress_cut(self, data: bytes, crc: int, height: int, width: int, level: int, tile: int = 0) -> CutLatents:
        """What is left of a tile whose `data` are cut short; else as `decompress`.

        Raises `FormatError` if that is not enough for a picture, or if the symbols are all there and damaged.
        """
        ...

    def synthesise(self, y_hat: NDArray[np.int64], level: int) -> Floats:
        """`x_hat` `[1, 3, 16 h, 16 w]`, not clamped, of integers `[h, w, M]`."""
        ...

    @property
    def has_preview(self) -> bool:
        """Whether a small picture costs less than the whole one."""
        ...

    def preview(self, y_hat: NDArray[np.int64], level: int, scale: int) -> Floats:
        """About the means of the squares of `scale` pixels of what `synthesise` gives, without its blocks.

        `[1, 3, 16 h / scale, 16 w / scale]` for a scale of `cwic.config.PREVIEW_SCALES`; not clamped.
        """
        ...

    @property
    def has_outlook(self) -> bool:
        """Whether latents can be refined by the error that the model was tuned to."""
        ...

    def outlook(self, y_hat: NDArray[np.int64], x: Floats, mask: Floats, level: int) -> Outlook:
        """What `synthesise` makes of `y_hat`, beside `x` where `mask` `[1, 1, 16 h, 16 w]` is 1, and its gradient."""
        ...


def encode(model: CodingModel, x: Floats, level: int = 0, sink: SymbolSink | None = None) -> CodedLatents:
    """Codes `x` `[1, 3, H, W]` in [0, 1], sides multiples of 64, as one tile."""
    return model.compress(model.finish_analysis(model.prepare_analysis(x), level), level, sink=sink)
