from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cwic.errors import InputError
from cwic.lab.cwic import CwicModel
from cwic.models.base import encode
from cwic.models.catalog import describe
from cwic.models.weights import load_weights, model_id
from cwic.training import export
from cwic.training.checkpoint import save_checkpoint
from cwic.training.recipe import Recipe


@pytest.fixture
def checkpoint(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(export, "FITTING_CROPS", 16)
    average = CwicModel(recipe.model)
    average.calibrate([torch.rand(2, 3, 64, 64)])
    torch.nn.init.normal_(average.g_s.blocks[0].merge.bias)
    save_checkpoint(tmp_path / "a.ckpt", CwicModel(recipe.model), average, {})
    return tmp_path / "a.ckpt"


def test_the_averaged_weights_become_a_fitted_weight_file(
    checkpoint: Path, recipe: Recipe, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "tiny.safetensors"
    name = export.export_checkpoint(checkpoint, output, recipe, folder)
    model = load_weights(output)
    assert model_id(model).hex() == name
    assert model.data.preview is not None
    average = torch.load(checkpoint, weights_only=True)["average"]
    bias = model.data.weights(["g_s.blocks.0.merge.bias"])["g_s.blocks.0.merge.bias"]
    np.testing.assert_allclose(bias, average["g_s.blocks.0.merge.bias"], atol=1e-3)
    assert describe(str(output)).parts[-1].parameters == sum(p.numel() for p in CwicModel(recipe.model).parameters())
    # Scales of z began at one step, and are what the pictures ask for.
    assert model.data.exact["networks.z_log2_scale.value"].any()
    coded = encode(model, np.random.default_rng(0).random((1, 3, 64, 64), np.float32), 300)
    assert np.array_equal(model.decompress(coded.data, coded.crc, 64, 64, 300), coded.y_hat)
    with pytest.raises(InputError, match="no pictures"):
        export.export_checkpoint(checkpoint, tmp_path / "other.safetensors", recipe, folder, tmp_path / "missing")
    assert not (tmp_path / "other.safetensors").exists()
    (folder / "inner" / "broken.png").write_bytes(b"")  # is left out
    for listed in (True, False):
        capsys.readouterr()
        held_out = folder / "inner"
        assert export.export_checkpoint(checkpoint, output, recipe, folder, held_out, list_skipped=listed) == name
        assert capsys.readouterr().err.count("broken.png") == listed
    card = output.with_suffix(".md").read_text()
    assert f"`{name}`" in card
    assert "| q60 |" in card


def test_a_checkpoint_of_something_else_is_refused(
    checkpoint: Path, recipe: Recipe, folder: Path, tmp_path: Path
) -> None:
    wider = replace(recipe, model=replace(recipe.model, M=32))
    output = tmp_path / "tiny.safetensors"
    with pytest.raises(InputError, match=r"a\.ckpt is not a checkpoint of the recipe's model: size mismatch"):
        export.export_checkpoint(checkpoint, output, wider, folder)
    torch.save({"step": 1}, checkpoint)
    with pytest.raises(InputError, match=r"a\.ckpt is not a checkpoint"):
        export.export_checkpoint(checkpoint, output, recipe, folder)
    assert not output.exists()


def test_qualities_can_get_the_bits_of_another_model(
    checkpoint: Path, recipe: Recipe, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    export.export_checkpoint(checkpoint, first, recipe, folder)
    with pytest.raises(InputError, match="bits are compared on validation pictures, and none are given"):
        export.export_checkpoint(checkpoint, second, recipe, folder, bits_of=str(first))
    assert not second.exists()
    export.export_checkpoint(checkpoint, second, recipe, folder, folder / "inner", bits_of=str(first))
    positions = [float(position) for position in capsys.readouterr().err.split("positions ")[1].split()[:9]]
    # Estimates are a little above real bits of so small a picture, whose tables were fitted.
    np.testing.assert_allclose(positions, np.arange(9), atol=1)
    assert positions == sorted(positions)
