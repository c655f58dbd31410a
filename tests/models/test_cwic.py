from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cwic.config import CwicConfig
from cwic.errors import FormatError, ModelError
from cwic.latents.passes import join_passes, split_passes
from cwic.latents.quadtree import VALUE_BITS
from cwic.latents.rounding import CONSIDERED
from cwic.latents.scales import SYMBOL_MAX
from cwic.latents.symbols import CodedLatents, Discard
from cwic.models import cwic as module
from cwic.models.base import encode
from cwic.models.cwic import CwicModel
from cwic.networks.engine import ENGINE_VARIABLE, Network, OnnxRuntime

LEVEL = 700


@pytest.fixture
def y(model: CwicModel, picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """The latents of the picture, `[1, 16, 4, 8]`."""
    return model.finish_analysis(model.prepare_analysis(picture), LEVEL)


@pytest.fixture
def coded(model: CwicModel, y: NDArray[np.float32]) -> CodedLatents:
    return model.compress(y, LEVEL, tile=7)


@pytest.mark.parametrize("level", [0, 333, 1000])
def test_what_is_compressed_is_decompressed(model: CwicModel, picture: NDArray[np.float32], level: int) -> None:
    coded = encode(model, picture, level)
    y_hat = model.decompress(coded.data, coded.crc, 64, 128, level)
    assert (y_hat.dtype, y_hat.shape) == (np.int64, (4, 8, 16))
    np.testing.assert_array_equal(y_hat, coded.y_hat)
    assert np.abs(y_hat).max() > 1 << VALUE_BITS
    x_hat = model.synthesise(y_hat, level)
    assert (x_hat.shape, x_hat.dtype) == (picture.shape, np.float32)


def test_more_level_is_less_error(model: CwicModel, picture: NDArray[np.float32]) -> None:
    errors = []
    for level in (0, 500, 1000):
        x_hat = model.synthesise(encode(model, picture, level).y_hat, level)
        errors.append(float(np.square(x_hat - picture).mean()))
    assert errors[0] > errors[1] > errors[2]


def test_the_slope_of_bits_is_that_of_each_symbol(model: CwicModel, y: NDArray[np.float32]) -> None:
    coded, slope = model.compress_with_slope(y, LEVEL, 7, 5.0)
    assert coded.data == model.compress(y, LEVEL, 7, error_weight=5.0).data
    assert (slope.shape, slope.dtype) == (y.shape, np.float32)
    expected: list[NDArray[np.float32]] = []

    def note(symbols: NDArray[np.int32], indexes: NDArray[np.uint8]) -> None:
        costs = model._costs[indexes]
        magnitudes = np.minimum(np.abs(symbols), CONSIDERED - 2)  # beyond, it goes on
        each = np.arange(len(symbols))
        between = (costs[each, magnitudes + 1] - costs[each, np.maximum(magnitudes - 1, 0)]) / 2
        expected.append(np.where(symbols == 0, 0, np.sign(symbols) * between).astype(np.float32))

    model.decompress(coded.data, coded.crc, 64, 128, LEVEL, 7, seen=note)
    passes = [each.reshape(2, 4, 4, 4) for each in expected[1:]]  # the first call is z
    np.testing.assert_allclose(slope[0].transpose(1, 2, 0), join_passes(passes), rtol=1e-6)
    assert (slope != 0).mean() > 0.1


def test_the_decoded_latent_is_near_the_latent(model: CwicModel, y: NDArray[np.float32], coded: CodedLatents) -> None:
    gain = 2.0 ** (model._prior.log2_gain(LEVEL) / 256)
    steps = np.abs(model._prior.dequantise(coded.y_hat, LEVEL) - y)[0] * gain[:, None, None]
    assert (steps < 1.01).mean() > 0.95  # the rest has scales too small to be coded
    assert np.median(steps) < 0.5


@pytest.mark.parametrize("position", [0, 5, -20, -1])
def test_a_flipped_bit_is_found(model: CwicModel, coded: CodedLatents, position: int) -> None:
    damaged = bytearray(coded.data)
    damaged[position] ^= 0x10
    with pytest.raises(FormatError):
        model.decompress(bytes(damaged), coded.crc, 64, 128, LEVEL, tile=7)


@pytest.mark.parametrize("what", ["crc", "tile", "level", "shape", "longer", "empty", "cut", "half a word"])
def test_bytes_that_belong_elsewhere_are_found(model: CwicModel, coded: CodedLatents, what: str) -> None:
    data = {
        "longer": coded.data + bytes(range(1, 9)),
        "empty": b"",
        "cut": coded.data[:-4],
        "half a word": coded.data[:-3],
    }
    size = (128, 64) if what == "shape" else (64, 128)
    with pytest.raises(FormatError):
        model.decompress(
            data.get(what, coded.data),
            coded.crc ^ (what == "crc"),
            *size,
            LEVEL + 200 * (what == "level"),
            tile=8 if what == "tile" else 7,
        )


@pytest.mark.parametrize("strength", [1e3, 1e9])
def test_values_beyond_the_range_are_clamped_alike_on_both_sides(model: CwicModel, strength: float) -> None:
    y = np.float32(strength) * np.random.default_rng(0).standard_normal((1, 16, 4, 4), np.float32)
    coded = model.compress(y, LEVEL)
    y_hat = model.decompress(coded.data, coded.crc, 64, 64, LEVEL)
    np.testing.assert_array_equal(y_hat, coded.y_hat)
    assert abs(int(np.abs(y_hat).max() >> VALUE_BITS) - SYMBOL_MAX) < 64 or strength == 1e3


@pytest.mark.parametrize("largest", [-100, -32, 32, 100])
def test_a_hyper_latent_that_no_encoder_writes_is_refused(
    model: CwicModel, y: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch, largest: int
) -> None:
    z = np.zeros((1, 8, 1, 2), np.float32)
    z[0, 3, 0, 1] = largest
    monkeypatch.setattr(module, "Z_MAX", 200)
    monkeypatch.setattr(CwicModel, "hyper_analyse", lambda self, y, level: z)
    coded = model.compress(y, LEVEL)
    monkeypatch.undo()
    with pytest.raises(FormatError, match="hyper-latent"):
        model.decompress(coded.data, coded.crc, 64, 128, LEVEL)


def test_cheap_errors_make_short_files_that_decode_as_well(model: CwicModel, y: NDArray[np.float32]) -> None:
    sizes = []
    for weight in (100.0, 3.0, 0.5):
        other = CwicModel(model.data._replace(error_weight=weight))
        coded = other.compress(y, LEVEL)
        np.testing.assert_array_equal(model.decompress(coded.data, coded.crc, 64, 128, LEVEL), coded.y_hat)
        sizes.append(len(coded.data))
    assert sizes[0] >= sizes[1] > sizes[2]


@pytest.mark.parametrize("weight", [8.0, 21.5, 22.0, 22.5, 60.0])
def test_errors_of_what_the_format_prescribes_weigh_22(
    model: CwicModel, picture: NDArray[np.float32], weight: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever weight an encoder uses."""
    y = np.random.default_rng(0).normal(0, 0.6, (1, 16, 64, 64)).astype(np.float32)
    monkeypatch.setenv(ENGINE_VARIABLE, OnnxRuntime.name)
    monkeypatch.setattr(CwicModel, "finish_analysis", lambda *_, **__: y)
    other = CwicModel(model.data._replace(error_weight=weight))
    written = other.as_written(picture, 200)
    np.testing.assert_array_equal(written, model.as_written(picture, 200))
    assert np.array_equal(other.compress(y, 200).y_hat, written) == (weight == 22.0)


def test_what_the_format_prescribes_comes_from_float32(
    model: CwicModel, picture: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    call = Network.__call__

    def record(network: Network, inputs: dict[str, Any], *, precise: bool = False) -> NDArray[np.float32]:
        asked.append(precise)
        return call(network, inputs, precise=precise)

    monkeypatch.setattr(Network, "__call__", record)
    model.as_written(picture, 500)
    assert asked == [True, True, True]  # features, g_a and h_a
    model.synthesise(encode(model, picture, 500).y_hat, 500)
    assert asked[3:] == [False, False, False, False]


def test_a_sink_takes_the_symbols_in_place_of_a_coder(model: CwicModel, picture: NDArray[np.float32]) -> None:
    class Counter(Discard):
        symbols = 0

        def encode(self, symbols: NDArray[np.int32], indexes: NDArray[np.uint8]) -> None:
            assert symbols.shape == indexes.shape
            self.symbols += symbols.size

    counter = Counter()
    assert encode(model, picture, 500, sink=counter).data == b""
    assert counter.symbols == 4 * 8 * 16 + 1 * 2 * 8


TRUNK = {"attention_form": "residual", "analysis_blocks": 3, "synthesis_blocks": 5}


@pytest.mark.parametrize(
    ("changed", "analysis", "synthesis"),
    [
        ({}, (13, 8), (14, 8)),
        ({"analysis_blocks": 5, "synthesis_blocks": 3}, (13, 8), (15, 8)),
        ({"analysis_blocks": 6, "attention": "window"}, (13, 8), (6, 8)),
        ({"attention_form": "residual"}, (12, 8), (13, 8)),
        ({"attention_form": "residual", "attention": "window", "analysis_blocks": 6}, (12, 8), (5, 8)),
        ({"attention_form": "residual", "attention_every": 1}, (12, 8), (12, 8)),
        ({**TRUNK, "attention_every": 2}, (13, 8), (21, 8)),
        ({**TRUNK, "attention": "window", "attention_every": 2}, (13, 8), (13, 8)),
        ({"analysis_blocks": 3, "synthesis_blocks": 4, "attention": "none"}, (7, 1), (2, 1)),
        ({"analysis_blocks": 3, "attention": "none", "feature_encoding": False}, (2, 1), (1, 1)),
    ],
)
def test_the_halo_follows_the_shape(
    model: CwicModel,
    small: CwicConfig,
    changed: dict[str, Any],
    analysis: tuple[int, int],
    synthesis: tuple[int, int],
) -> None:
    # tests/tiling and tests/lab/test_cwic_export.py show that it is enough and that less is not.
    other = CwicModel(model.data._replace(config=replace(small, **changed)))
    assert (other.analysis_halo, other.synthesis_halo) == (analysis, synthesis)


def test_what_a_model_lacks_is_named(model: CwicModel) -> None:
    graphs = {name: graph for name, graph in model.data.graphs.items() if name != "h_a"}
    with pytest.raises(ModelError, match="lack the graph h_a"):
        CwicModel(model.data._replace(graphs=graphs))
    with pytest.raises(ModelError, match=r"not \[9, C\]"):
        CwicModel(model.data._replace(weights=lambda names: {name: np.zeros((3, 4), np.float16) for name in names}))


def test_of_a_cut_tile_the_passes_before_the_cut_are_right(model: CwicModel, coded: CodedLatents) -> None:
    whole = split_passes(coded.y_hat)
    passes = []
    for size in range(0, len(coded.data) + 1, 4):
        try:
            cut = model.decompress_cut(coded.data[:size], coded.crc, 64, 128, LEVEL, tile=7)
        except FormatError:  # in z
            assert not passes
            continue
        passes.append(cut.passes)
        assert cut.of == 4
        for found, expected in zip(split_passes(cut.y_hat)[: cut.passes], whole, strict=False):
            np.testing.assert_array_equal(found, expected)
    assert passes == sorted(passes)
    assert {0, 1, 2, 3} <= set(passes)


def test_a_tile_that_is_all_there_is_checked(model: CwicModel, coded: CodedLatents) -> None:
    data = coded.data + b"checksum"
    cut = model.decompress_cut(data, coded.crc, 64, 128, LEVEL, tile=7)
    assert (cut.passes, cut.of) == (4, 4)
    np.testing.assert_array_equal(cut.y_hat, coded.y_hat)
    with pytest.raises(FormatError, match="checksum differs"):
        model.decompress_cut(data, coded.crc, 64, 128, LEVEL, tile=8)
