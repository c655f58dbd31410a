"""The coding model of the `cwic` family: float networks as graphs, the quadtree prior, and probability tables."""

from __future__ import annotations

from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray

from cwic.config import EYE, PSNR, CwicConfig
from cwic.entropy.coder import SymbolEncoder
from cwic.errors import FormatError, ModelError
from cwic.image.geometry import ALIGNMENT
from cwic.latents.levels import KNOTS, interpolate_gain
from cwic.latents.passes import PASSES, join_passes, split_passes
from cwic.latents.quadtree import GAIN_BITS, VALUE_BITS, Z_MAX, LatentPass, QuadtreePrior
from cwic.latents.rounding import CONSIDERED, cost_slopes, round_by_cost, symbol_costs
from cwic.latents.scales import SYMBOL_MAX
from cwic.latents.symbols import (
    CodedLatents,
    CutReader,
    Discard,
    Seen,
    SymbolReader,
    SymbolSink,
    SymbolWriter,
)
from cwic.models.base import CutLatents, Floats, Halo, ModelData, Outlook
from cwic.models.preview import BLOCK, LATENT, preview_maps
from cwic.networks.adjoint import MASK, TARGET, with_gradient
from cwic.networks.engine import Network
from cwic.networks.product import product
from cwic.networks.windows import window_inputs

FEATURE_CONVOLUTIONS = 11
"""The 3x3 convolutions in sequence, at 1/8, of the feature encoding: two dense blocks of five, and one between."""
WRITTEN_WEIGHT = 22.0
"""The weight of rounding errors in `as_written`. It is part of the format, whatever weight an encoder uses."""


