from __future__ import annotations

import numpy as np
import pytest

from cwic.config import CwicConfig
from cwic.errors import ModelError
from cwic.latents.passes import PASSES
from cwic.latents.quadtree import GAIN_BITS, GAIN_OCTAVES, VALUE_BITS, LatentPass, QuadtreePrior
from cwic.threads import THREADS_VARIABLE

Tensors = dict[str, np.ndarray]


def test_the_gain_is_a_power_of_two_to_24_bits(prior: QuadtreePrior) -> None:
    log2_gain = np.arange(-GAIN_OCTAVES * 256, GAIN_OCTAVES * 256 + 1, dtype=np.int32)
    gain = prior.gain(log2_gain) / (1 << GAIN_BITS)
    expected = 2.0 ** (log2_gain / 256)
    error = np.abs(gain - expected)
    assert (error / expected)[log2_gain >= -3 * 256].max() < 2.0**-20
    assert error[log2_gain < -3 * 256].max() <= 2.0**-GAIN_BITS  # relative precision runs out with the bits


def visit(prior: QuadtreePrior, z_hat: np.ndarray, level: int, symbols: list[np.ndarray]) -> tuple:
    """What a traversal gives for these symbols: y_hat, and what it said of each pass."""
    passes: list[LatentPass] = []

    def code(known: LatentPass) -> np.ndarray:
        passes.append(known)
        return symbols[known.pass_index]

    return prior.traverse(z_hat, level, code), passes


@pytest.fixture
def z_hat() -> np.ndarray:
    return np.random.default_rng(5).integers(-31, 32, (6, 9, 8)).astype(np.int32)


@pytest.fixture
def symbols() -> list[np.ndarray]:
    random = np.random.default_rng(6)
    return [random.integers(-20, 21, (12, 18, 4, 4)).astype(np.int32) for _ in range(PASSES)]


def test_every_pass_knows_a_mean_and_an_index_for_each_symbol(
    prior: QuadtreePrior, z_hat: np.ndarray, symbols: list[np.ndarray]
) -> None:
    y_hat, passes = visit(prior, z_hat, 400, symbols)
    assert (y_hat.shape, y_hat.dtype) == ((24, 36, 16), np.int64)
    assert [known.pass_index for known in passes] == [0, 1, 2, 3]
    for known in passes:
        assert (known.indexes.shape, known.indexes.dtype) == ((12, 18, 4, 4), np.uint8)
        assert (known.means_hat.shape, known.means_hat.dtype) == ((12, 18, 4, 4), np.int64)
        assert known.indexes.std() > 1
        assert known.means_hat.std() > 1
    # Position (0, 0) is of phase 0: its channels of group 0 come in the first pass.
    expected = (symbols[0][0, 0, 0].astype(np.int64) << VALUE_BITS) + passes[0].means_hat[0, 0, 0]
    np.testing.assert_array_equal(y_hat[0, 0, ::4], expected)


def test_a_pass_depends_on_the_symbols_before_it_and_on_no_others(
    prior: QuadtreePrior, z_hat: np.ndarray, symbols: list[np.ndarray]
) -> None:
    _, before = visit(prior, z_hat, 400, symbols)
    for changed in range(PASSES):
        other = [part + 3 * (k == changed) for k, part in enumerate(symbols)]
        _, after = visit(prior, z_hat, 400, other)
        same = [np.array_equal(a.means_hat, b.means_hat) for a, b in zip(before, after, strict=True)]
        assert same == [k <= changed for k in range(PASSES)]


