from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
import torch

EXAMPLE = Path(__file__).parents[2] / "examples" / "plug_in.py"


@pytest.fixture
def plug_in() -> ModuleType:
    spec = importlib.util.spec_from_file_location("plug_in", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_classifier_learns(plug_in: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    plug_in.main()
    found = re.search(r"right on (\d+)% of 512", capsys.readouterr().out)
    assert found is not None
    assert int(found[1]) > 80


@pytest.mark.parametrize("size", [(32, 32), (17, 50)])
def test_it_takes_pictures_of_any_size(plug_in: ModuleType, size: tuple[int, int]) -> None:
    assert plug_in.classifier(classes=7)(torch.rand(2, 1, *size)).shape == (2, 7)
