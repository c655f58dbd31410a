"""A model of the published family as it codes files: the float network, its prior in integers, probability tables."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from cwic.entropy.coder import SymbolEncoder
from cwic.entropy.share import share_rows
from cwic.entropy.tables import MAX_TABLES, Tables, frequencies_of, gaussian_tables
from cwic.errors import ModelError
from cwic.image.geometry import ALIGNMENT
from cwic.image.tiles import Halo
from cwic.latents.coding import CodedLatents, SymbolSink
from cwic.latents.coding_serial import decode_serial, encode_serial
from cwic.latents.exact_serial import ExactSerialPrior
from cwic.latents.factorized import EntropyBottleneck
from cwic.latents.fixed_point_wide import FRACTION_BITS
from cwic.latents.gaussian import MASS_MIN, SCALES, scale_grid
from cwic.models.config import Cwam2024Config
from cwic.models.cwam2024 import Cwam2024Model
from cwic.nn import FeatureEncoding, ResidualAttention

RESIDUAL = (FeatureEncoding, ResidualAttention)
"""Blocks of the form `x + branch(x)`: what their branch loses in precision is small beside x."""
Z_REACH_MAX = 127
"""Symbols of z beyond it are coded as escapes, however wide a density is."""


class ExportedCwam2024(nn.Module):
    """The coding side of a model of the published family.

    `network` chooses symbols and makes pictures, in floats; `prior` and `tables` decide bytes. The symbol of a latent
    is `round(y - mean)`, and `symbol + mean` is what context and decoder see, both with the mean of `prior`.
    """

    half_precision = False
    """Weights are kept as they were trained: a published checkpoint stays what it is."""
    analysis_halo = synthesis_halo = Halo(8, grid=8)
    """What a tile depends on enough to be seen: the transforms reach further, but fade."""

    def __init__(self, config: Cwam2024Config, tables: Tables) -> None:
        super().__init__()
        self.config = config
        self.tables = tables
        # Convolutions on processors are a quarter faster with the channels last.
        self.network: Cwam2024Model = Cwam2024Model(config).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.prior = ExactSerialPrior(config.N, config.context == "serial")

    @torch.no_grad()
    def analyse(self, x: Tensor, level: int = 0) -> Tensor:
        """y `[1, N, h, w]` of `x` `[1, 3, H, W]` in [0, 1], sides multiples of 64. There is one level.

        Residual branches and inner convolutions, which are most of the work, run in bfloat16 where the processor
        multiplies it natively: whatever is chosen here is decoded exactly. It moves y by about 0.0015 steps.
        """
        x = x.contiguous(memory_format=torch.channels_last)
        fast = x.device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
        stages = self.network.g_a.stages()
        convolutions = [stage for stage in stages if isinstance(stage, nn.Conv2d)]
        reduced = {*convolutions[1:-1], *(stage for stage in stages if isinstance(stage, RESIDUAL))}
        for stage in stages:
            with torch.autocast("cpu", torch.bfloat16, enabled=fast and stage in reduced):
                x = stage(x).float()
        return x

    def prepare_analysis(self, x: Tensor) -> Tensor:
        """All of `analyse`: with one level, nothing depends on it."""
        return self.analyse(x)

    def finish_analysis(self, prepared: Tensor, level: int = 0) -> Tensor:
        """Nothing is left to do."""
        return prepared

    @torch.no_grad()
    def encode_latents(self, y: Tensor, level: int = 0, tile: int = 0, sink: SymbolSink | None = None) -> CodedLatents:
        """Codes `y` `[1, N, h, w]`, sides multiples of 4. Symbols go to `sink` instead of a coder if there is one."""
        z = self.network.h_a(y) - self.network.entropy_bottleneck.medians
        return encode_serial(self.prior, sink or SymbolEncoder(self.tables), y, z, tile)

    def encode(self, x: Tensor, level: int = 0, sink: SymbolSink | None = None) -> CodedLatents:
        """`analyse` and `encode_latents` of a whole picture."""
        return self.encode_latents(self.analyse(x), sink=sink)

    @torch.no_grad()
    def decode_latents(self, data: bytes, crc: int, height: int, width: int, level: int = 0, tile: int = 0) -> Tensor:
        """The decoded y of coded bytes, for a padded picture of `height` and `width`. Raises `FormatError`."""
        shape = height // ALIGNMENT, width // ALIGNMENT
        return decode_serial(self.prior, self.tables, data, crc, shape, tile)

    @torch.no_grad()
    def synthesise(self, decoded: Tensor, level: int = 0) -> Tensor:
        """`x_hat` `[1, 3, H, W]`, not clamped, of a decoded y."""
        y_hat = (decoded.double() * 2.0**-FRACTION_BITS).float().permute(0, 3, 1, 2)
        return self.network.g_s(y_hat)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.prior.medians.device


@torch.no_grad()
def export(model: Cwam2024Model) -> ExportedCwam2024:
    """Turns a trained or imported model into one that codes. Raises `ModelError` if its prior fits no integers."""
    rows, choice = _z_tables(model.entropy_bottleneck)
    tables = Tables.from_rows([*gaussian_tables(scale_grid()), *rows])
    exported = ExportedCwam2024(model.config, tables)
    exported.network.load_state_dict(model.state_dict())
    exported.prior.take(model.h_s, model.context, model.entropy_bottleneck.medians)
    exported.prior.z_index.copy_(torch.from_numpy(choice + SCALES))
    return exported.eval().requires_grad_(False)


def _z_tables(bottleneck: EntropyBottleneck) -> tuple[list[np.ndarray], np.ndarray]:
    """Tables for z, and which of them each channel uses: one each while there are enough, else the alike share one."""
    quantiles = bottleneck.quantiles[:, 0]
    if not torch.isfinite(quantiles).all():
        raise ModelError("the quantiles of the entropy bottleneck are not finite")
    widest = float((quantiles - quantiles[:, 1:2]).abs().max())
    reach = min(max(1, int(np.ceil(widest))), Z_REACH_MAX)
    symbols = torch.arange(-reach, reach + 1, device=quantiles.device)
    masses = bottleneck.likelihoods((bottleneck.medians + symbols)[None].transpose(2, 3))[0, :, :, 0]
    beyond = (1 - masses.sum(dim=1, keepdim=True)).clamp_min(MASS_MIN)
    shared, choice = share_rows(torch.cat([masses, beyond], dim=1).double().cpu().numpy(), MAX_TABLES - SCALES)
    return [frequencies_of(row[:-1].tolist(), escape=row[-1]) for row in shared], choice
