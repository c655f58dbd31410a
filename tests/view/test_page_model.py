from __future__ import annotations

import json
from typing import Any

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


def _metadata(data: bytes) -> dict[str, Any]:
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    return {
        key: json.loads(value) if key not in ("name", "model_id", "model") else value for key, value in header.items()
    }


def test_a_synthesis_without_attention_is_its_tensors() -> None:
    data = page_model("cwic-s")
    tensors, metadata = load(data), _metadata(data)
    assert metadata["model_id"] == catalog.id_of("cwic-s").hex()
    assert metadata["halo"] == [2, 1]
    assert not any(name.startswith("network.") for name in tensors)
    parts = metadata["synthesis"]
    model = cwic.open_model("cwic-s")
    given = model.data.weights(model.data.graphs["g_s"].weights())
    assert {
        parts["enter"],
        *parts["leave"],
        *(name for block in parts["blocks"] for name in block[:10]),
    } == given.keys()
    for name, tensor in {**given, **{f"prior.{name}": each for name, each in model.data.exact.items()}}.items():
        np.testing.assert_array_equal(tensors[name], tensor)
    assert len(parts["blocks"]) == 4
    assert parts["slope"] == pytest.approx(0.1)
    assert all(tensors[name].shape == (9, 192) for block in parts["blocks"] for name in block[10:])
    y_hat = np.random.default_rng(0).integers(-30, 31, (4, 4, 320))
    y = model._prior.dequantise(y_hat, 0).reshape(320, -1)
    small = tensors["preview.weight"] @ y + tensors["preview.bias"][:, None]
    squares = small.reshape(3, 2, 2, 4, 4).transpose(0, 3, 1, 4, 2).reshape(1, 3, 8, 8)
    np.testing.assert_allclose(squares, model.preview(y_hat, 0, 8), atol=1e-4)


def test_another_network_gives_what_that_of_the_weight_file_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    data = page_model("cwic-s", analysis=True)
    tensors, metadata = load(data), _metadata(data)
    assert metadata["synthesis"] is None
    model = cwic.open_model("cwic-s")
    x = np.random.default_rng(0).random((1, 3, 64, 64), np.float32)
    session = onnxruntime.InferenceSession(tensors["network.features"].tobytes(), providers=["CPUExecutionProvider"])
    (found,) = session.run([metadata["outputs"]["features"]], {"x": x})
    np.testing.assert_allclose(found, model.prepare_analysis(x, precise=True), atol=1e-3)


def test_a_synthesis_with_attention_is_a_network() -> None:
    data = page_model("cwic-m-1")
    assert "network.g_s" in load(data)
    assert _metadata(data)["synthesis"] is None


def test_the_analysis_is_a_file_of_its_own() -> None:
    names = load(page_model("cwic-s", analysis=True)).keys()
    assert {"network.features", "network.g_a", "network.h_a"} < names
    assert not any(name.startswith(("prior.", "tables.")) for name in names)


def test_a_model_whose_values_could_be_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QuadtreePrior, "value_reach", 1 << 31)
    with pytest.raises(ModelError, match="32 bits"):
        page_model("cwic-s")
