from __future__ import annotations

import re
from collections.abc import Callable
from types import ModuleType

import pytest
import torch


@pytest.fixture
def plug_in_codec(load_example: Callable[[str], ModuleType]) -> ModuleType:
    return load_example("plug_in_codec")


def test_the_codec_learns_and_its_modules_with_it(
    plug_in_codec: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    plug_in_codec.main()
    out = capsys.readouterr().out
    learned = re.findall(r"^g_[as]\.\d  (\w+) +([\d,]+) of +([\d,]+) parameters learned$", out, re.MULTILINE)
    assert [name for name, _, _ in learned] == [
        "FeatureEncoding",
        "CrossWindowAttentionModule",
        "CrossWindowAttentionModule",
        "FeatureEncoding",
    ]
    for _, moved, parameters in learned:
        assert int(moved.replace(",", "")) > 0.8 * int(parameters.replace(",", ""))
    (found,) = re.findall(r"^loss ([\d.]+) -> ([\d.]+) in", out, re.MULTILINE)
    assert float(found[1]) < 0.8 * float(found[0])
    assert len(out.splitlines()) == 5  # and no comparison, which so short a training could not make


def test_every_parameter_of_the_modules_learns(plug_in_codec: ModuleType) -> None:
    model = plug_in_codec.plugged_in()
    for name, parameter in model.named_parameters():
        if name.endswith("conv5.weight"):  # at zero, it keeps gradients from what comes before it
            torch.nn.init.normal_(parameter, std=0.05)
    plug_in_codec.loss_of(model, torch.rand(2, 3, 64, 64)).backward()
    for part in (model.g_a[0], model.g_a[2], model.g_s[0], model.g_s[2]):
        assert all(p.grad is not None and p.grad.abs().max() > 0 for p in part.parameters())
