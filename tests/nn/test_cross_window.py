from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cwic.nn.cross_window import CrossWindowAttention, CrossWindowAttentionModule


def randomise(module: nn.Module) -> nn.Module:
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    return module


def softmax_attention(m: CrossWindowAttention, q: Tensor, k: Tensor, v: Tensor, bias: Tensor, seen: Tensor) -> Tensor:
    """Tokens `[n, C]`; `bias` `[n, n, heads]`; `seen` `[n, n]`."""
    size = q.shape[1] // m.heads
    out = []
    for head, part in enumerate(slice(i * size, (i + 1) * size) for i in range(m.heads)):
        logits = q[:, part] @ k[:, part].t() / size**0.5 + bias[:, :, head]
        out.append(logits.masked_fill(~seen, -100 + logits.min()).softmax(dim=-1) @ v[:, part])
    return torch.cat(out, dim=1)


def reference(m: CrossWindowAttention, x: Tensor, padding: float = 0.0) -> Tensor:
    """The docstring's equations for `[1, C, H, W]`, window by window; coarse tokens are cut first, then projected."""
    w, s = m.window, m.shift
    h, wide = x.shape[2:]
    H, W = -(-h // w) * w, -(-wide // w) * w
    rolled = F.pad(x, (0, W - wide, 0, H - h), value=padding).roll((-s, -s), dims=(2, 3))[0]

    def band(i: int, side: int, valid: int) -> int:
        if (i + s) % side >= valid:
            return 9
        return 0 if not s or i < side - w else 1 if i < side - s else 2

    def mirrored(i: int, side: int) -> int:
        return min(abs(i), 2 * (side - 1) - abs(i))

    def label(r: int, c: int) -> tuple[int, ...]:
        bands = band(r, H, h), band(c, W, wide)
        return (9,) if 9 in bands else bands

    square = list(itertools.product(range(w), repeat=2))
    index = torch.tensor([[(a - c + w - 1) * (2 * w - 1) + b - d + w - 1 for c, d in square] for a, b in square])
    out = torch.zeros_like(rolled)
    for top, left in itertools.product(range(0, H, w), range(0, W, w)):
        fine = [(top + a, left + b) for a, b in square]
        near = [(mirrored(top // 2 - w // 4 + a, H // 2), mirrored(left // 2 - w // 4 + b, W // 2)) for a, b in square]
        tokens = torch.stack([rolled[:, r, c] for r, c in fine])
        coarse = torch.stack([rolled[:, 2 * r : 2 * r + 2, 2 * c : 2 * c + 2].mean(dim=(1, 2)) for r, c in near])
        labels = [label(r, c) for r, c in fine], [label(2 * r, 2 * c) for r, c in near]
        seen = [torch.tensor([[a == b for b in keys] for a in labels[0]]) for keys in labels]
        q, k, v = m.qkv(tokens).chunk(3, dim=1)
        k_c, v_c = m.kv(coarse).chunk(2, dim=1)
        S = softmax_attention(m, q, k, v, m.relative_position_bias_table_x[index], seen[0])
        T = softmax_attention(m, q, k_c, v_c, m.relative_position_bias_table_y[index], seen[1])
        result = m.proj(S + m.merge2(F.leaky_relu(m.merge1(torch.cat([S, T], dim=1)), 0.2)))
        for (r, c), token in zip(fine, result, strict=True):
            out[:, r, c] = token
    return x + out.roll((s, s), dims=(1, 2))[None, :, :h, :wide]


@pytest.mark.parametrize(
    ("window", "shift", "size"), [(8, 4, (16, 16)), (8, 4, (24, 32)), (4, 2, (8, 12)), (4, 0, (8, 12)), (4, 2, (4, 4))]
)
@torch.no_grad()
def test_attention_is_what_its_equations_say(window: int, shift: int, size: tuple[int, int]) -> None:
    attention = randomise(CrossWindowAttention(8, window, shift, heads=2))
    x = torch.randn(1, 8, *size)
    torch.testing.assert_close(attention(x), reference(attention, x), rtol=1e-4, atol=1e-4)
    both = torch.cat([x, torch.randn_like(x)])
    torch.testing.assert_close(attention(both)[:1], attention(x))


@pytest.mark.parametrize("size", [(12, 20), (4, 4), (4, 28)])
@torch.no_grad()
def test_what_the_map_is_padded_with_does_not_matter(size: tuple[int, int]) -> None:
    attention, x = randomise(CrossWindowAttention(8, 8, 4, heads=2)), torch.randn(1, 8, *size)
    assert attention(x).shape == x.shape
    torch.testing.assert_close(attention(x), reference(attention, x, padding=37.0), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (5, 30)])
def test_any_size_and_gradients_reach_every_parameter(size: tuple[int, int]) -> None:
    module = randomise(CrossWindowAttentionModule(8, 4, 2, heads=2, units=1))
    out = module(torch.randn(2, 8, *size))
    assert out.shape == (2, 8, *size)
    assert out.isfinite().all()
    out.square().sum().backward()
    used = {name for name, p in module.named_parameters() if p.grad.abs().max() > 0}
    # A single position has one key: nothing to weigh.
    assert size == (1, 1) or used == {name for name, _ in module.named_parameters()}


@pytest.mark.parametrize(("dim", "window", "shift"), [(10, 8, 4), (16, 6, 3), (16, 8, 8), (16, 8, -1)])
def test_impossible_shapes_are_refused(dim: int, window: int, shift: int) -> None:
    with pytest.raises(ValueError, match=f"dim {dim} must divide by heads 4"):
        CrossWindowAttention(dim, window, shift, heads=4)


@pytest.mark.parametrize("size", [(16, 16), (12, 20)])
@torch.no_grad()
def test_without_the_cross_term_the_window_sees_itself_alone(size: tuple[int, int]) -> None:
    own = randomise(CrossWindowAttention(8, 8, 4, heads=2, cross=False))
    both = randomise(CrossWindowAttention(8, 8, 4, heads=2))
    both.load_state_dict(own.state_dict(), strict=False)
    nn.init.zeros_(both.merge2.weight)
    nn.init.zeros_(both.merge2.bias)
    x = torch.randn(2, 8, *size)
    torch.testing.assert_close(own(x), both(x))
    assert {"kv.weight", "merge1.weight", "merge2.weight"}.isdisjoint(own.state_dict())


@pytest.mark.parametrize("cross", [True, False])
@torch.no_grad()
def test_bare_attention_is_what_is_projected_and_added(cross: bool) -> None:
    whole = randomise(CrossWindowAttention(8, 8, 4, heads=2, cross=cross))
    bare = CrossWindowAttention(8, 8, 4, heads=2, cross=cross, bare=True)
    kept = whole.state_dict()
    bare.load_state_dict({name: kept[name] for name in bare.state_dict()})
    assert kept.keys() - bare.state_dict().keys() == {"proj.weight", "proj.bias"}
    x = torch.randn(2, 8, 12, 20)
    torch.testing.assert_close(x + whole.proj(bare(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2), whole(x))


@pytest.mark.parametrize(("cross", "squares", "tokens"), [(True, 28, 4), (False, 24.5, 2)])
@torch.no_grad()
def test_the_module_costs_what_it_says(cross: bool, squares: float, tokens: int) -> None:
    C, window, positions = 16, 4, 64
    with FlopCounterMode(display=False) as counter:
        CrossWindowAttentionModule(C, window, 2, heads=8, cross=cross)(torch.randn(1, C, 8, 8))
    assert counter.get_total_flops() / 2 / positions == squares * C**2 + tokens * window**2 * C


@torch.no_grad()
def test_the_published_attention_agrees(golden: Any) -> None:
    attention = CrossWindowAttention(16, window=8, shift=4, heads=8)
    attention.load_state_dict(golden.weights("cnn.g_a.4.conv_b.0.attn."))
    torch.testing.assert_close(attention(golden["mid/ga3"]), golden["mid/ga4_crossattn"], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("path", "window", "entering", "leaving"),
    [("cnn.g_a.4.", 8, "mid/ga3", "mid/ga4"), ("cnn.g_s.0.", 4, "mid/gs_att", "mid/gs0")],
)
@torch.no_grad()
def test_the_published_module_agrees(golden: Any, path: str, window: int, entering: str, leaving: str) -> None:
    module = CrossWindowAttentionModule(16, window, window // 2, heads=8)
    module.load_state_dict(golden.weights(path))
    torch.testing.assert_close(module(golden[entering]), golden[leaving], rtol=0, atol=1e-4)
