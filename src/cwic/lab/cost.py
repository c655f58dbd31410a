"""The cost of a model: parameters, and multiply-accumulates per pixel, part by part."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cwic.config import Cwam2024Config, CwicConfig, ModelConfig
from cwic.lab.networks import network_of
from cwic.models.registry import PartSummary

SIDE = 256
"""Side of the picture that is counted, in pixels: whole windows at 1/16, so that padding costs nothing."""

PARTS = {
    CwicConfig.family: (
        ("g_a", "g_a"),
        ("  feature encoding", "g_a.feature_encoding"),
        ("  {attention} attention", "g_a.attention"),
        ("  {attention} attention", "g_a.between"),
        ("g_s", "g_s"),
        ("  {attention} attention", "g_s.attention"),
        ("  {attention} attention", "g_s.between"),
        ("h_a", "prior.h_a"),
        ("h_s", "prior.exact.h_s"),
        ("context", "prior.exact.context"),
    ),
    Cwam2024Config.family: (
        ("g_a", "g_a"),
        ("  feature encoding", "g_a.feature_encoding"),
        ("  attention at 1/4", "g_a.layers.4"),
        ("  attention at 1/16", "g_a.layers.8"),
        ("g_s", "g_s"),
        ("  attention at 1/16", "g_s.layers.0"),
        ("  attention at 1/4", "g_s.layers.5"),
        ("  feature decoding", "g_s.feature_encoding"),
        ("h_a", "h_a"),
        ("h_s", "h_s"),
        ("entropy bottleneck", "entropy_bottleneck"),
        ("context", "context"),
    ),
}
"""Labels and modules of each family. An indented part lies in the part above; {fields} are of the configuration."""


def parts(config: ModelConfig) -> list[PartSummary]:
    """Return the cost of each part that the model of `config` has, and last the total of encoder and decoder.

    Operators (convolutions, linear maps, attention) are counted in one run of an untrained model.
    """
    model = network_of(config).eval()
    x = torch.zeros(1, 3, SIDE, SIDE)
    with torch.no_grad(), FlopCounterMode(display=False, depth=99) as counter:
        model(x, torch.zeros(1, dtype=torch.int64)) if config.variable_rate else model(x)
    counts = {path: sum(by_kind.values()) for path, by_kind in counter.get_flop_counts().items()}

    def row(label: str, path: str) -> PartSummary:
        part = model.get_submodule(path)
        parameters = sum(p.numel() for p in part.parameters())
        return PartSummary(label, parameters, _flops(counts, part, f"{type(model).__name__}.{path}") / 2 / SIDE**2)

    rows = [row(label.format(attention=config.attention), path) for label, path in PARTS[config.family]]
    whole = sum(p.numel() for p in model.parameters())
    return [*(r for r in rows if r.parameters), PartSummary("total", whole, counts["Global"] / 2 / SIDE**2)]


def _flops(counts: dict[str, int], part: nn.Module, path: str) -> int:
    """Return the operations inside `part`: its own count or, if it is never called itself, that of its children."""
    if path in counts:
        return counts[path]
    return sum(_flops(counts, child, f"{path}.{name}") for name, child in part.named_children())
