"""Export a model of the published family to the form that the codec runs: graphs, integers and tables."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cwic.entropy.merge_tables import merge_tables
from cwic.entropy.tables import MAX_TABLES, Tables, frequencies_of, gaussian_tables
from cwic.errors import ModelError
from cwic.lab.bottleneck import EntropyBottleneck
from cwic.lab.cwam2024 import Cwam2024Model
from cwic.lab.gaussian import MASS_MIN
from cwic.lab.graph_builder import GraphBuilder, Weights
from cwic.lab.serial_context import NoContext
from cwic.latents.scales import SCALES, scale_grid
from cwic.latents.serial import seen_taps
from cwic.latents.wide import FRACTION_BITS, NUMBER_MAX, SHIFT_MAX, WEIGHT_MAX
from cwic.models import cwam2024 as coding
from cwic.models.base import ModelData
from cwic.networks.graph import Graph

Z_REACH_MAX = 127
"""The largest magnitude of z with a symbol of its own, however wide a density is; beyond it are escapes."""


@torch.no_grad()
def export(model: Cwam2024Model) -> coding.Cwam2024Model:
    """Turn a trained model into one that codes. Raises `ModelError` if its prior does not fit integers."""
    rows, choice = _z_tables(model.entropy_bottleneck)
    tables = Tables.from_rows([*gaussian_tables(scale_grid()), *rows])
    exact = exact_tensors(model) | {"z_index": (choice + SCALES).astype(np.uint8)}
    weights: Weights = {}
    graphs = transforms_of(model, weights)
    return coding.Cwam2024Model(
        ModelData(model.config, exact, tables, graphs, lambda names: {name: weights[name] for name in names})
    )


@torch.no_grad()
def transforms_of(model: Cwam2024Model, weights: Weights) -> dict[str, Graph]:
    """Return the graphs of the transforms, and add their tensors to `weights`."""
    return {
        "g_a": _analysis(model, weights),
        "h_a": _hyper_analysis(model, weights),
        "g_s": _synthesis(model, weights),
    }


def _analysis(model: Cwam2024Model, weights: Weights) -> Graph:
    # Weights keep single precision, as they were trained: a published checkpoint does not change.
    graph = GraphBuilder("g_a", weights, half=False)
    x = graph.layer(graph.input("x"), "feature_encoding", model.g_a.feature_encoding)
    for i, layer in enumerate(model.g_a.layers):
        graph.attention_inputs = "attention_4" if i < 5 else "attention_16"
        x = graph.layer(x, f"layers.{i}", layer)
    return graph.graph(graph.layer(x, "attention", model.g_a.attention))


def _hyper_analysis(model: Cwam2024Model, weights: Weights) -> Graph:
    graph = GraphBuilder("h_a", weights, half=False)
    z = graph.layer(graph.input("y"), "layers", model.h_a)
    medians = graph.weight("medians", model.entropy_bottleneck.medians[None], exact=True)
    return graph.graph(graph.add("Sub", z, medians))


def _synthesis(model: Cwam2024Model, weights: Weights) -> Graph:
    graph = GraphBuilder("g_s", weights, half=False)
    x = graph.layer(graph.input("y_hat"), "attention", model.g_s.attention)
    for i, layer in enumerate(model.g_s.layers):
        graph.attention_inputs = "attention_16" if i < 5 else "attention_4"
        x = graph.layer(x, f"layers.{i}", layer)
    return graph.graph(graph.layer(x, "feature_encoding", model.g_s.feature_encoding))


def exact_tensors(model: Cwam2024Model) -> Weights:
    """Return the integer tensors of `cwic.latents.serial.SerialPrior` by name, without the choice of tables for z."""
    bounds = [(a * b) ** 0.5 * (1 << FRACTION_BITS) for a, b in pairwise(scale_grid())]
    tensors: Weights = {
        "medians": to_fixed(model.entropy_bottleneck.medians.flatten()),
        "scale_bounds": np.rint(bounds).astype(np.int32),
    }
    for i, conv in enumerate(m for m in model.h_s.modules() if isinstance(m, nn.Conv2d)):
        tensors |= wide_layer(f"h_s.{i}", conv.weight.flatten(2).transpose(1, 2), cast(Tensor, conv.bias))
    context = model.context
    if isinstance(context, NoContext):
        return tensors
    masked = context.context_prediction
    seen = masked.weight.flatten(2).transpose(1, 2)[:, : len(seen_taps())]
    tensors |= wide_layer("context", seen, cast(Tensor, masked.bias))
    layers = [m for m in context.entropy_parameters if isinstance(m, nn.Conv2d)]
    for i, conv in enumerate(layers):
        tensors |= wide_layer(f"entropy_parameters.{i}", conv.weight.flatten(1)[:, None], cast(Tensor, conv.bias))
    return tensors


def to_fixed(x: Tensor) -> NDArray[np.int32]:
    """Return floats as fixed-point numbers of `cwic.latents.wide`, clamped to their range."""
    scaled = torch.round(x.detach().double() * (1 << FRACTION_BITS)).clamp(-NUMBER_MAX, NUMBER_MAX)
    return scaled.cpu().numpy().astype(np.int32)


def wide_layer(name: str, weight: Tensor, bias: Tensor) -> Weights:
    """Return the tensors of a `cwic.latents.wide.WideLayer`.

    Args:
        name: the beginning of their names.
        weight: the trained weights, `[C_out, taps, C_in]`.
        bias: the trained biases, `[C_out]`.

    Raises:
        ModelError: weights or biases are out of range, or not finite.
    """
    weight, bias = weight.detach().double().cpu(), bias.detach().cpu()
    largest = weight.abs().amax(dim=(1, 2))
    if not (largest <= WEIGHT_MAX).all() or not (bias.abs() < NUMBER_MAX >> FRACTION_BITS).all():
        raise ModelError(f"{name} has weights or biases too large for fixed-point numbers, or not finite")
    shift = torch.floor(torch.log2(WEIGHT_MAX / largest.clamp_min(2.0**-SHIFT_MAX))).clamp(0, SHIFT_MAX)
    whole = torch.round(weight * torch.exp2(shift)[:, None, None])
    return {
        f"{name}.weight": whole.numpy().astype(np.int16),
        f"{name}.shift": shift.numpy().astype(np.int16),
        f"{name}.bias": to_fixed(bias),
    }


def _z_tables(bottleneck: EntropyBottleneck) -> tuple[list[NDArray[np.int64]], NDArray[np.int64]]:
    """Return tables for z, and the index of the table of each channel.

    Each channel has its own table if there are enough; otherwise similar channels share one.
    """
    quantiles = bottleneck.quantiles[:, 0]
    if not torch.isfinite(quantiles).all():
        raise ModelError("the quantiles of the entropy bottleneck are not finite")
    widest = float((quantiles - quantiles[:, 1:2]).abs().max())
    reach = min(max(1, int(np.ceil(widest))), Z_REACH_MAX)
    symbols = torch.arange(-reach, reach + 1, device=quantiles.device)
    masses = bottleneck.likelihoods((bottleneck.medians + symbols)[None].transpose(2, 3))[0, :, :, 0]
    beyond = (1 - masses.sum(dim=1, keepdim=True)).clamp_min(MASS_MIN)
    rows = torch.cat([masses, beyond], dim=1).double().cpu().numpy()
    shared, choice = merge_tables(rows, MAX_TABLES - SCALES)
    return [frequencies_of(row[:-1].tolist(), escape=row[-1]) for row in shared], choice
