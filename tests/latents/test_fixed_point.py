from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from cwic.latents import fixed_point
from cwic.latents.fixed_point import FLOAT, INTEGER, integer_matmul, leaky_relu, shift_round, to_integers


@pytest.fixture(autouse=True)
def _fresh_probe() -> Iterator[None]:
    fixed_point._int8_kernel_is_exact.cache_clear()
    yield
    fixed_point._int8_kernel_is_exact.cache_clear()


def stream(*shape: int, reach: int = 2032) -> Tensor:
    """A random int32 stream without ties of the rounding to activations: the two forms break these differently."""
    x = torch.randint(-reach, reach + 1, shape, dtype=torch.int32)
    return torch.where(x % 16 == 8, x + 1, x)


def twins(kind: str, *sizes: int) -> tuple[nn.Module, nn.Module]:
    """A layer in float form with random weights and bias, and its integer form."""
    trained, integer = nn.Module(), nn.Module()
    trained.layer, integer.layer = getattr(FLOAT, kind)(*sizes), getattr(INTEGER, kind)(*sizes)
    nn.init.normal_(trained.layer.weight, std=0.1)
    nn.init.normal_(trained.layer.bias)
    to_integers(trained, integer)
    return trained.layer, integer.layer


def assert_twins_agree(trained: Tensor, integer: Tensor) -> None:
    assert integer.dtype == torch.int32
    assert integer.double().std() > 50
    error = trained.detach().double() * 256 - integer.double()
    assert error.abs().max() <= 2


@pytest.mark.parametrize("reach", [300, 2032, 9000])
def test_pointwise_forms_agree(reach: int) -> None:
    trained, integer = twins("pointwise", 40, 24)
    x = stream(2, 5, 6, 40, reach=reach)
    assert_twins_agree(trained(x / 256), integer(x))


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0]])
def test_phase_pointwise_forms_agree_and_use_the_map_they_are_told(order: list[int]) -> None:
    trained, integer = twins("phase_pointwise", 16, 12)
    x = stream(1, 3, 2, 4, 16)
    out = integer(x, order)
    assert_twins_agree(trained(x / 256, order), out)
    plain = integer(x[..., order, :], [0, 1, 2, 3])
    assert order[0] == 0 or not torch.equal(out, plain)
    expected = torch.einsum("bhwpi,poi->bhwpo", x / 256, trained.weight[order]) + trained.bias[order]
    assert (out / 256 - expected).abs().max() < 0.3  # rounding to activations and to int8 weights


def test_depthwise_forms_agree() -> None:
    trained, integer = twins("depthwise", 12)
    x = stream(2, 7, 5, 12)
    assert_twins_agree(trained(x / 256), integer(x))