def test_threads_and_ways_to_multiply_change_nothing(
    small: CwicConfig,
    tensors: Tensors,
    z_hat: np.ndarray,
    symbols: list[np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = []
    for threads, kind in (("1", np.float32), ("3", np.float32), ("2", np.float64)):
        monkeypatch.setenv(THREADS_VARIABLE, threads)
        monkeypatch.setattr("cwic.latents.int8.product", lambda a, b, kind=kind: a.astype(kind) @ b.astype(kind))
        monkeypatch.setattr("cwic.latents.int8.BAND_POSITIONS", 100 * int(threads))
        y_hat, passes = visit(QuadtreePrior(small, tensors), z_hat, 777, symbols)
        found.append([y_hat.tobytes(), *(p.indexes.tobytes() + p.means_hat.tobytes() for p in passes)])
    assert found[0] == found[1] == found[2]


def test_gains_end_where_products_would_no_longer_fit(small: CwicConfig, tensors: Tensors) -> None:
    knots = np.zeros_like(tensors["networks.log2_gain.value"])
    knots[:, 0], knots[:, 1], knots[:, 2] = 20 * 256, -20 * 256, 3
    found = QuadtreePrior(small, tensors | {"networks.log2_gain.value": knots}).log2_gain(500)
    assert found[:4].tolist() == [GAIN_OCTAVES * 256, -GAIN_OCTAVES * 256, 3, 0]


def test_dequantising_divides_by_the_gain(prior: QuadtreePrior) -> None:
    y_hat = np.random.default_rng(0).integers(-5000, 5000, (2, 3, 16))
    found = prior.dequantise(y_hat, 640)
    gain = 2.0 ** (prior.log2_gain(640) / 256)
    assert (found.shape, found.dtype) == ((1, 16, 2, 3), np.float32)
    np.testing.assert_allclose(found[0].transpose(1, 2, 0), y_hat / 64 / gain, rtol=1e-6)


def test_extreme_symbols_do_not_overflow(prior: QuadtreePrior) -> None:
    z_hat = np.full((1, 1, 8), 31, np.int32)
    symbols = [np.full((2, 2, 4, 4), 32767 if k % 2 else -32767, np.int32) for k in range(PASSES)]
    y_hat, passes = visit(prior, z_hat, 1000, symbols)
    # Activations saturate at 127/16, so means stay small whatever is fed back.
    assert max(int(np.abs(known.means_hat).max()) for known in passes) < 1 << (VALUE_BITS + 12)
    assert (np.abs(y_hat) >> VALUE_BITS).min() > 30000


def test_values_and_magnitudes_fed_back_are_what_the_format_says(prior: QuadtreePrior) -> None:
    log2_gain = np.array([-700, -3, 0, 100, 1024], np.int32)
    value = np.random.default_rng(0).integers(-(300 << VALUE_BITS), 300 << VALUE_BITS, (50, 5))
    found = prior._features(value, log2_gain) / 256
    steps, gain = value / (1 << VALUE_BITS), 2.0 ** (log2_gain / 256)
    magnitudes = np.log2(1 + np.minimum(np.abs(steps), 255)) - np.log2(1 + gain)
    np.testing.assert_allclose(found[:, :5], steps / gain, rtol=2e-6, atol=0.5 / 256 + 1e-6)
    # Magnitudes are looked up in steps of 1/16, and stored in 1/256.
    np.testing.assert_allclose(found[:, 5:], magnitudes, rtol=0, atol=1 / 16 / np.log(2) + 2 / 256)


def test_tensors_that_are_missing_or_absurd_are_refused(small: CwicConfig, tensors: Tensors) -> None:
    for name in tensors:
        with pytest.raises(ModelError, match=f"lack {name}"):
            QuadtreePrior(small, {key: array for key, array in tensors.items() if key != name})
    head = "networks.context.heads.2"
    absurd = {
        f"{head}.multiplier": np.full((4, 8), 2**31 - 1, np.int32),
        f"{head}.weight": np.full((4, 8, 24), 127, np.int8),
    }
    with pytest.raises(ModelError, match="streams could overflow"):
        QuadtreePrior(small, tensors | absurd)


def test_no_mean_is_larger_than_is_said(prior: QuadtreePrior, z_hat: np.ndarray) -> None:
    level = 500
    state = prior._h_s(z_hat << 6)
    mean, _ = prior._predict(0, state, level)
    assert 0 < np.abs(mean).max() <= max(head.reach for head in prior._heads)


def test_no_decoded_value_is_larger_than_is_said(prior: QuadtreePrior, z_hat: np.ndarray) -> None:
    y_hat = prior.traverse(z_hat, 1000, lambda known: np.full(known.indexes.shape, 32767, np.int32))
    assert 32767 << 6 < np.abs(y_hat).max() <= prior.value_reach