class CwicModel:
    """A `cwic.models.base.CodingModel` of the `cwic` family.

    Its graphs are `features`, `g_a`, `h_a` and `g_s`. Some of their inputs are gains, which depend on the level.
    """

    def __init__(self, data: ModelData, device: str = "cpu") -> None:
        """Make a model from the contents of a weight file. Raises `ModelError` if they are incomplete or do not fit."""
        self.data, self._device = data, device
        self._config = cast(CwicConfig, data.config)
        self._prior = QuadtreePrior(self._config, data.exact)
        self._costs = symbol_costs(data.tables)
        if data.preview is not None and data.preview.shape[-1] != self._config.M + 1:
            raise ModelError(f"the map of small pictures is for {data.preview.shape[-1] - 1} channels")
        missing = {"features", "g_a", "h_a", "g_s"} - data.graphs.keys()
        if missing:
            raise ModelError(f"the weights lack the graph {min(missing)}")
        self._networks = {name: Network(graph, data.weights, device) for name, graph in data.graphs.items()}
        self._log2_gains = dict(data.weights([name for graph in data.graphs.values() for name in graph.gains()]))
        for name, knots in self._log2_gains.items():
            if knots.ndim != 2 or len(knots) != KNOTS:
                raise ModelError(f"{name} of the weights is {list(knots.shape)}, not [{KNOTS}, C]")

    def prepare_analysis(self, x: Floats, *, precise: bool = False) -> Floats:
        """Return the encoded features of `x`: `[1, 192, H/8, W/8]`, 12 bytes a pixel."""
        return self._networks["features"]({"x": x}, precise=precise)

    def finish_analysis(self, prepared: Floats, level: int, *, precise: bool = False) -> Floats:
        """Return y `[1, M, H/16, W/16]` in units of one standard deviation per channel."""
        rows, columns = (side // 2 for side in prepared.shape[2:])
        return self._run("g_a", level, {"features": prepared, **self._windows(rows, columns)}, precise=precise)

    def hyper_analyse(self, y: Floats, level: int, *, precise: bool = False) -> Floats:
        """Return z of `y` `[1, M, h, w]` in steps, before rounding: `[1, C_z, h/4, w/4]`."""
        gain = self._prior.gain(self._prior.log2_gain(level)) / (1 << GAIN_BITS)
        return self._run("h_a", level, {"y": y, "gain": np.float32(gain).reshape(1, -1, 1, 1)}, precise=precise)

    def compress(
        self,
        y: Floats,
        level: int,
        tile: int = 0,
        sink: SymbolSink | None = None,
        error_weight: float | None = None,
    ) -> CodedLatents:
        z, sink = self.hyper_analyse(y, level), sink or SymbolEncoder(self.data.tables)
        return self._code(y, z, level, tile, sink, self._weight_of(error_weight))

    def compress_with_slope(
        self, y: Floats, level: int, tile: int = 0, error_weight: float | None = None
    ) -> tuple[CodedLatents, Floats]:
        slopes: list[Floats] = []
        z, sink = self.hyper_analyse(y, level), SymbolEncoder(self.data.tables)
        coded = self._code(y, z, level, tile, sink, self._weight_of(error_weight), slopes)
        return coded, np.ascontiguousarray(join_passes(slopes).transpose(2, 0, 1)[None])

    def as_written(self, x: Floats, level: int) -> NDArray[np.int64]:
        y = self.finish_analysis(self.prepare_analysis(x, precise=True), level, precise=True)
        z = self.hyper_analyse(y, level, precise=True)
        return self._code(y, z, level, 0, Discard(), WRITTEN_WEIGHT).y_hat

    def decompress(
        self, data: bytes, crc: int, height: int, width: int, level: int, tile: int = 0, seen: Seen | None = None
    ) -> NDArray[np.int64]:
        reader = SymbolReader(self.data.tables, data, tile, seen)
        z_hat = self._z_hat(reader, height, width, level)
        y_hat = self._prior.traverse(z_hat, level, lambda known: reader.get(known.indexes))
        reader.finish(crc)
        return y_hat

    def decompress_cut(self, data: bytes, crc: int, height: int, width: int, level: int, tile: int = 0) -> CutLatents:
        """Decode as much of cut data as there is.

        Raises:
            FormatError: a part of z is missing; without all of it nothing can be shown.
        """
        reader = CutReader(self.data.tables, data, tile)
        z_hat = self._z_hat(reader, height, width, level)
        if not reader.is_whole[0]:
            raise FormatError("the coded data end within the hyper-latent")
        y_hat = self._prior.traverse(z_hat, level, lambda known: reader.get(known.indexes))
        reader.finish(crc)
        passes = [*reader.is_whole[1:], False].index(False)
        return CutLatents(y_hat, passes, PASSES)

    def dequantise(self, y_hat: NDArray[np.int64], level: int) -> Floats:
        """Return latents `[h, w, M]`, as they are decoded, in units of y: `[1, M, h, w]`."""
        return self._prior.dequantise(y_hat, level)

    def synthesise(self, y_hat: NDArray[np.int64], level: int) -> Floats:
        inputs = {"y_hat": self.dequantise(y_hat, level), **self._windows(*y_hat.shape[:2])}
        return self._run("g_s", level, inputs)

    has_preview = True

    def preview(self, y_hat: NDArray[np.int64], level: int, scale: int) -> Floats:
        """Return a preview, by one product of matrices: no engine has to be loaded for it."""
        h, w, M = y_hat.shape
        side = LATENT // scale
        weight, bias = self._preview_maps
        if scale != BLOCK:
            weight, bias = (each.mean(axis=1, keepdims=True) for each in (weight, bias))
        matrix = np.ascontiguousarray((weight.reshape(-1, M) * self._prior.step(level)).T, np.float32)
        squares = product(y_hat.reshape(-1, M).astype(np.float32), matrix) + bias.reshape(-1)
        x_hat = squares.reshape(h, w, 3, side, side).transpose(2, 0, 3, 1, 4).reshape(1, 3, h * side, w * side)
        return x_hat.astype(np.float32, copy=False)

    @cached_property
    def _preview_maps(self) -> tuple[Floats, Floats]:
        return preview_maps(self.data)

    @property
    def has_outlook(self) -> bool:
        return self.data.tune in (EYE, PSNR)

    def outlook(self, y_hat: NDArray[np.int64], x: Floats, mask: Floats, level: int) -> Outlook:
        y = self.dequantise(y_hat, level)
        inputs = {"y_hat": y, TARGET: x, MASK: mask, **self._windows(*y_hat.shape[:2])}
        network = self._with_gradient
        x_hat, gradient = network.outputs(inputs | self._gains(network, level))
        gain = self._prior.gain(self._prior.log2_gain(level)) / (1 << GAIN_BITS)
        step = (1 / gain).astype(np.float32).reshape(1, -1, 1, 1)
        return Outlook(x_hat, y, gradient * step, step)

    @cached_property
    def _cost_slopes(self) -> Floats:
        return cost_slopes(self._costs)

    @cached_property
    def _with_gradient(self) -> Network:
        """The network of g_s that also gives the gradient of its error."""
        graph, weights = with_gradient(self._networks["g_s"].graph, "y_hat", self.data.weights)
        return Network(graph, weights, self._device)

    @property
    def analysis_halo(self) -> Halo:
        encoding = FEATURE_CONVOLUTIONS if self._config.feature_encoding else 0
        return self._halo(
            self._behind_latent_branch(-(-self._behind_trunk(encoding, self._config.analysis_blocks) // 2))
        )

    @property
    def synthesis_halo(self) -> Halo:
        fine = self._behind_trunk(2 * self._behind_latent_branch(0), self._config.synthesis_blocks)
        return self._halo(-(-fine // 2))

    def _weight_of(self, asked: float | None) -> float:
        return self.data.error_weight if asked is None else asked

    def _code(
        self,
        y: Floats,
        z: Floats,
        level: int,
        tile: int,
        sink: SymbolSink,
        error_weight: float,
        slopes: list[Floats] | None = None,
    ) -> CodedLatents:
        """Round y and z, and code; `slopes` takes the slope of the bits by the symbols of each pass."""
        writer = SymbolWriter(sink, tile)
        parts = split_passes(y[0].transpose(1, 2, 0).astype(np.float64))

        def code(known: LatentPass) -> NDArray[np.int32]:
            steps = parts[known.pass_index] * (known.gain / (1 << GAIN_BITS)) - known.means_hat / (1 << VALUE_BITS)
            steps = np.clip(steps, -SYMBOL_MAX, SYMBOL_MAX)
            symbols = writer.put(round_by_cost(steps, self._costs, known.indexes, error_weight), known.indexes)
            if slopes is not None:
                magnitudes = np.minimum(np.abs(symbols), CONSIDERED - 1)
                slopes.append(np.copysign(self._cost_slopes[known.indexes, magnitudes], symbols, dtype=np.float32))
            return symbols

        z_steps = np.clip(np.rint(z[0].transpose(1, 2, 0)), -Z_MAX, Z_MAX)
        z_hat = writer.put(z_steps, self._prior.z_index(level))
        return writer.finish(self._prior.traverse(z_hat, level, code))

    def _z_hat(self, reader: SymbolReader | CutReader, height: int, width: int, level: int) -> NDArray[np.int32]:
        z_index = self._prior.z_index(level)
        z_hat = reader.get(np.broadcast_to(z_index, (height // ALIGNMENT, width // ALIGNMENT, len(z_index))))
        if int(np.abs(z_hat).max()) > Z_MAX:
            raise FormatError("the coded data hold a hyper-latent that no encoder writes")
        return z_hat

    def _run(self, name: str, level: int, inputs: dict[str, NDArray[np.generic]], *, precise: bool = False) -> Floats:
        network = self._networks[name]
        return network(inputs | self._gains(network, level), precise=precise)

    def _gains(self, network: Network, level: int) -> dict[str, NDArray[np.generic]]:
        return {
            key: interpolate_gain(self._log2_gains[key], level).reshape(1, -1, 1, 1) for key in network.graph.gains()
        }

    def _windows(self, rows: int, columns: int) -> dict[str, NDArray[np.generic]]:
        """Return the masks and borders that are inputs of the attention at 1/16; none without attention."""
        if self._config.attention == "none":
            return {}
        window = self._config.attention_window
        return window_inputs("attention", rows, columns, window, window // 2, self._config.attention == "cross-window")

    def _halo(self, positions: int) -> Halo:
        return Halo(positions, 1 if self._config.attention == "none" else self._config.attention_window)

    def _behind_trunk(self, wrong: int, blocks: int) -> int:
        """Return the number of positions at 1/8 that are wrong at a cut after the blocks of a trunk.

        Args:
            wrong: the number that are wrong before the blocks.
            blocks: the number of blocks; each has a 3x3 convolution, which makes one more position wrong.
        """
        every = 0 if self._config.attention == "none" else self._config.attention_every
        for i in range(blocks):
            wrong += 1
            if every and (i + 1) % every == 0:
                wrong = 2 * self._behind_attention(-(-wrong // 2))
        return wrong

    def _behind_latent_branch(self, wrong: int) -> int:
        """Return the number of positions of y that are wrong at a cut after the latent branch, if there is one.

        Args:
            wrong: the number that are wrong before it.
        """
        if self._config.attention == "none" or self._config.attention_every:
            return wrong
        # In a gate, 3x3 convolutions follow the attention.
        units = self._config.attention_units if self._config.attention_form == "gated" else 0
        return self._behind_attention(wrong) + units

    def _behind_attention(self, wrong: int) -> int:
        """Return the number of positions of y that are wrong at a cut after an attention, if `wrong` are before it.

        The first half window is masked at a cut. Each window after it attends to itself and, across windows, to half a
        window around it.
        """
        window = self._config.attention_window
        if self._config.attention == "cross-window":
            return max(1, -(-wrong // window)) * window + window // 2
        return -(-max(0, wrong - window // 2) // window) * window + window // 2
