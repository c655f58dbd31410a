"""Export a model of the `cwic` family to the form that the codec runs: graphs, integers and tables."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cwic.entropy.counter import SymbolCounter
from cwic.entropy.tables import gaussian_tables
from cwic.lab.attention import GatedBranch, ResidualBranch
from cwic.lab.cwic import CwicModel
from cwic.lab.fixed_point import to_integers
from cwic.lab.graph_builder import GraphBuilder, Weights, from_space_to_depth
from cwic.lab.hyper import HyperAnalysis
from cwic.lab.orthonormal import BLOCK
from cwic.lab.prior import PriorNetworks
from cwic.lab.transforms import Analysis, Synthesis
from cwic.latents.int8 import STREAM_BITS
from cwic.latents.levels import KNOT_SPACING, KNOTS, MAX_LEVEL
from cwic.latents.quadtree import GAIN_BITS, GAIN_OCTAVES, MAGNITUDE_BITS, MAGNITUDE_MAX, Z_MAX
from cwic.latents.rounding import symbol_costs
from cwic.latents.scales import LOG2_SCALE_MIN, SCALE_STEP, scale_grid
from cwic.models import cwic as coding
from cwic.models.base import ModelData, encode
from cwic.networks.graph import Graph
from cwic.nn import DepthConvBlock, LevelGain


@torch.no_grad()
def export(model: CwicModel) -> coding.CwicModel:
    """Turn a trained model into one that codes. Raises `ModelError` if an integer could overflow."""
    weights: Weights = {}
    graphs = transforms_of(model.g_a, model.prior.h_a, model.g_s, weights)
    exact = exact_tensors(model.prior.exact)
    return coding.CwicModel(
        ModelData(
            model.config, exact, gaussian_tables(scale_grid()), graphs, lambda names: {n: weights[n] for n in names}
        )
    )


@torch.no_grad()
def fit(model: coding.CwicModel, pictures: list[NDArray[np.float32]]) -> coding.CwicModel:
    """Return the same model with the scales of z and the tables fitted to its symbols for pictures `[1, 3, H, W]`."""
    data = model.data
    exact = data.exact | {"networks.z_log2_scale.value": _z_scales(model, pictures[::8])}
    model = coding.CwicModel(data._replace(exact=exact))
    counter = SymbolCounter(data.tables)
    for i, x in enumerate(pictures):
        encode(model, x, round(MAX_LEVEL * (i + 0.5) / len(pictures)), sink=counter)
    return coding.CwicModel(model.data._replace(tables=counter.tables()))


def exact_tensors(networks: PriorNetworks) -> Weights:
    """Return the integer tensors of `cwic.latents.quadtree.QuadtreePrior`, by name."""
    octave, unit = 1 << STREAM_BITS, 1 << MAGNITUDE_BITS
    # Every machine loads these three tables from the weights, because mathematical libraries differ in the last bits.
    fraction = torch.arange(octave, dtype=torch.float64) / octave
    magnitude = torch.arange(MAGNITUDE_MAX * unit + 1, dtype=torch.float64) / unit
    exponent = torch.arange(-GAIN_OCTAVES * octave, GAIN_OCTAVES * octave + 1, dtype=torch.float64) / octave
    tables = {
        "exp2_table": torch.exp2(fraction) * (1 << GAIN_BITS),
        "magnitude_table": torch.log2(1 + magnitude) * octave,
        "gain_magnitude_table": torch.log2(1 + torch.exp2(exponent)) * octave,
    }
    integers = {f"networks.{name}": tensor for name, tensor in to_integers(networks).items()}
    return {name: torch.round(table).int().numpy() for name, table in tables.items()} | integers


@torch.no_grad()
def transforms_of(g_a: Analysis, h_a: HyperAnalysis, g_s: Synthesis, weights: Weights) -> dict[str, Graph]:
    """Return the graphs of the transforms, and add their tensors to `weights`."""
    return {
        "features": _features(g_a, weights),
        "g_a": _analysis(g_a, weights),
        "h_a": _hyper_analysis(h_a, weights),
        "g_s": _synthesis(g_s, weights),
    }


def _features(g_a: Analysis, weights: Weights) -> Graph:
    """Return the graph: x -> unshuffle 8 -> DCT / frequency_scale -> feature encoding."""
    graph = GraphBuilder("features", weights, half=True)
    matrix = g_a.block_transform.weight.double() / g_a.frequency_scale.double()[:, None]
    bias = -0.5 * matrix.sum(dim=1)
    planes = graph.add("SpaceToDepth", graph.input("x"), blocksize=BLOCK)
    planes = graph.linear_map(planes, "block_transform", from_space_to_depth(matrix, BLOCK), bias)
    return graph.graph(graph.layer(planes, "feature_encoding", g_a.feature_encoding))


def _analysis(g_a: Analysis, weights: Weights) -> Graph:
    """Return the graph of g_a after the features. Attention may stand between the blocks instead.

    features -> blocks -> unshuffle 2 -> (* frequency_scale, Haar, / y_scale) -> attention branch -> y
    """
    graph = GraphBuilder("g_a", weights, half=True)
    features = _trunk(graph, graph.input("features"), g_a)
    matrix = g_a.haar.weight.double() * g_a.frequency_scale.double().repeat_interleave(4)
    matrix = matrix / g_a.y_scale.double()[:, None]
    y = graph.add("SpaceToDepth", features, blocksize=2)
    y = graph.linear_map(y, "haar", from_space_to_depth(matrix, 2), exact=False)
    return graph.graph(_attention_branch(graph, y, "attention", g_a.attention))


def _hyper_analysis(h_a: HyperAnalysis, weights: Weights) -> Graph:
    """Return the graph of h_a: y and the gains of its channels -> values and log magnitudes -> z."""
    graph = GraphBuilder("h_a", weights, half=True)
    y, gain = graph.input("y"), graph.input("gain")

    def number(name: str, value: float) -> str:
        return graph.weight(name, torch.tensor(float(value)), exact=True)

    one = number("one", 1.0)
    magnitude = graph.add("Min", graph.add("Abs", graph.add("Mul", y, gain)), number("largest", MAGNITUDE_MAX))
    logs = [graph.add("Log", graph.add("Add", x, one)) for x in (magnitude, gain)]
    magnitude = graph.add("Mul", graph.add("Sub", *logs), number("octave", 1 / math.log(2)))
    t = graph.convolution(graph.add("Concat", y, magnitude, axis=1), "enter", h_a.enter)
    for mix, reduce in (("mix", "reduce"), ("mix_reduced", "leave")):
        t = graph.add("LeakyRelu", t, alpha=0.125)
        t = graph.add("Add", t, graph.convolution(t, mix, getattr(h_a, mix)))
        t = graph.add("SpaceToDepth", t, blocksize=2)
        t = graph.convolution(t, reduce, getattr(h_a, reduce), unshuffled=2)
    return graph.graph(graph.add("Mul", t, _gain(graph, "gain", h_a.gain)))


def _synthesis(g_s: Synthesis, weights: Weights) -> Graph:
    """Return the graph of g_s.

    y_hat -> attention branch -> (* y_scale, Haar, / frequency_scale) -> shuffle 2 -> blocks -> DCT -> shuffle 8
    """
    graph = GraphBuilder("g_s", weights, half=True)
    y = _attention_branch(graph, graph.input("y_hat"), "attention", g_s.attention)
    scale = g_s.frequency_scale.double()
    matrix = g_s.haar.weight.double() * g_s.y_scale.double() / scale.repeat_interleave(4)[:, None]
    features = graph.add("DepthToSpace", graph.linear_map(y, "haar", matrix, exact=False), blocksize=2, mode="CRD")
    features = _trunk(graph, features, g_s)
    matrix = g_s.block_transform.weight.double() * scale
    planes = graph.linear_map(features, "block_transform", matrix, torch.full((len(matrix),), 0.5))
    return graph.graph(graph.add("DepthToSpace", planes, blocksize=BLOCK, mode="CRD"))


def _trunk(graph: GraphBuilder, x: str, transform: Analysis | Synthesis) -> str:
    """Add the blocks, and the attention branches after some of them."""
    for i, block in enumerate(transform.blocks):
        x = _block(graph, x, f"blocks.{i}", block)
        if str(i) in transform.between:
            x = _attention_branch(graph, x, f"between.{i}", transform.between[str(i)])
    return x


def _block(graph: GraphBuilder, x: str, name: str, block: Any) -> str:
    """Add a `DepthConvBlock`."""
    assert isinstance(block, DepthConvBlock)
    spatial = graph.add("LeakyRelu", graph.convolution(x, f"{name}.expand", block.expand), alpha=0.1)
    spatial = graph.convolution(spatial, f"{name}.depthwise", block.depthwise)
    spatial = graph.add("Mul", spatial, _gain(graph, f"{name}.spatial_gain", block.spatial_gain))
    x = graph.add("Add", x, graph.convolution(spatial, f"{name}.project", block.project))
    both = graph.convolution(x, f"{name}.gate", block.gate)
    value, gate = graph.add("Split", both, outputs=2, axis=1, num_outputs=2)
    gated = graph.add("Mul", value, graph.add("Sigmoid", gate))
    gated = graph.add("Mul", gated, _gain(graph, f"{name}.channel_gain", block.channel_gain))
    return str(graph.add("Add", x, graph.convolution(gated, f"{name}.merge", block.merge)))


def _gain(graph: GraphBuilder, name: str, gain: LevelGain) -> str:
    """Add the input that carries a gain at the level. It has the name of the tensor of knots."""
    return graph.input(graph.weight(f"{name}.log2_gain", gain.log2_gain))


def _attention_branch(graph: GraphBuilder, x: str, name: str, branch: nn.Module) -> str:
    """Add a `GatedBranch` or a `ResidualBranch`; an identity leaves x as it is."""
    if isinstance(branch, nn.Identity):
        return x
    assert isinstance(branch, GatedBranch | ResidualBranch)
    if isinstance(branch, GatedBranch):
        inner = graph.convolution(x, f"{name}.enter", branch.enter)
        inner = graph.layer(inner, f"{name}.cwam", branch.cwam)
        return str(graph.add("Add", x, graph.convolution(inner, f"{name}.leave", branch.leave)))
    scale = branch.scale
    inner = x if scale == 1 else graph.add("SpaceToDepth", x, blocksize=scale)
    inner = graph.convolution(inner, f"{name}.enter", branch.enter, unshuffled=scale)
    inner = graph.layer(inner, f"{name}.norm", branch.norm)
    inner = graph.layer(inner, f"{name}.attend", branch.attend)
    inner = graph.convolution(inner, f"{name}.leave", branch.leave)
    return str(
        graph.add("Add", x, inner if scale == 1 else graph.add("DepthToSpace", inner, blocksize=scale, mode="CRD"))
    )


def _z_scales(model: coding.CwicModel, pictures: list[NDArray[np.float32]]) -> NDArray[np.int32]:
    """Return the scales `[KNOTS, C_z]` that code z of `pictures` with the fewest bits, for each channel and knot."""
    costs = symbol_costs(model.data.tables)
    scales = []
    for knot in range(KNOTS):
        level = min(knot * KNOT_SPACING, MAX_LEVEL)
        z = [model.hyper_analyse(model.finish_analysis(model.prepare_analysis(x), level), level) for x in pictures]
        rows = np.concatenate([each[0].reshape(each.shape[1], -1) for each in z], axis=1)
        magnitudes = np.abs(np.clip(np.rint(rows), -Z_MAX, Z_MAX)).astype(np.intp)
        index = costs[1:, magnitudes].sum(axis=-1).argmin(axis=0) + 1
        scales.append(LOG2_SCALE_MIN + SCALE_STEP * index)
    return np.array(scales, np.int32)
