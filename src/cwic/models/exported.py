"""A model as it is shipped: float transforms, the integer prior, and the probability tables."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cwic.entropy.coder import SymbolEncoder
from cwic.entropy.tables import Tables, gaussian_tables
from cwic.image.geometry import ALIGNMENT
from cwic.image.tiles import Halo
from cwic.latents.coding import CodedLatents, SymbolSink, decode_latents, encode_latents
from cwic.latents.exact import GAIN_BITS, ExactPrior
from cwic.latents.gaussian import scale_grid
from cwic.latents.prior import features
from cwic.latents.rounding import symbol_costs
from cwic.models.config import CwicConfig
from cwic.models.model import CwicModel
from cwic.transforms.analysis import Analysis
from cwic.transforms.hyper import HyperAnalysis
from cwic.transforms.synthesis import Synthesis

FEATURE_CONVOLUTIONS = 11
"""3x3 convolutions, one after the other at 1/8, of the feature encoding: two dense blocks of five and one between."""


class ExportedModel(nn.Module):
    """The coding side of a model, for inference. g_a and h_a choose symbols; `prior` and `tables` decide bytes."""

    costs: Tensor
    half_precision = True
    """The transforms are stored in half precision, which costs nothing that can be measured."""

    def __init__(self, config: CwicConfig, tables: Tables) -> None:
        super().__init__()
        self.config = config
        self.tables = tables
        self.register_buffer("costs", symbol_costs(tables), persistent=False)
        self.g_a = Analysis(config)
        self.h_a = HyperAnalysis(config)
        self.g_s = Synthesis(config)
        self.prior = ExactPrior(config)

    @torch.no_grad()
    def encode(self, x: Tensor, level: int, sink: SymbolSink | None = None) -> CodedLatents:
        """Codes `x` `[1, 3, H, W]` in [0, 1], sides multiples of 64, as one tile. See `encode_latents`."""
        return self.encode_latents(self.analyse(x, level), level, sink=sink)

    @torch.no_grad()
    def analyse(self, x: Tensor, level: int) -> Tensor:
        """y `[1, M, H/16, W/16]`, before rounding, of `x` `[1, 3, H, W]` in [0, 1], sides multiples of 16."""
        return self.finish_analysis(self.prepare_analysis(x), level)

    @torch.no_grad()
    def prepare_analysis(self, x: Tensor) -> Tensor:
        """The part of `analyse` that is the same for all levels: `[1, 192, H/8, W/8]`, 12 bytes a pixel."""
        return self.g_a.prepare(x)

    @torch.no_grad()
    def finish_analysis(self, prepared: Tensor, level: int) -> Tensor:
        """The rest of `analyse`. Leaves `prepared` as it is."""
        return self.g_a.finish(prepared, self._levels(level))

    @torch.no_grad()
    def hyper_analyse(self, y: Tensor, level: int) -> Tensor:
        """z in steps, before rounding: `[1, C_z, h/4, w/4]` of `y` `[1, M, h, w]`."""
        levels = self._levels(level)
        gain = self._gain(levels).float()[:, :, None, None]
        return self.h_a(features(y * gain, gain, dim=1), levels)

    @torch.no_grad()
    def encode_latents(self, y: Tensor, level: int, tile: int = 0, sink: SymbolSink | None = None) -> CodedLatents:
        """Codes the latents `y` `[1, M, h, w]` of tile number `tile`, h and w multiples of 4, at `level` 0..1000.

        The symbols go to `sink` instead of a coder if there is one.
        """
        levels = self._levels(level)
        z = self.hyper_analyse(y, level)
        sink = sink or SymbolEncoder(self.tables)
        return encode_latents(self.prior, sink, self.costs, y, z, levels, tile)

    @torch.no_grad()
    def decode_latents(self, data: bytes, crc: int, height: int, width: int, level: int, tile: int = 0) -> Tensor:
        """The decoded y, integers `[1, h, w, M]`, of a tile of `height` and `width` pixels, multiples of 64.

        Raises `FormatError`.
        """
        shape = height // ALIGNMENT, width // ALIGNMENT
        return decode_latents(self.prior, self.tables, data, crc, shape, self._levels(level), tile)

    @torch.no_grad()
    def synthesise(self, decoded: Tensor, level: int) -> Tensor:
        """`x_hat` `[1, 3, 16 h, 16 w]`, not clamped, of a decoded y `[1, h, w, M]`."""
        levels = self._levels(level)
        return self.g_s(self.prior.dequantise(decoded, levels), levels)

    def _gain(self, levels: Tensor) -> Tensor:
        return self.prior.gain(self.prior.log2_gain(levels)).double() / (1 << GAIN_BITS)

    def _levels(self, level: int) -> Tensor:
        return torch.tensor([level], device=self.device)

    @property
    def analysis_halo(self) -> Halo:
        """What g_a must see around a region: each 3x3 convolution at 1/8 reaches half a position further."""
        encoding = FEATURE_CONVOLUTIONS if self.config.feature_encoding else 0
        return self._behind_attention(-(-(encoding + self.config.analysis_blocks) // 2))

    @property
    def synthesis_halo(self) -> Halo:
        """What g_s must see around a region."""
        positions, grid = self._behind_attention(0)
        return Halo(positions + -(-self.config.synthesis_blocks // 2), grid)

    def _behind_attention(self, wrong: int) -> Halo:
        """How many positions at a cut are wrong after the attention branch, if `wrong` are before it.

        The first half window is masked at a cut; the windows after it look half a window back.
        """
        if self.config.attention == "none":
            return Halo(wrong)
        window = self.config.attention_window
        return Halo(max(1, -(-wrong // window)) * window + window // 2 + self.config.attention_units, window)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.prior.exp2_table.device


def export(model: CwicModel) -> ExportedModel:
    """Turns a trained model into a shipped one. Raises `ModelError` if an accumulator could overflow."""
    exported = ExportedModel(model.config, gaussian_tables(scale_grid()))
    exported.g_a.load_state_dict(model.g_a.state_dict())
    exported.g_s.load_state_dict(model.g_s.state_dict())
    exported.h_a.load_state_dict(model.prior.h_a.state_dict())
    exported.prior.take(model.prior.exact)
    return exported.eval().requires_grad_(False)
