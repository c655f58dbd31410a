from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cwic.errors import ModelError
from cwic.models.cwic import CwicModel
from cwic.models.preview import fit_preview, preview_maps, read_preview
from cwic.models.weights import load_weights, save_weights

CHANNELS = 16


def error(model: CwicModel, picture: NDArray[np.float32]) -> float:
    """The mean squared error of the small picture, beside the whole one reduced."""
    y_hat = model.compress(model.finish_analysis(model.prepare_analysis(picture), 500), 500).y_hat
    whole = np.clip(model.synthesise(y_hat, 500), 0, 1)
    _, _, height, width = whole.shape
    means = whole.reshape(1, 3, height // 8, 8, width // 8, 8).mean(axis=(3, 5))
    return float(np.square(model.preview(y_hat, 500, 8) - means).mean())


class Darker(CwicModel):
    """Its blocks do what the linear maps of g_s do not know of."""

    def synthesise(self, y_hat: NDArray[np.int64], level: int) -> NDArray[np.float32]:
        return np.float32(0.7) * super().synthesise(y_hat, level) + np.float32(0.05)


def test_a_fitted_map_is_nearer(model: CwicModel, picture: NDArray[np.float32]) -> None:
    turned = np.ascontiguousarray(picture[..., ::-1, ::-1])
    darker = Darker(model.data)
    fitted = fit_preview(darker, [picture])
    assert (fitted.dtype, fitted.shape) == (np.float32, (3, 4, CHANNELS + 1))
    near = Darker(model.data._replace(preview=fitted))
    assert error(near, picture) < 0.1 * error(darker, picture)
    assert error(near, turned) < 0.1 * error(darker, turned)


def test_a_fit_to_many_pictures_depends_on_all(model: CwicModel, picture: NDArray[np.float32]) -> None:
    dark = np.float32(0.2) * picture
    model = Darker(model.data)
    fits = [fit_preview(model, pictures) for pictures in ([picture], [dark], [picture, dark])]
    errors = [sum(error(Darker(model.data._replace(preview=fit)), each) for each in (picture, dark)) for fit in fits]
    assert min(errors) == errors[2]


def test_the_map_beside_the_weight_file_is_used(weights: Path) -> None:
    assert load_weights(weights).data.preview is None
    fitted = np.random.default_rng(0).normal(size=(3, 4, CHANNELS + 1)).astype(np.float32)
    np.save(weights.with_name("small.preview.npy"), fitted)
    data = load_weights(weights).data
    weight, bias = preview_maps(data)
    np.testing.assert_array_equal(weight, fitted[..., :CHANNELS])
    np.testing.assert_array_equal(bias, fitted[..., CHANNELS])


def test_a_saved_model_takes_its_map_along_and_leaves_no_other(model: CwicModel, weights: Path) -> None:
    fitted = np.ones((3, 4, CHANNELS + 1), np.float32)
    save_weights(weights, CwicModel(model.data._replace(preview=fitted)), "small")
    np.testing.assert_array_equal(load_weights(weights).data.preview, fitted)
    save_weights(weights, model, "small")
    assert load_weights(weights).data.preview is None


def saved(array: NDArray[np.generic], **options: bool) -> bytes:
    file = BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


WHOLE = np.zeros((3, 4, CHANNELS + 1), np.float32)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no array",
        saved(WHOLE)[:-1],
        saved(WHOLE[:2]),
        saved(WHOLE.astype(np.float64)),
        saved(np.float32(1)),
        saved(WHOLE + np.float32(np.nan)),
        saved(np.array([{}]), allow_pickle=True),
        saved(WHOLE[..., 1:]),
    ],
)
def test_a_malformed_map_is_refused(weights: Path, data: bytes) -> None:
    weights.with_name("small.preview.npy").write_bytes(data)
    with pytest.raises(ModelError, match=r"small\.preview\.npy is malformed|is for 15 channels"):
        load_weights(weights)


def test_no_map_is_no_error(tmp_path: Path) -> None:
    assert read_preview(tmp_path / "none.safetensors") is None
