from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from cwic.config import CwicConfig
from cwic.errors import ModelError
from cwic.lab import cwam2024_export, cwic_export
from cwic.lab.cwic import CwicModel
from cwic.lab.earlier_weights import load_earlier
from cwic.lab.official import load_official
from cwic.models.base import CodingModel, encode
from cwic.models.weights import load_weights, model_id, save_weights

State = dict[str, Tensor]


def write(path: Path, networks: State, model: CodingModel) -> Path:
    """A weight file as cwic 0.1 wrote it: torch's parameters, and the integers and tables of `model`."""
    data = model.data
    tensors = networks | {f"prior.{name}": torch.from_numpy(array) for name, array in data.exact.items()}
    tensors |= {f"tables.{name}": torch.from_numpy(array.copy()) for name, array in data.tables.to_arrays().items()}
    metadata = {
        "name": "small",
        "family": data.config.family,
        "model_id": model_id(model).hex(),
        "config": json.dumps(asdict(data.config)),
    }
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata)
    return path


@pytest.fixture
def halved(model: CwicModel) -> CwicModel:
    """`model` with the numbers that the file keeps: all but two constants in half precision."""
    with torch.no_grad():
        for module in (model.g_a, model.prior.h_a, model.g_s):
            for parameter in module.parameters():
                parameter.copy_(parameter.half())
    return model


@pytest.fixture
def earlier(halved: CwicModel, tmp_path: Path) -> Path:
    """Its weight file."""
    networks = nn.ModuleDict({"g_a": halved.g_a, "h_a": halved.prior.h_a, "g_s": halved.g_s}).state_dict()
    half = {
        name: tensor.half() if tensor.is_floating_point() and not name.endswith("_scale") else tensor
        for name, tensor in networks.items()
    }
    return write(tmp_path / "earlier.safetensors", half, cwic_export.export(halved))


@pytest.mark.parametrize("level", [0, 700])
def test_a_model_is_what_it_was(earlier: Path, halved: CwicModel, picture: Tensor, level: int) -> None:
    found, expected = load_earlier(earlier), cwic_export.export(halved)
    assert found.data.config == halved.config
    assert model_id(found) == model_id(expected)
    coded, x = encode(expected, picture.numpy(), level), picture.numpy()
    assert encode(found, x, level).data == coded.data
    y_hat = found.decompress(coded.data, coded.crc, 64, 128, level)
    assert np.array_equal(y_hat, coded.y_hat)
    assert np.array_equal(found.synthesise(y_hat, level), expected.synthesise(y_hat, level))


def test_a_published_network_is_what_it_was(checkpoint: Path, picture: Tensor, tmp_path: Path) -> None:
    network = load_official(checkpoint)
    expected = cwam2024_export.export(network)
    state = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    found = load_earlier(write(tmp_path / "earlier.safetensors", state, expected))
    assert model_id(found) == model_id(expected)
    coded = encode(expected, picture.numpy())
    assert encode(found, picture.numpy()).data == coded.data
    assert np.array_equal(found.synthesise(coded.y_hat, 0), expected.synthesise(coded.y_hat))


def test_what_is_converted_can_be_saved_and_loaded(earlier: Path, picture: Tensor, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="earlier"):
        load_weights(earlier)
    model = load_earlier(earlier)
    save_weights(tmp_path / "converted.safetensors", model, "small")
    again = load_weights(tmp_path / "converted.safetensors")
    assert model_id(again) == model_id(model)
    assert encode(again, picture.numpy(), 300).data == encode(model, picture.numpy(), 300).data


def rewrite(path: Path, metadata: dict[str, str], changed: dict[str, Tensor | None]) -> None:
    """The weight file at `path` with other metadata or tensors; None drops a tensor."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() | metadata
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    tensors |= changed
    save_file({key: tensor for key, tensor in tensors.items() if tensor is not None}, path, metadata)


@pytest.mark.parametrize(
    ("metadata", "changed"),
    [
        ({"config": "{"}, {}),
        ({"config": "[]"}, {}),
        ({"config": json.dumps({"M": 16, "depth": 3})}, {}),
        ({"config": json.dumps({"M": 18})}, {}),
        ({"config": json.dumps({"M": 20})}, {}),
        ({"family": "cwam2024"}, {}),
        ({"family": "none"}, {}),
        ({}, {"g_a.y_scale": None}),
        ({}, {"g_a.y_scale": torch.ones(3)}),
        ({}, {"g_s.unknown": torch.ones(3)}),
        ({}, {"prior.exp2_table": None}),
        ({}, {"tables.offsets": None}),
        ({}, {"tables.offsets": torch.zeros(3, dtype=torch.int32)}),
        ({"model_id": "00000000"}, {}),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused(
    earlier: Path, metadata: dict[str, str], changed: dict[str, Any]
) -> None:
    rewrite(earlier, metadata, changed)
    with pytest.raises(ModelError):
        load_earlier(earlier)


@pytest.mark.parametrize("size", [0, 5, 200, -1])
def test_a_cut_file_is_refused(earlier: Path, size: int) -> None:
    earlier.write_bytes(earlier.read_bytes()[:size])
    with pytest.raises(ModelError, match="malformed"):
        load_earlier(earlier)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.safetensors is missing"):
        load_earlier(tmp_path / "none.safetensors")


def test_a_changed_integer_is_found(earlier: Path, small: CwicConfig) -> None:
    weight = torch.zeros(small.hyper_width, small.hyper_channels, dtype=torch.int8)
    rewrite(earlier, {}, {"prior.networks.h_s.enter.weight": weight})
    with pytest.raises(ModelError, match="damaged"):
        load_earlier(earlier)
