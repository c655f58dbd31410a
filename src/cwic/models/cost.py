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
    with torch.no_grad(), FlopCounterMode(display=False, depth=99) as counter:
        model(x, level)
    counts = {path: sum(by_kind.values()) for path, by_kind in counter.get_flop_counts().items()}

    def row(label: str, path: str) -> PartSummary:
        part = model.get_submodule(path)
        parameters = sum(p.numel() for p in part.parameters())
        return PartSummary(label, parameters, _flops(counts, part, f"CwicModel.{path}") / 2 / SIDE**2)

    rows = [
        row("g_a", "g_a"),
        row("  feature encoding", "g_a.feature_encoding"),
        row("  cross-window attention", "g_a.attention"),
        row("g_s", "g_s"),
        row("  cross-window attention", "g_s.attention"),
        row("h_a", "prior.h_a"),
        row("h_s", "prior.exact.h_s"),
        row("context", "prior.exact.context"),
    ]
    whole = sum(p.numel() for p in model.parameters())
    return [*rows, PartSummary("total", whole, counts["Global"] / 2 / SIDE**2)]


def _flops(counts: dict[str, int], part: nn.Module, path: str) -> int:
    """What ran inside `part`: its own count, or, if it is never called itself, that of its children."""
    if path in counts:
        return counts[path]
    return sum(_flops(counts, child, f"{path}.{name}") for name, child in part.named_children())
