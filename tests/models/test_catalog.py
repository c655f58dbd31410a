from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cwic.errors import ModelError
from cwic.models import catalog
from cwic.models.exported import ExportedModel
from cwic.models.weights import save_weights


def test_every_model_of_the_catalogue_is_here_under_its_own_id() -> None:
    from cwic.models.weights import model_id

    shipped = catalog.shipped()
    assert catalog.DEFAULT in shipped
    assert catalog.names() == shipped
    ids = [catalog.id_of(name) for name in shipped]
    assert len(set(ids)) == len(ids)
    for name in shipped:
        row = catalog.CATALOG[name]
        assert row.name == name
        model = catalog.open_model(name)
        assert model_id(model) == catalog.id_of(name)
        assert model.config == row.config
        assert catalog.name_of(catalog.id_of(name)) == name
        assert catalog.open_model(name) is model
        assert catalog.open_model(name, "cpu") is model
        assert catalog.open_model(name=name, device="cpu") is model


def test_an_id_from_elsewhere_has_no_name() -> None:
    assert catalog.name_of(b"none") is None


@pytest.mark.parametrize("ask", [catalog.weights_path, catalog.id_of, catalog.open_model, catalog.summary])
def test_an_unknown_name_is_refused_with_the_known_ones(ask: object) -> None:
    with pytest.raises(ModelError, match=r"unknown model 'cwic-x'; there are: .*cwic-s"):
        ask("cwic-x")


@pytest.mark.parametrize("content", [b"", b"\x02\0\0\0\0\0\0\0{}", b"\xff" * 9, b"\x03\0\0\0\0\0\0\0[1]", None])
def test_missing_and_malformed_weights_are_named(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cwic-s.safetensors"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(catalog, "weights_path", lambda name: path)
    with pytest.raises(ModelError, match="missing" if content is None else "malformed"):
        catalog.id_of("cwic-s")
    assert catalog.name_of(b"none") is None


def test_an_architecture_without_weights_says_so() -> None:
    with pytest.raises(ModelError, match="no weights of cwam2024 in the package: train it, or import a checkpoint"):
        catalog.open_model("cwam2024")
    assert catalog.summary("cwam2024")[-1].parameters == 62_606_362


def test_a_weight_file_is_a_model_by_its_path_and_by_its_name_in_a_listed_folder(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = catalog.open_model(str(weights))
    assert catalog.open_model(str(weights)) is model
    identity = catalog.id_of(str(weights))
    assert catalog.describe(str(weights)).config == model.config
    assert catalog.name_of(identity) is None
    assert catalog.summary(str(weights))[-1].part == "total"

    monkeypatch.setenv(catalog.FOLDERS_VARIABLE, os.pathsep.join([str(weights.parent / "none"), str(weights.parent)]))
    assert catalog.names() == ["cwic-s", "cwic-m", "cwic-s-ms-ssim", "small"]
    assert catalog.name_of(identity) == "small"
    assert catalog.weights_path("small") == weights


def test_a_weight_file_that_changes_is_read_again(weights: Path, exported: ExportedModel) -> None:
    before = catalog.id_of(str(weights))
    with torch.no_grad():
        exported.prior.networks.log2_gain.value.add_(1)
    save_weights(weights, exported, "small")
    os.utime(weights, ns=(1, 1))
    assert catalog.id_of(str(weights)) != before


def test_names_and_ids_need_no_torch() -> None:
    script = (
        "import sys; from cwic.models import catalog; catalog.name_of(catalog.id_of('cwic-s'));"
        "print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    assert _run(script) == "False False"


def test_a_summary_leaves_the_model_fit_for_work() -> None:
    script = (
        "import torch; from cwic.models import catalog; catalog.summary('cwic-s');"
        "print(len(catalog.open_model().encode(torch.rand(1, 3, 64, 64), 500).data) > 0)"
    )
    assert _run(script) == "True"


def _run(script: str) -> str:
    """What a fresh interpreter prints."""
    paths = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    answer = subprocess.run([sys.executable, "-c", script], env=paths, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()
