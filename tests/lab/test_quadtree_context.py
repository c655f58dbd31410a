from __future__ import annotations

import pytest
import torch

from cwic.config import CwicConfig
from cwic.lab import quadtree_context
from cwic.lab.quadtree_context import ContextBlock, QuadtreeContext
from cwic.nn.compiled import compiled_blocks


def test_predictions_are_a_mean_and_a_scale_for_each_symbol_of_the_pass(small: CwicConfig) -> None:
    context = QuadtreeContext(small)
    state = torch.randn(2, 6, 4, 16)
    level = torch.tensor([0, 1000])
    for step in range(4):
        mean, log2_scale = context.predict(step, state, level)
        assert mean.shape == log2_scale.shape == (2, 3, 2, 4, 4)
        with torch.no_grad():
            context.level[step].value[7:] += 1
        moved, _ = context.predict(step, state, level)
        assert torch.equal(moved[0], mean[0])
        assert not torch.equal(moved[1], mean[1])


def test_known_symbols_are_added_where_they_are(small: CwicConfig) -> None:
    context = QuadtreeContext(small)
    state, features = torch.randn(1, 4, 4, 16), torch.zeros(1, 2, 2, 4, 8)
    features[0, 1, 0, 2] = 1.0  # row 3, column 0
    change = context.absorb(1, state, features) - state
    assert change.abs().amax(dim=-1)[0].nonzero().tolist() == [[3, 0]]
    torch.testing.assert_close(change[0, 3, 0], context.embed.weight[2 ^ 3].sum(dim=1), rtol=0, atol=0.01)


def test_a_block_is_residual(small: CwicConfig) -> None:
    block, t = ContextBlock(8), torch.randn(1, 3, 3, 8)
    assert not torch.equal(block(t), t)
    for parameter in block.project.parameters():
        torch.nn.init.zeros_(parameter)
    assert torch.equal(block(t), t)


def test_the_form_of_a_block_that_is_compiled_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    # Traced in one piece, as on a GPU, but run as it is.
    compiled = torch.compile(quadtree_context._block, backend="eager", fullgraph=True, dynamic=False)
    monkeypatch.setattr(quadtree_context, "compiled", lambda function: compiled)
    block, t = ContextBlock(8), torch.randn(2, 4, 3, 8, requires_grad=True)
    for name, parameter in block.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    slope = torch.randn(t.shape)
    found = []
    for wanted in (False, True):
        with compiled_blocks(wanted):
            out = block(t)
        found.append([out, *torch.autograd.grad(out, [t, *block.parameters()], slope)])
    for plain, fused in zip(*found, strict=True):
        torch.testing.assert_close(fused, plain, rtol=1e-4, atol=1e-4)
