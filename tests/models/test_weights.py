from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from cwic.errors import ModelError
from cwic.models import catalog
from cwic.models.base import encode
from cwic.models.catalog import describe
from cwic.models.cwic import CwicModel
from cwic.models.registry import PartSummary
from cwic.models.weights import load_weights, model_id, save_weights


def rewrite(path: Path, metadata: dict[str, str | None], **changed: NDArray[Any] | None) -> None:
    """The weight file at `path` with other metadata or tensors; None drops one."""
    with safe_open(path, framework="np") as file:
        merged = file.metadata() | metadata
        tensors = {key: file.get_tensor(key) for key in file.keys()} | changed  # noqa: SIM118 (not a mapping)
    kept = {key: tensor for key, tensor in tensors.items() if tensor is not None}
    save_file(kept, path, {key: value for key, value in merged.items() if value is not None})


def test_what_is_saved_is_what_is_loaded(model: CwicModel, weights: Path, picture: NDArray[np.float32]) -> None:
    loaded = load_weights(weights)
    assert model_id(loaded) == model_id(model)
    assert loaded.data.config == model.data.config
    assert loaded.data.graphs == model.data.graphs
    coded = encode(loaded, picture, 500)
    assert coded.data == encode(model, picture, 500).data
    np.testing.assert_array_equal(model.decompress(coded.data, coded.crc, 64, 128, 500), coded.y_hat)


