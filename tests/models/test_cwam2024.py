from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cwic.errors import FormatError, ModelError
from cwic.latents.scales import SYMBOL_MAX
from cwic.latents.symbols import CodedLatents, Discard
from cwic.latents.wide import FRACTION_BITS
from cwic.models.base import encode
from cwic.models.cwam2024 import Cwam2024Model
from cwic.models.weights import load_weights


@pytest.fixture(scope="module")
def published(cwam2024_weights: Path) -> Cwam2024Model:
    model = load_weights(cwam2024_weights)
    assert isinstance(model, Cwam2024Model)
    return model


@pytest.fixture(scope="module")
def y(published: Cwam2024Model, picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return published.finish_analysis(published.prepare_analysis(picture))


@pytest.fixture(scope="module")
def coded(published: Cwam2024Model, y: NDArray[np.float32]) -> CodedLatents:
    return published.compress(y, tile=7)


def test_what_is_compressed_is_decompressed(
    published: Cwam2024Model, y: NDArray[np.float32], coded: CodedLatents
) -> None:
    y_hat = published.decompress(coded.data, coded.crc, 64, 128, tile=7)
    np.testing.assert_array_equal(y_hat, coded.y_hat)
    values = (y_hat / (1 << FRACTION_BITS)).transpose(2, 0, 1)
    assert np.abs(values - y[0]).max() <= 0.5 + 1e-6
    assert published.synthesise(y_hat).shape == (1, 3, 64, 128)


@pytest.mark.parametrize("value", [1e9, -1e9])
def test_values_beyond_all_symbols_saturate(published: Cwam2024Model, y: NDArray[np.float32], value: float) -> None:
    y = np.zeros_like(y)
    y[0, 0, 0, 0] = value
    coded = published.compress(y)
    np.testing.assert_array_equal(published.decompress(coded.data, coded.crc, 64, 128), coded.y_hat)
    assert abs(int(coded.y_hat[0, 0, 0])) >> FRACTION_BITS in range(SYMBOL_MAX - 2100, SYMBOL_MAX + 2100)


def test_damage_is_found(published: Cwam2024Model, coded: CodedLatents) -> None:
    with pytest.raises(FormatError, match="checksum"):
        published.decompress(coded.data, coded.crc, 64, 128, tile=8)
    for position in (0, 9, -1):
        damaged = bytearray(coded.data)
        damaged[position] ^= 4
        with pytest.raises(FormatError):
            published.decompress(bytes(damaged), coded.crc, 64, 128, tile=7)


def test_nothing_is_shown_of_a_cut_tile(published: Cwam2024Model, coded: CodedLatents) -> None:
    with pytest.raises(FormatError, match="passes"):
        published.decompress_cut(coded.data[:-8], coded.crc, 64, 128, tile=7)


def test_a_sink_sees_all_symbols_in_calls_of_the_format(published: Cwam2024Model, picture: NDArray[np.float32]) -> None:
    sizes: list[int] = []

    class Sink(Discard):
        def encode(self, symbols: NDArray[np.int32], indexes: NDArray[np.uint8]) -> None:
            assert symbols.shape == indexes.shape
            sizes.append(symbols.size)

    encode(published, picture, sink=Sink())
    assert sizes[0] == 1 * 2 * 16
    assert sum(sizes[1:]) == 4 * 8 * 16
    assert len(sizes) <= 1 + 8 + 3 * 3
    assert sizes[1:4] == [16, 16, 16]


def test_what_a_model_lacks_is_named(published: Cwam2024Model) -> None:
    graphs = {name: graph for name, graph in published.data.graphs.items() if name != "g_s"}
    with pytest.raises(ModelError, match="lack the graph g_s"):
        Cwam2024Model(published.data._replace(graphs=graphs))