def test_integer_depthwise_equals_a_plain_loop() -> None:
    _, layer = twins("depthwise", 3)
    x = stream(1, 4, 5, 3)
    out = layer(x)
    active = ((x + 8) // 16).clamp(-127, 127)
    for row, column, channel in torch.cartesian_prod(torch.arange(4), torch.arange(5), torch.arange(3)).tolist():
        total = 0
        for i in range(9):
            r, c = row + i // 3 - 1, column + i % 3 - 1
            if 0 <= r < 4 and 0 <= c < 5:
                total += int(active[0, r, c, channel]) * int(layer.weight[channel, i])
        scaled = (total * int(layer.multiplier[channel]) + (1 << 19)) >> 20
        assert out[0, row, column, channel] == scaled + int(layer.bias[channel])


def test_to_integers_uses_all_of_int8_and_rounds_to_nearest() -> None:
    trained, integer = twins("pointwise", 32, 8)
    assert (integer.weight.abs().amax(dim=1) == 127).all()
    scale = trained.weight.detach().abs().amax(dim=1, keepdim=True) / 127
    assert (integer.weight * scale - trained.weight).abs().max() <= 0.5001 * scale.max()
    assert (integer.bias / 256 - trained.bias).abs().max() <= 0.5001 / 256
    assert integer.accumulator_bound() == 127 * max(sum(abs(w) for w in row) for row in integer.weight.tolist())


def test_to_integers_takes_knots_and_rows_of_zeros() -> None:
    trained, integer = nn.Module(), nn.Module()
    trained.knots, integer.knots = FLOAT.knots(2), INTEGER.knots(2)
    trained.flat, integer.flat = FLOAT.pointwise(4, 2), INTEGER.pointwise(4, 2)
    with torch.no_grad():
        trained.knots.value[:3] = torch.tensor([[0.5, -1.0], [0.001, 3.0], [1 / 3, 0.0]])
        trained.flat.weight.zero_()
    to_integers(trained, integer)
    assert integer.knots.value[:3].tolist() == [[128, -256], [0, 768], [85, 0]]
    half_way = torch.tensor([64])
    assert integer.knots(half_way).tolist() == [[64, 256]]
    assert trained.knots(half_way).tolist() == [pytest.approx([0.2505, 1.0])]
    assert not integer.flat(stream(1, 4)).any()


def test_leaky_relu_and_shift_round_on_integers_are_their_float_forms() -> None:
    x = torch.arange(-1000, 1001, dtype=torch.int32)
    assert leaky_relu(torch.tensor([-8.0, 0.0, 5.0])).tolist() == [-1, 0, 5]
    assert torch.equal(leaky_relu(x), torch.floor(leaky_relu(x.double())).int())
    assert torch.equal(shift_round(x, 4), torch.floor(x / 16 + 0.5).int())


def test_the_float_form_lets_gradients_through_its_rounding() -> None:
    layer = FLOAT.pointwise(5, 3)
    x = torch.randn(7, 5, requires_grad=True)
    layer(x).sum().backward()
    torch.testing.assert_close(x.grad, fixed_point.simulate_weights(layer.weight).detach().sum(0).expand(7, 5))
    assert layer.weight.grad.abs().max() > 0


def test_simulated_activations_are_those_of_fake_quantisation_in_value_and_gradient() -> None:
    edges = torch.tensor([127.5, 127.4999, 127.0, 128.0, 0.5, 1.5, 0.0, 1e30]) / 16
    x = torch.cat([5 * torch.randn(10_000), edges, edges.nextafter(torch.zeros(8)), -edges]).requires_grad_()
    slope = torch.randn(x.shape)
    ours = fixed_point.simulate_activations(x)
    theirs = torch.fake_quantize_per_tensor_affine(x, 1 / 16, 0, -127, 127)
    assert torch.equal(ours, theirs)
    assert torch.equal(*(torch.autograd.grad(each, x, slope)[0] for each in (ours, theirs)))


@pytest.mark.parametrize("size", [(1, 8, 4), (17, 192, 192), (96, 640, 24), (5, 7, 3)])
@pytest.mark.parametrize("extreme", [False, True])
def test_the_int8_kernel_equals_float64(
    size: tuple[int, int, int], extreme: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    n, k, m = size
    a, b = (torch.randint(-127, 128, shape, dtype=torch.int8) for shape in ((n, k), (m, k)))
    if extreme:
        a, b = torch.where(a > 0, 127, -127).to(torch.int8), torch.full_like(b, 127)
        a[0] = 127
    expected = a.double() @ b.t().double()
    assert torch.equal(integer_matmul(a, b.t()).double(), expected)
    assert integer_matmul(a, b.t()).dtype == torch.int32

    monkeypatch.setenv("CWIC_INTEGER_MATMUL", "float64")
    fixed_point._int8_kernel_is_exact.cache_clear()
    monkeypatch.setattr(torch, "_int_mm", None)  # not to be called
    assert torch.equal(integer_matmul(a, b.t()).double(), expected)


def _saturating(a: Tensor, b: Tensor) -> Tensor:
    """What processors without VNNI do: pairs of products of a, made unsigned, and b are added in saturating int16."""
    products = (a[:, :, None].int() + 128) * b[None].int()
    pairs = products.unflatten(1, (-1, 2)).sum(dim=2).clamp(-(1 << 15), (1 << 15) - 1)
    return pairs.sum(dim=1).int() - 128 * b.int().sum(dim=0).int()


def _absent(a: Tensor, b: Tensor) -> Tensor:
    raise RuntimeError("not on this device")


@pytest.mark.parametrize("kernel", [_saturating, _absent])
def test_a_kernel_that_is_not_exact_is_not_used(kernel: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "_int_mm", kernel)
    assert not fixed_point._int8_kernel_is_exact("cpu")
    a, b = torch.full((4, 8), 127, dtype=torch.int8), torch.full((8, 3), 127, dtype=torch.int8)
    assert (integer_matmul(a, b) == 8 * 127 * 127).all()
