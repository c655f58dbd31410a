from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cwic.config import EYE, MS_SSIM, PSNR
from cwic.errors import ModelError
from cwic.models import catalog
from cwic.models.cwic import CwicModel
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
        assert model.data.config == row.config
        assert catalog.name_of(catalog.id_of(name)) == name
        assert catalog.open_model(name) is model
        assert catalog.open_model(name, "cpu") is model
        assert catalog.open_model(name=name, device="cpu") is model


def test_files_of_earlier_weights_find_them_and_nobody_is_offered_them() -> None:
    offered = {*catalog.names(), *catalog.CATALOG}
    for name in catalog.EARLIER:
        assert name not in offered
        model_id = catalog.id_of(name)
        assert catalog.name_of(model_id) == name
        assert model_id not in map(catalog.id_of, catalog.names())
        assert model_id.hex() in catalog.weights_path(name).with_suffix(".md").read_text()


def test_sizes_and_tunes_stand_for_models(monkeypatch: pytest.MonkeyPatch) -> None:
    assert catalog.chosen(None, None) == catalog.DEFAULT
    assert catalog.chosen("s", PSNR) == "cwic-s"
    assert catalog.chosen(None, MS_SSIM) == "cwic-s-ms-ssim"
    assert catalog.chosen("m", PSNR) == "cwic-m"
    assert catalog.chosen("cwic-s-ms-ssim", None) == catalog.chosen("cwic-s-ms-ssim", MS_SSIM) == "cwic-s-ms-ssim"
    assert catalog.chosen("mine.safetensors", None) == "mine.safetensors"
    for row in catalog.CATALOG.values():
        if row.shipped:
            assert catalog.chosen(row.size, row.tune) == row.name
    with pytest.raises(ModelError, match="no model of size m tuned to ms-ssim, only to psnr and eye"):
        catalog.chosen("m", MS_SSIM)
    with pytest.raises(ModelError, match="cwic-m is tuned to psnr, not to eye"):
        catalog.chosen("cwic-m", EYE)
    with pytest.raises(ValueError, match="tune must be one of psnr, ms-ssim, eye"):
        catalog.chosen("s", "ssim")
    assert catalog.DEFAULT == "cwic-s-eye"
    # A size without the default tune has another one.
    monkeypatch.setattr(catalog, "DEFAULT_TUNE", MS_SSIM)
    assert (catalog.chosen("s", None), catalog.chosen("m", None)) == ("cwic-s-ms-ssim", "cwic-m")


def test_the_tune_of_a_weight_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    save_weights(path, catalog.open_model("cwic-s"), "mine", encoder={"tune": EYE, "error_weight": 31})
    assert catalog.describe(str(path)).tune == EYE
    assert catalog.chosen(str(path), EYE) == str(path)
    model = catalog.open_model(str(path))
    assert (model.data.tune, model.data.error_weight, model.has_outlook) == (EYE, 31, True)


def test_an_id_from_elsewhere_has_no_name() -> None:
    assert catalog.name_of(b"none") is None


@pytest.mark.parametrize("ask", [catalog.weights_path, catalog.id_of, catalog.open_model])
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


def test_a_weight_file_is_a_model_by_its_path_and_by_its_name_in_a_listed_folder(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = catalog.open_model(str(weights))
    assert catalog.open_model(str(weights)) is model
    identity = catalog.id_of(str(weights))
    assert catalog.describe(str(weights)).config == model.data.config
    assert catalog.name_of(identity) is None

    monkeypatch.setenv(catalog.FOLDERS_VARIABLE, os.pathsep.join([str(weights.parent / "none"), str(weights.parent)]))
    assert catalog.names() == [*catalog.shipped(), "small"]
    assert catalog.name_of(identity) == "small"
    assert catalog.weights_path("small") == weights


def test_a_weight_file_that_changes_is_read_again(weights: Path, model: CwicModel) -> None:
    before = catalog.id_of(str(weights))
    name = "networks.log2_gain.value"
    exact = model.data.exact | {name: model.data.exact[name] + np.int32(1)}
    save_weights(weights, CwicModel(model.data._replace(exact=exact)), "small")
    os.utime(weights, ns=(1, 1))
    assert catalog.id_of(str(weights)) != before


def test_shipped_models_say_what_their_parts_cost() -> None:
    for name in catalog.shipped():
        parts = catalog.describe(name).parts
        assert parts[-1].part == "total"
        assert sum(part.parameters for part in parts[:-1] if not part.part.startswith(" ")) <= parts[-1].parameters
    small = catalog.describe("cwic-s").parts[-1]
    assert (small.parameters, round(small.mac_per_pixel)) == (4_161_728, 32_548)


def test_names_and_ids_need_no_torch() -> None:
    script = (
        "import sys; from cwic.models import catalog; catalog.name_of(catalog.id_of('cwic-s'));"
        "print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    assert _run(script) == "False False"


def _run(script: str) -> str:
    """What a fresh interpreter prints."""
    paths = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    answer = subprocess.run([sys.executable, "-c", script], env=paths, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


@pytest.mark.parametrize("name", catalog.shipped())
def test_a_shipped_weight_file_says_its_tune(name: str) -> None:
    assert catalog.describe(name).tune == catalog.CATALOG[name].tune
    assert catalog.open_model(name).data.tune == catalog.CATALOG[name].tune
