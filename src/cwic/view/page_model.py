"""Models in the form that the page loads: a safetensors file with the parts of a weight file that decode.

Its integer tensors and tables are those of the weight file. So are the weights of a synthesis without attention, which
the page computes by itself; the metadata `synthesis` name them. Other networks are ONNX files as tensors of bytes.
Their weights stay in the types of the weight file, and a Cast turns them into float32 when an engine loads them.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from cwic.config import CwicConfig
from cwic.errors import ModelError
from cwic.latents.native import VALUE_LIMIT, fits_c
from cwic.latents.quadtree import QuadtreePrior
from cwic.models import catalog
from cwic.models.base import ModelData
from cwic.models.preview import preview_maps
from cwic.models.weights import EXACT, TABLES
from cwic.networks.graph import Graph
from cwic.networks.onnx_bytes import onnx_bytes
from cwic.networks.trunk import synthesis_of

DECODER = ("g_s",)
ANALYSIS = ("features", "g_a", "h_a")
"""The networks for plain tiles beside others, whose latents are computed from their pixels (docs/format.md, section 8).
"""
NETWORK = "network."
PREVIEW = "preview."
"""The beginning of the names of `weight` `[12, M]` and `bias` `[12]` of previews. Their rows are the colours and, for
each, the squares of a latent in raster order."""
SUFFIX = ".safetensors"


def page_models() -> dict[str, str]:
    """Return the names of all files that a page can load, each with the name of the model that it is made from."""
    files: dict[str, str] = {}
    for name in catalog.readable():
        try:
            found = catalog.describe(name)
        except ModelError:
            continue
        if isinstance(found.config, CwicConfig):
            files |= {f"{found.model_id.hex()}{part}{SUFFIX}": name for part in ("", "-analysis")}
    return files


def page_model(name: str, *, analysis: bool = False) -> bytes:
    """Make a file of a model for the page.

    Args:
        name: the name of the model.
        analysis: make the file with the networks of the encoder, not that with all parts for decoding.

    Raises:
        ModelError: there is no such model, or the page cannot decode it.
    """
    model = catalog.open_model(name)
    data = model.data
    if not isinstance(data.config, CwicConfig):
        raise ModelError(f"{name} is of the family {data.config.family}, which the page does not decode")
    _prove_bounds(data, data.config)
    graphs = {key: data.graphs[key] for key in (ANALYSIS if analysis else DECODER)}
    synthesis, tensors = None, dict[str, NDArray[Any]]()
    if not analysis:
        tensors |= data.weights(graphs["g_s"].weights())
        synthesis = synthesis_of(graphs["g_s"], tensors)
    if synthesis is None:
        tensors = {NETWORK + key: _network(data, graph) for key, graph in graphs.items()}
    tensors |= dict(data.weights([gain for graph in graphs.values() for gain in graph.gains()]))
    if not analysis:
        tensors |= {EXACT + key: array for key, array in data.exact.items()}
        weight, bias = preview_maps(data)
        tensors |= {f"{PREVIEW}weight": weight.reshape(-1, weight.shape[-1]), f"{PREVIEW}bias": bias.reshape(-1)}
        tensors |= {TABLES + key: array for key, array in data.tables.to_arrays().items()}
    metadata = {
        "name": name,
        "model_id": catalog.id_of(name).hex(),
        "config": json.dumps(asdict(data.config)),
        "inputs": json.dumps({key: list(graph.inputs) for key, graph in graphs.items()}),
        "outputs": json.dumps({key: graph.outputs[0] for key, graph in graphs.items()}),
        "halo": json.dumps(list(model.synthesis_halo)),
        "synthesis": json.dumps(synthesis and synthesis._asdict()),
    }
    return save({key: np.ascontiguousarray(array) for key, array in tensors.items()}, metadata)


def _network(data: ModelData, graph: Graph) -> NDArray[np.uint8]:
    return np.frombuffer(onnx_bytes(graph, data.weights(graph.weights()), halves=True), np.uint8)


def _prove_bounds(data: ModelData, config: CwicConfig) -> None:
    """Raise `ModelError` unless decoded values fit the page's 32 bits, and all widths are multiples of 8."""
    value = QuadtreePrior(config, data.exact).value_reach
    if value >= VALUE_LIMIT:
        raise ModelError(f"the page cannot decode this model: its values reach {value}, which 32 bits do not hold")
    if not fits_c(config):
        raise ModelError("the page cannot decode this model: its exact networks have other sizes than the page's")