def test_saving_what_was_loaded_changes_nothing(weights: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.safetensors"
    save_weights(again, load_weights(weights), "small")
    with safe_open(weights, framework="np") as first, safe_open(again, framework="np") as second:
        assert first.metadata() == second.metadata()
        assert set(first.keys()) == set(second.keys())
        for name in first.keys():  # noqa: SIM118 (not a mapping)
            np.testing.assert_array_equal(first.get_tensor(name), second.get_tensor(name))


def test_how_the_encoder_rounds_and_what_parts_cost_travel_with_the_weights(model: CwicModel, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    parts = [PartSummary("g_a", 12, 3.5), PartSummary("total", 20, 7.25)]
    save_weights(path, CwicModel(model.data._replace(error_weight=40.0)), "other", parts)
    assert load_weights(path).data.error_weight == 40.0
    assert describe(str(path)).parts == tuple(parts)
    assert model_id(load_weights(path)) == model_id(model)


def test_the_id_follows_the_entropy_path_alone(model: CwicModel) -> None:
    before = model_id(model)
    assert len(before) == 4
    doubled = lambda names: {name: 2 * array for name, array in model.data.weights(names).items()}  # noqa: E731
    assert model_id(CwicModel(model.data._replace(weights=doubled))) == before
    name = "networks.context.embed.bias"
    exact = model.data.exact | {name: model.data.exact[name] + np.int32(1)}
    assert model_id(CwicModel(model.data._replace(exact=exact))) != before


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
        ({"family": "none"}, {}),
        ({"family": "cwam2024"}, {}),
        ({"graphs": "[]"}, {}),
        ({"graphs": "{}"}, {}),
        ({"graphs": '{"g_s": {"inputs": {}, "nodes": [["Loop", [], [], {}]], "outputs": []}}'}, {}),
        ({"encoder": "[1]"}, {}),
        ({"encoder": '{"error_weight": "much"}'}, {}),
        ({"encoder": '{"error_weight": NaN}'}, {}),
        ({"encoder": '{"error_weight": -1}'}, {}),
        ({}, {"g_s.haar.weight": None}),
        ({}, {"prior.exp2_table": None}),
        ({}, {"tables.offsets": None}),
        ({}, {"tables.offsets": np.zeros(3, np.int32)}),
        ({"model_id": "00000000"}, {}),
        ({"model_id": None}, {}),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused(weights: Path, metadata: dict, changed: dict) -> None:
    rewrite(weights, metadata, **changed)
    with pytest.raises(ModelError):
        load_weights(weights)


def test_a_tensor_of_the_wrong_shape_is_found_when_the_network_runs(
    weights: Path, picture: NDArray[np.float32]
) -> None:
    rewrite(weights, {}, **{"g_s.haar.weight": np.ones((3, 5, 1, 1), np.float32)})
    model = load_weights(weights)
    coded = encode(model, picture, 500)
    with pytest.raises(ModelError, match="the network cannot run"):
        model.synthesise(coded.y_hat, 500)


def test_a_changed_integer_is_found(weights: Path, model: CwicModel) -> None:
    name = "networks.h_s.enter.weight"
    weight = model.data.exact[name].copy()
    weight[0, 0] ^= 1
    rewrite(weights, {}, **{f"prior.{name}": weight})
    with pytest.raises(ModelError, match="damaged"):
        load_weights(weights)


def test_a_file_of_an_earlier_version_says_what_to_do(weights: Path) -> None:
    rewrite(weights, {"graphs": None})
    with pytest.raises(ModelError, match="is of an earlier cwic: cwic models import converts it"):
        load_weights(weights)


def test_a_changed_integer_of_an_imported_network_is_found(cwam2024_weights: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(cwam2024_weights, tmp_path))
    rewrite(path, {}, **{"prior.medians": load_weights(path).data.exact["medians"] + np.int32(1)})
    with pytest.raises(ModelError, match="damaged"):
        load_weights(path)


def test_weights_that_do_not_say_how_to_round_are_rounded_as_those_in_the_package(weights: Path) -> None:
    rewrite(weights, {"encoder": None})
    assert load_weights(weights).data.error_weight == catalog.open_model("cwic-s").data.error_weight


def louder(model: CwicModel) -> CwicModel:
    """The model with other values at the knots of the level, exact and float."""
    name = "g_s.blocks.0.spatial_gain.log2_gain"
    exact = {k: a + 1 if k == "networks.log2_gain.value" else a for k, a in model.data.exact.items()}

    def weights(names: Any) -> dict[str, NDArray[Any]]:
        return {k: a + a.dtype.type(1) if k == name else a for k, a in model.data.weights(names).items()}

    return CwicModel(model.data._replace(exact=exact, weights=weights))


def test_a_file_on_a_base_holds_what_differs_alone(
    model: CwicModel, weights: Path, picture: NDArray[np.float32]
) -> None:
    path, other = weights.with_name("other.safetensors"), louder(model)
    save_weights(path, other, "other", base=weights)
    with safe_open(path, framework="np") as file:
        assert set(file.keys()) == {"prior.networks.log2_gain.value", "g_s.blocks.0.spatial_gain.log2_gain"}
    loaded = load_weights(path)
    assert model_id(loaded) == model_id(other) != model_id(model)
    coded = encode(loaded, picture, 500)
    assert coded.data == encode(other, picture, 500).data
    np.testing.assert_array_equal(loaded.synthesise(coded.y_hat, 500), other.synthesise(coded.y_hat, 500))
    whole = weights.with_name("whole.safetensors")
    save_weights(whole, loaded, "whole")
    assert model_id(load_weights(whole)) == model_id(other)


def test_a_base_that_is_not_there_or_no_base_is_refused(model: CwicModel, weights: Path, tmp_path: Path) -> None:
    path = weights.with_name("other.safetensors")
    save_weights(path, louder(model), "other", base=weights)
    with pytest.raises(ModelError, match=r"other\.safetensors has a base itself"):
        save_weights(path.with_name("third.safetensors"), model, "third", base=path)
    (tmp_path / "elsewhere").mkdir()
    for target in (weights, tmp_path / "elsewhere" / "other.safetensors"):
        with pytest.raises(ModelError, match="another one in its folder"):
            save_weights(target, model, "other", base=weights)
    for base, reason in {
        "": "its base is ''",
        "../small.safetensors": "its base is",
        "gone.safetensors": r"needs gone\.safetensors beside it",
        "other.safetensors": "another one in its folder",
    }.items():
        rewrite(path, {"base": base})
        with pytest.raises(ModelError, match=reason):
            load_weights(path)
    rewrite(path, {"base": weights.name})
    assert model_id(load_weights(path)) == model_id(louder(model))
    whole = weights.read_bytes()
    save_weights(weights, model, "of another name")
    with pytest.raises(ModelError, match="is another file than its base"):
        load_weights(path)
    weights.write_bytes(whole)
    loaded = load_weights(path)
    weights.unlink()
    with pytest.raises(ModelError, match="is missing"):
        loaded.data.weights(["g_s.haar.weight"])
    weights.write_bytes(whole)
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ModelError, match="malformed"):
        load_weights(path)
