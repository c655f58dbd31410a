from __future__ import annotations

import re
from collections.abc import Callable
from types import ModuleType

import pytest
import torch


@pytest.fixture
def plug_in_codec(load_example: Callable[[str], ModuleType]) -> ModuleType:
    return load_example("plug_in_codec")


def test_both_codecs_learn(plug_in_codec: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    plug_in_codec.main()
    found = re.findall(r"^(\w+) .* ([\d.]+) -> ([\d.]+)$", capsys.readouterr().out, re.MULTILINE)
    assert [name for name, _, _ in found] == ["plain", "plugged_in"]
    for _, first, last in found:
        assert float(last) < 0.8 * float(first)


def test_every_parameter_of_the_modules_learns(plug_in_codec: ModuleType) -> None:
    model = plug_in_codec.plugged_in()
    for name, parameter in model.named_parameters():
        if name.endswith("conv5.weight"):  # at zero, it keeps gradients from what comes before it
            torch.nn.init.normal_(parameter, std=0.05)
    plug_in_codec.loss_of(model, torch.rand(2, 3, 64, 64)).backward()
    for part in (model.g_a[0], model.g_a[2], model.g_s[0], model.g_s[2]):
        assert all(p.grad is not None and p.grad.abs().max() > 0 for p in part.parameters())
