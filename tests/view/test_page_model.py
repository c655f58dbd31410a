from __future__ import annotations

import json

import numpy as np
import onnxruntime
import pytest
from safetensors.numpy import load

import cwic
from cwic.errors import ModelError
from cwic.latents.quadtree import QuadtreePrior
from cwic.models import catalog
from cwic.view.page_model import page_model, page_models


def test_every_model_of_the_package_has_two_files_by_its_id() -> None:
    files = page_models()
    for name in [*catalog.shipped(), *catalog.EARLIER]:
        id = catalog.id_of(name).hex()
        assert files[f"{id}.safetensors"] == files[f"{id}-analysis.safetensors"] == name


def test_the_networks_give_what_those_of_the_weight_file_give() -> None:
    data = page_model("cwic-s")
    tensors = load(data)
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    assert header["model_id"] == catalog.id_of("cwic-s").hex()
    assert json.loads(header["halo"]) == [2, 1]
    model = cwic.open_model("cwic-s")
    y_hat = np.random.default_rng(0).integers(-30, 31, (4, 4, 320))
    session = onnxruntime.InferenceSession(tensors["network.g_s"].tobytes(), providers=["CPUExecutionProvider"])
    inputs = {"y_hat": model._prior.dequantise(y_hat, 0)}
    for name in json.loads(header["inputs"])["g_s"][1:]:
        inputs[name] = np.exp2(tensors[name][0].astype(np.float32)).reshape(1, -1, 1, 1)
    (x_hat,) = session.run([json.loads(header["outputs"])["g_s"]], inputs)
    np.testing.assert_allclose(x_hat, model.synthesise(y_hat, 0), atol=0.02)
    small = tensors["preview.weight"] @ inputs["y_hat"].reshape(320, -1) + tensors["preview.bias"][:, None]
    squares = small.reshape(3, 2, 2, 4, 4).transpose(0, 3, 1, 4, 2).reshape(1, 3, 8, 8)
    np.testing.assert_allclose(squares, model.preview(y_hat, 0, 8), atol=1e-4)
    for name, tensor in model.data.exact.items():
        np.testing.assert_array_equal(tensors[f"prior.{name}"], tensor)


def test_the_analysis_is_a_file_of_its_own() -> None:
    names = load(page_model("cwic-s", analysis=True)).keys()
    assert {"network.features", "network.g_a", "network.h_a"} < names
    assert not any(name.startswith(("prior.", "tables.")) for name in names)


def test_a_model_whose_values_could_be_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QuadtreePrior, "value_reach", 1 << 31)
    with pytest.raises(ModelError, match="32 bits"):
        page_model("cwic-s")
