"""A model of the published family as it codes: float networks as graphs, the serial prior in integers, tables."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from cwic.config import Cwam2024Config
from cwic.entropy.coder import SymbolEncoder
from cwic.errors import FormatError, ModelError
from cwic.image.geometry import ALIGNMENT
from cwic.latents.scales import SYMBOL_MAX
from cwic.latents.serial import SerialPrior, Wave
from cwic.latents.symbols import CodedLatents, Discard, Seen, SymbolReader, SymbolSink, SymbolWriter
from cwic.latents.wide import FRACTION_BITS
from cwic.models.base import CutLatents, Floats, Halo, ModelData, Outlook
from cwic.networks.engine import Network
from cwic.networks.windows import window_inputs


class Cwam2024Model:
    """See `cwic.models.base.CodingModel`. The graphs are `g_a`, `h_a` (medians removed) and `g_s`.

    The symbol of a latent is `round(y - mean)`, and `symbol + mean` is what context and decoder see, both with the mean
    of the integer prior.
    """

    analysis_halo = synthesis_halo = Halo(8, grid=8)
    """The margin in which surroundings change a tile visibly; the transforms reach further, but fade."""

    def __init__(self, data: ModelData, device: str = "cpu") -> None:
        """Raises `ModelError` if something is missing or does not fit."""
        self.data = data
        self._config = cast(Cwam2024Config, data.config)
        self._prior = SerialPrior(self._config.N, self._config.context == "serial", data.exact)
        missing = {"g_a", "h_a", "g_s"} - data.graphs.keys()
        if missing:
            raise ModelError(f"the weights lack the graph {min(missing)}")
        self._networks = {name: Network(graph, data.weights, device) for name, graph in data.graphs.items()}

    def prepare_analysis(self, x: Floats) -> Floats:
        """All of the analysis: with one level, nothing depends on it."""
        return self._networks["g_a"]({"x": x, **self._windows(*(side // 16 for side in x.shape[2:]))})

    def finish_analysis(self, prepared: Floats, level: int = 0) -> Floats:
        """Returns `prepared`: a model of one rate has no stage that depends on the level."""
        return prepared

    def hyper_analyse(self, y: Floats, level: int = 0) -> Floats:
        """z without its medians, before rounding: `[1, N, h/4, w/4]` of `y` `[1, N, h, w]`."""
        return self._networks["h_a"]({"y": y})

    has_outlook = has_preview = False

    def compress(
        self,
        y: Floats,
        level: int = 0,
        tile: int = 0,
        sink: SymbolSink | None = None,
        error_weight: float | None = None,
    ) -> CodedLatents:
        """The symbols are `round(y - mean)`, as published."""
        writer = SymbolWriter(sink or SymbolEncoder(self.data.tables), tile)
        rows = y[0].reshape(y.shape[1], -1).T.astype(np.float64)

        def code(wave: Wave) -> NDArray[np.int32]:
            steps = rows[wave.positions] - wave.means_hat * 2.0**-FRACTION_BITS
            return writer.put(np.clip(np.rint(steps), -SYMBOL_MAX, SYMBOL_MAX), wave.indexes)

        z = self.hyper_analyse(y)[0].transpose(1, 2, 0)
        z_symbols = writer.put(np.clip(np.rint(z), -SYMBOL_MAX, SYMBOL_MAX), self._prior.z_index)
        return writer.finish(self._prior.traverse(z_symbols, code))

    def as_written(self, x: Floats, level: int = 0) -> NDArray[np.int64]:
        return self.compress(self.finish_analysis(self.prepare_analysis(x)), sink=Discard()).y_hat

    def decompress(
        self, data: bytes, crc: int, height: int, width: int, level: int = 0, tile: int = 0, seen: Seen | None = None
    ) -> NDArray[np.int64]:
        reader = SymbolReader(self.data.tables, data, tile, seen)
        shape = height // ALIGNMENT, width // ALIGNMENT, self._config.N
        z_symbols = reader.get(np.broadcast_to(self._prior.z_index, shape))
        y_hat = self._prior.traverse(z_symbols, lambda wave: reader.get(wave.indexes))
        reader.finish(crc)
        return y_hat

    def decompress_cut(
        self, data: bytes, crc: int, height: int, width: int, level: int = 0, tile: int = 0
    ) -> CutLatents:
        raise FormatError("the published family has no passes over the whole tile")

    def synthesise(self, y_hat: NDArray[np.int64], level: int = 0) -> Floats:
        y = np.ascontiguousarray((y_hat * 2.0**-FRACTION_BITS).transpose(2, 0, 1)[None], np.float32)
        return self._networks["g_s"]({"y_hat": y, **self._windows(*y_hat.shape[:2])})

    def preview(self, y_hat: NDArray[np.int64], level: int, scale: int) -> Floats:
        raise NotImplementedError("the published family has no linear maps to make a preview from")

    def compress_with_slope(
        self, y: Floats, level: int = 0, tile: int = 0, error_weight: float | None = None
    ) -> tuple[CodedLatents, Floats]:
        raise NotImplementedError("the published family has no gradient here")

    def outlook(self, y_hat: NDArray[np.int64], x: Floats, mask: Floats, level: int = 0) -> Outlook:
        raise NotImplementedError("the published family has no gradient here")

    def _windows(self, rows: int, columns: int) -> dict[str, NDArray[np.generic]]:
        """The masks that the attention at 1/4 and at 1/16 asks for, of a map of `rows` by `columns` at 1/16."""
        if self._config.attention == "none":
            return {}
        cross = self._config.attention == "cross-window"
        fine = window_inputs("attention_4", 4 * rows, 4 * columns, 8, 4, cross)
        return fine | window_inputs("attention_16", rows, columns, 4, 2, cross)
