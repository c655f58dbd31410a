"""The interface of a model, whatever its family: the five steps between pixels and bytes."""

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
    """Context margin of a transform around a region, in positions of y: with it, tiles leave no seam."""

    positions: int
    """The margin on every side, except where the picture ends."""
    grid: int = 1
    """Regions begin at multiples of this, so that attention cuts the same windows as in the whole picture."""


class Outlook(NamedTuple):
    """The decoder's picture of some latents, and the gradient that improves it.

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
    """The contents of a weight file, as every family takes them.

    Attributes:
        config: the shape.
        exact: the integer tensors that decide bytes, by their names without `prior.`.
        tables: the probability tables.
        graphs: the float networks by name.
        weights: gives float tensors by name; they are read when a network is first used.
        error_weight: how the encoder rounds (`cwic.latents.rounding`).
        tune: what the model was trained to please, one of `cwic.config.TUNES`.
        preview: the fitted map of small pictures (`cwic.models.preview`), if there is one.
    """

    config: ModelConfig
    exact: dict[str, NDArray[Any]]
    tables: Tables
    graphs: dict[str, Graph]
    weights: Callable[[Sequence[str]], Mapping[str, NDArray[Any]]]
    error_weight: float = ERROR_WEIGHT
    tune: str = PSNR
    preview: Floats | None = None


class CodingModel(Protocol):
    """A model that encodes and decodes tiles, whatever its family.

    Arrays are numpy's. Pictures and latents have a first axis of one. `level` is 0..1000, and 0 for a model of one
    rate.
    """

    @property
    def data(self) -> ModelData:
        """The contents of the weight file that the model was made from."""
        ...

    @property
    def analysis_halo(self) -> Halo:
        """The context margin of g_a around a region."""
        ...

    @property
    def synthesis_halo(self) -> Halo:
        """The context margin of g_s around a region."""
        ...

    def prepare_analysis(self, x: Floats) -> Floats:
        """Run the part of g_a that is the same for all levels.

        Args:
            x: pixels `[1, 3, H, W]` in [0, 1]; H and W are multiples of 16.

        Returns:
            The features that `finish_analysis` takes.
        """
        ...

    def finish_analysis(self, prepared: Floats, level: int) -> Floats:
        """Run the rest of g_a at one level.

        Args:
            prepared: the features of `prepare_analysis`; they are not changed.
            level: the level, 0..1000.

        Returns:
            y `[1, M, H/16, W/16]`, before rounding.
        """
        ...

    def compress(
        self,
        y: Floats,
        level: int,
        tile: int = 0,
        sink: SymbolSink | None = None,
        error_weight: float | None = None,
    ) -> CodedLatents:
        """Round and code the latents of a tile.

        Args:
            y: latents `[1, M, h, w]`; h and w are multiples of 4.
            level: the level, 0..1000.
            tile: the number of the tile, with which its checksum begins.
            sink: takes the symbols in place of the range coder.
            error_weight: the weight of rounding errors, in bits a squared step; by default the model's own.

        Returns:
            The coded bytes, their checksum and y_hat.
        """
        ...

    def compress_with_slope(
        self, y: Floats, level: int, tile: int = 0, error_weight: float | None = None
    ) -> tuple[CodedLatents, Floats]:
        """Do what `compress` does, for models with `has_outlook`, and return the slope of the bits as well.

        Returns:
            What `compress` gives, and the slope of each symbol's bits by its latent in quantisation steps,
            `[1, M, h, w]`: what the distributions of other symbols gain or lose by it is left out.
        """
        ...

    def as_written(self, x: Floats, level: int) -> NDArray[np.int64]:
        """Return the y_hat that the format prescribes where only pixels are at hand (docs/format.md, section 8).

        It comes from networks in float32, so that machines differ in it as little as floats allow.

        Args:
            x: pixels, as `prepare_analysis` takes them.
            level: the level, 0..1000.
        """
        ...

    def decompress(
        self, data: bytes, crc: int, height: int, width: int, level: int, tile: int = 0, seen: Seen | None = None
    ) -> NDArray[np.int64]:
        """Decode the latents of a tile: the inverse of `compress`.

        Args:
            data: the coded bytes.
            crc: the checksum of the symbols, from the tile's chunk.
            height: pixels of the tile, a multiple of 64.
            width: pixels of the tile, a multiple of 64.
            level: the level, 0..1000.
            tile: the number of the tile.
            seen: is called with the symbols of each call: those of z, then those of y, by passes or waves.

        Returns:
            y_hat, integers `[height/16, width/16, M]`.

        Raises:
            FormatError: the bytes are damaged.
        """
        ...

    def decompress_cut(self, data: bytes, crc: int, height: int, width: int, level: int, tile: int = 0) -> CutLatents:
        """Decode the readable part of a tile whose `data` are cut short; otherwise as `decompress`.

        Raises `FormatError` if that is not enough for a picture, or if the symbols are all there and damaged.
        """
        ...

    def synthesise(self, y_hat: NDArray[np.int64], level: int) -> Floats:
        """Run g_s.

        Args:
            y_hat: integers `[h, w, M]`.
            level: the level, 0..1000.

        Returns:
            x_hat `[1, 3, 16 h, 16 w]`, not clamped.
        """
        ...

    @property
    def has_preview(self) -> bool:
        """True if a small picture costs less than the whole one."""
        ...

    def preview(self, y_hat: NDArray[np.int64], level: int, scale: int) -> Floats:
        """Synthesise a small picture, without the blocks of g_s.

        Args:
            y_hat: integers `[h, w, M]`.
            level: the level, 0..1000.
            scale: one of `cwic.config.PREVIEW_SCALES`.

        Returns:
            About the means of squares of `scale` pixels of x_hat: `[1, 3, 16 h / scale, 16 w / scale]`, not clamped.
        """
        ...

    @property
    def has_outlook(self) -> bool:
        """True if latents can be refined by the error that the model was tuned to."""
        ...

    def outlook(self, y_hat: NDArray[np.int64], x: Floats, mask: Floats, level: int) -> Outlook:
        """Synthesise latents, and compute the gradient of the squared error by them.

        Args:
            y_hat: integers `[h, w, M]`.
            x: the original `[1, 3, 16 h, 16 w]`.
            mask: `[1, 1, 16 h, 16 w]`; pixels where it is 0 do not count.
            level: the level, 0..1000.
        """
        ...


def encode(model: CodingModel, x: Floats, level: int = 0, sink: SymbolSink | None = None) -> CodedLatents:
    """Code a picture as one tile: analyse, round and code.

    Args:
        model: the model.
        x: pixels `[1, 3, H, W]` in [0, 1]; H and W are multiples of 64.
        level: the level, 0..1000.
        sink: takes the symbols in place of the range coder.
    """
    return model.compress(model.finish_analysis(model.prepare_analysis(x), level), level, sink=sink)
