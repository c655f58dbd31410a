"""A model as it is shipped: float transforms, the integer prior, and the probability tables."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cwic.entropy.coder import SymbolEncoder
from cwic.entropy.tables import Tables, gaussian_tables
from cwic.image.geometry import ALIGNMENT
from cwic.latents.coding import CodedLatents, SymbolSink, decode_latents, encode_latents
from cwic.latents.exact import GAIN_BITS, ExactPrior
from cwic.latents.gaussian import scale_grid
from cwic.latents.prior import features, lmbda_of
from cwic.latents.rounding import error_weight, symbol_costs
from cwic.models.config import CwicConfig
from cwic.models.model import CwicModel
from cwic.transforms.analysis import Analysis
from cwic.transforms.hyper import HyperAnalysis
from cwic.transforms.synthesis import Synthesis


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
        """Codes `x` `[1, 3, H, W]` in [0, 1], sides multiples of 64, at `level` 0..1000.

        The symbols go to `sink` instead of a coder if there is one.
        """
        levels = torch.tensor([level], device=x.device)
        y, z = self.analyse(x, levels)
        weight = error_weight(lmbda_of(levels).double()[:, None], self.g_a.y_scale.double(), self._gain(levels))
        sink = sink or SymbolEncoder(self.tables)
        return encode_latents(self.prior, sink, self.costs, y, z, weight, levels)

    def analyse(self, x: Tensor, levels: Tensor) -> tuple[Tensor, Tensor]:
        """y in units of y and z in steps, both before rounding."""
        y = self.g_a(x, levels)
        gain = self._gain(levels).float()[:, :, None, None]
        return y, self.h_a(features(y * gain, gain, dim=1), levels)

    def _gain(self, levels: Tensor) -> Tensor:
        return self.prior.gain(self.prior.log2_gain(levels)).double() / (1 << GAIN_BITS)

    @torch.no_grad()
    def decode_latents(self, data: bytes, crc: int, height: int, width: int, level: int) -> Tensor:
        """The decoded y of coded bytes, for a padded picture of `height` and `width`. Raises `FormatError`."""
        levels = torch.tensor([level], device=self.device)
        return decode_latents(self.prior, self.tables, data, crc, (height // ALIGNMENT, width // ALIGNMENT), levels)

    @torch.no_grad()
    def synthesise(self, decoded: Tensor, level: int) -> Tensor:
        """`x_hat` `[1, 3, H, W]`, not clamped, of a decoded y."""
        levels = torch.tensor([level], device=decoded.device)
        return self.g_s(self.prior.dequantise(decoded, levels), levels)

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
