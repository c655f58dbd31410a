"""What a model costs: parameters, and multiply-accumulates per pixel, part by part."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cwic.models.catalog import PartSummary
from cwic.models.config import CwicConfig
from cwic.models.model import CwicModel

SIDE = 256
"""Side of the picture that is counted; fills whole windows at 1/16, so that nothing is spent on padding."""


def parts(config: CwicConfig) -> list[PartSummary]:
    """Each part of the model of `config`, then the total, encoder and decoder together.

    Counted at the level of operators (convolutions, linear maps, attention) on one run of an untrained model.
    """
    model = CwicModel(config)
    x, level = torch.zeros(1, 3, SIDE, SIDE), torch.zeros(1, dtype=torch.int64)
    with torch.no_grad(), FlopCounterMode(display=False, depth=4) as counter:
        model(x, level)
    counts = counter.get_flop_counts()

    def row(label: str, module: nn.Module, path: str) -> PartSummary:
        parameters = sum(p.numel() for p in module.parameters())
        flops = sum(counts.get(f"CwicModel.{path}" if path else "Global", {}).values())
        return PartSummary(label, parameters, flops / 2 / SIDE**2)

    return [
        row("g_a", model.g_a, "g_a"),
        row("  feature encoding", model.g_a.feature_encoding, "g_a.feature_encoding"),
        row("  cross-window attention", model.g_a.attention, "g_a.attention"),
        row("g_s", model.g_s, "g_s"),
        row("  cross-window attention", model.g_s.attention, "g_s.attention"),
        row("h_a", model.prior.h_a, "prior.h_a"),
        row("h_s", model.prior.exact.h_s, "prior.exact.h_s"),
        row("context", model.prior.exact.context, "prior.exact.context"),
        row("total", model, ""),
    ]
