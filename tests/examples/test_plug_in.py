from __future__ import annotations

import re
from collections.abc import Callable
from types import ModuleType

import pytest
import torch


@pytest.fixture
def plug_in(load_example: Callable[[str], ModuleType]) -> ModuleType:
    return load_example("plug_in")


def test_the_classifier_learns(plug_in: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    plug_in.main()
    found = re.search(r"right on (\d+)% of 512", capsys.readouterr().out)
    assert found is not None
    assert int(found[1]) > 80


@pytest.mark.parametrize("size", [(32, 32), (17, 50)])
def test_it_takes_pictures_of_any_size(plug_in: ModuleType, size: tuple[int, int]) -> None:
    assert plug_in.classifier(classes=7)(torch.rand(2, 1, *size)).shape == (2, 7)
