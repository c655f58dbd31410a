from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from cwic.errors import ModelError
from cwic.models.exported import ExportedModel
from cwic.models.weights import load_weights, model_id, save_weights


def rewrite(path: Path, metadata: dict[str, str], **changed: Tensor | None) -> None:
    """The weight file at `path` with other metadata or tensors; None drops a tensor."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() | metadata
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    tensors |= changed
    save_file({key: tensor for key, tensor in tensors.items() if tensor is not None}, path, metadata)


def test_what_is_saved_is_what_is_loaded(exported: ExportedModel, weights: Path, picture: Tensor) -> None:
    loaded, again = load_weights(weights), load_weights(weights)
    assert model_id(loaded) == model_id(exported)
    assert loaded.config == exported.config
    assert torch.equal(loaded.g_a.y_scale, exported.g_a.y_scale)
    coded = loaded.encode(picture, 500)
    assert coded.data == again.encode(picture, 500).data
    # Whoever has the exported model itself reads the file too: half precision touches no byte's meaning.
    assert torch.equal(exported.decode_latents(coded.data, coded.crc, 64, 128, 500), coded.decoded)


def test_saving_what_was_loaded_loses_nothing_more(weights: Path, tmp_path: Path) -> None:
    save_weights(tmp_path / "again.safetensors", load_weights(weights), "small")
    first, second = load_weights(weights), load_weights(tmp_path / "again.safetensors")
    for (name, tensor), again in zip(first.state_dict().items(), second.state_dict().values(), strict=True):
        assert torch.equal(tensor, again), name
    assert model_id(first) == model_id(second)


def test_the_id_follows_the_entropy_path_alone(exported: ExportedModel) -> None:
    before = model_id(exported)
    assert len(before) == 4
    exported.g_s.y_scale.mul_(2)
    assert model_id(exported) == before
    exported.prior.networks.context.embed.weight[0, 0, 0] += 1
    assert model_id(exported) != before


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.safetensors is missing"):
        load_weights(tmp_path / "none.safetensors")


@pytest.mark.parametrize("size", [0, 5, 200, -1, -5000])
def test_a_cut_file_is_refused(weights: Path, size: int) -> None:
    weights.write_bytes(weights.read_bytes()[:size])
    with pytest.raises(ModelError, match="malformed"):
        load_weights(weights)


@pytest.mark.parametrize(
    ("metadata", "changed"),
    [
        ({"config": "{"}, {}),
        ({"config": json.dumps({"M": 16, "depth": 3})}, {}),
        ({"config": json.dumps({"M": 18})}, {}),
        ({"config": json.dumps({"M": 20})}, {}),
        ({}, {"g_a.y_scale": None}),
        ({}, {"g_a.y_scale": torch.ones(3)}),
        ({}, {"tables.offsets": None}),
        ({}, {"tables.offsets": torch.zeros(3, dtype=torch.int32)}),
        ({"model_id": "00000000"}, {}),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused(weights: Path, metadata: dict, changed: dict) -> None:
    rewrite(weights, metadata, **changed)
    with pytest.raises(ModelError):
        load_weights(weights)


def test_a_changed_integer_is_found(weights: Path, exported: ExportedModel) -> None:
    weight = exported.prior.networks.h_s.enter.weight.clone()
    weight[0, 0] ^= 1
    rewrite(weights, {}, **{"prior.networks.h_s.enter.weight": weight})
    with pytest.raises(ModelError, match="damaged"):
        load_weights(weights)


@torch.no_grad()
def test_an_imported_network_is_what_it_was(cwam2024_weights: Path, recorded: ModuleType) -> None:
    """The recorded outputs of the published network, after a save and a reload."""
    expected = load_file(recorded.FILE)
    found = recorded.outputs(load_weights(cwam2024_weights).network, recorded.seeded_picture())
    assert set(found) == set(expected)
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-5, atol=1e-4)


def test_a_changed_integer_of_an_imported_network_is_found(cwam2024_weights: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(cwam2024_weights, tmp_path))
    rewrite(path, {}, **{"prior.medians": load_weights(path).prior.medians + 1})
    with pytest.raises(ModelError, match="damaged"):
        load_weights(path)


@pytest.mark.parametrize("family", ["cwic", "none"])
def test_weights_of_another_family_are_refused(cwam2024_weights: Path, tmp_path: Path, family: str) -> None:
    path = Path(shutil.copy(cwam2024_weights, tmp_path))
    rewrite(path, {"family": family})
    with pytest.raises(ModelError, match="malformed"):
        load_weights(path)
