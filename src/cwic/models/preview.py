"""The linear maps that make small pictures from latents, without the blocks of g_s.

A small picture has one pixel for each square of `BLOCK` pixels. A latent stands for four such squares, and a linear map
gives their colours. It is fitted to pictures (`fit_preview`) and lies beside the weight file, NAME.preview.npy. Without
that file it is the product of the linear maps at the two ends of g_s, which is farther off.
"""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cwic.errors import ModelError
from cwic.image.files import write_atomically
from cwic.models.base import Floats, ModelData

if TYPE_CHECKING:
    from cwic.models.cwic import CwicModel

LATENT = 16
"""The side, in pixels, of the square that a position of y stands for."""
BLOCK = 8
"""The side, in pixels, of the squares that g_s makes last, each from one position of the map at 1/8."""
SQUARES = (LATENT // BLOCK) ** 2
HAAR, BLOCK_TRANSFORM, BLOCK_TRANSFORM_BIAS = (
    "g_s.haar.weight",
    "g_s.block_transform.weight",
    "g_s.block_transform.bias",
)
"""The linear maps at the two ends of g_s."""
SUFFIX = ".preview.npy"
FITTED_LEVELS = (150, 500, 850)
RIDGE = 1e-4
"""The weight of the distance from the product of the linear maps, beside the mean square of a latent."""


def preview_maps(data: ModelData) -> tuple[Floats, Floats]:
    """Return the map from a latent to the means of its four squares of `BLOCK` pixels.

    Returns:
        The weights `[3, 4, M]` and the bias `[3, 4]`: colours, and squares in raster order.
    """
    fitted = data.preview
    return _product(data) if fitted is None else (fitted[..., :-1], fitted[..., -1])


def read_preview(weights: Path) -> Floats | None:
    """Return the fitted map beside a weight file, `[3, 4, M + 1]` with the bias last; None if there is none.

    Args:
        weights: the path of the weight file.

    Raises:
        ModelError: the file is malformed.
    """
    path = weights.with_suffix(SUFFIX)
    try:
        fitted = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError) as error:
        raise ModelError(f"{path} is malformed: {error}") from error
    if not isinstance(fitted, np.ndarray) or fitted.dtype != np.float32 or fitted.shape[:-1] != (3, SQUARES):
        raise ModelError(f"{path} is malformed: it is no array [3, {SQUARES}, M + 1] of float32")
    if not np.isfinite(fitted).all():
        raise ModelError(f"{path} is malformed: it has numbers that are not finite")
    return fitted


def write_preview(weights: Path, fitted: Floats | None) -> None:
    """Write the fitted map beside a weight file, or remove the one that is there if there is none to write."""
    path = weights.with_suffix(SUFFIX)
    if fitted is None:
        path.unlink(missing_ok=True)
        return
    data = BytesIO()
    np.save(data, fitted, allow_pickle=False)
    write_atomically(path, data.getvalue(), force=True)


def fit_preview(model: CwicModel, pictures: Iterable[Floats]) -> Floats:
    """Return the map that gives small pictures with the least squared error, `[3, 4, M + 1]` with the bias last.

    The target is the picture that the decoder makes, reduced, at each of `FITTED_LEVELS`.

    Args:
        model: the model.
        pictures: pictures `[1, 3, H, W]` in [0, 1]; H and W are multiples of 64.
    """
    weight, bias = _product(model.data)
    start = np.concatenate([weight, bias[..., None]], axis=-1).reshape(3 * SQUARES, -1).T.astype(np.float64)
    squares, products = np.zeros((len(start), len(start))), np.zeros(start.shape)
    for x in pictures:
        prepared = model.prepare_analysis(x)
        for level in FITTED_LEVELS:
            y_hat = model.compress(model.finish_analysis(prepared, level), level).y_hat
            latents, means = _rows(model.dequantise(y_hat, level)[0]), _means(model.synthesise(y_hat, level)[0])
            squares += latents.T @ latents
            products += latents.T @ means
    ridge = RIDGE * np.trace(squares) / len(start)
    fitted = np.linalg.solve(squares + ridge * np.eye(len(start)), products + ridge * start)
    return np.ascontiguousarray(fitted.T.reshape(3, SQUARES, -1), np.float32)


def _product(data: ModelData) -> tuple[Floats, Floats]:
    """Return the product of the linear maps of g_s. The networks between them are left out."""
    given = data.weights([HAAR, BLOCK_TRANSFORM, BLOCK_TRANSFORM_BIAS])
    haar, block_transform, bias = (
        np.asarray(given[name], np.float32) for name in (HAAR, BLOCK_TRANSFORM, BLOCK_TRANSFORM_BIAS)
    )
    # The last map has a row for each pixel of a block, colours first; the first has a row for each block of a latent.
    mean = block_transform[:, :, 0, 0].reshape(3, BLOCK**2, -1).mean(axis=1)
    rows = np.einsum("kc,cpm->kpm", mean, haar[:, :, 0, 0].reshape(mean.shape[1], SQUARES, -1))
    return rows, bias.reshape(3, BLOCK**2).mean(axis=1, keepdims=True).repeat(SQUARES, axis=1)


def _rows(y: Floats) -> NDArray[np.float64]:
    """Return latents `[M, h, w]` as rows `[h w, M + 1]`, with a last column of ones."""
    rows = y.reshape(len(y), -1).T.astype(np.float64)
    return np.concatenate([rows, np.ones((len(rows), 1))], axis=1)


def _means(x_hat: Floats) -> NDArray[np.float64]:
    """Return the means of the squares of a picture `[3, 16 h, 16 w]`, clamped to [0, 1], as rows `[h w, 12]`."""
    _, height, width = x_hat.shape
    side = LATENT // BLOCK
    cut = np.clip(x_hat, 0, 1).reshape(3, height // LATENT, side, BLOCK, width // LATENT, side, BLOCK)
    means = cut.mean(axis=(3, 6), dtype=np.float64)
    return means.transpose(1, 3, 0, 2, 4).reshape(-1, 3 * SQUARES)
