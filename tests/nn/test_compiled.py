from __future__ import annotations

import pytest
import torch

from cwic.nn import compiled


def test_compiled_forms_are_wanted_inside_alone() -> None:
    seen = [compiled.are_compiled()]
    with compiled.compiled_blocks():
        seen.append(compiled.are_compiled())
        with compiled.compiled_blocks(wanted=False):
            seen.append(compiled.are_compiled())
        seen.append(compiled.are_compiled())
    with pytest.raises(ValueError, match="broken"), compiled.compiled_blocks():
        raise ValueError("broken")
    assert [*seen, compiled.are_compiled()] == [False, True, False, True, False]


def test_a_function_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(torch, "compile", lambda function, dynamic: asked.append((function, dynamic)) or function)

    def double(x: torch.Tensor) -> torch.Tensor:
        return 2 * x

    for _ in range(2):
        assert compiled.compiled(double)(torch.ones(1)) == 2
    assert asked == [(double, False)]


def test_a_larger_part_compiles_a_function_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_compiled", lambda function: pytest.fail("compiled by itself"))

    def double(x: torch.Tensor) -> torch.Tensor:
        return 2 * x

    larger = torch.compile(lambda x: compiled.compiled(double)(x) + 1, backend="eager", fullgraph=True)
    assert larger(torch.ones(1)) == 3


def test_a_kept_copy_is_contiguous_and_passes_gradients() -> None:
    x = torch.randn(3, 2, requires_grad=True)
    for function in (compiled.kept, torch.compile(compiled.kept, backend="aot_eager", fullgraph=True)):
        copy = function(x.t())
        assert torch.equal(copy, x.t())
        assert copy.is_contiguous()
        slope = torch.randn(2, 3)
        assert torch.equal(torch.autograd.grad(copy, x, slope)[0], slope.t())
