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
