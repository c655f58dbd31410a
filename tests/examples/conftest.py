"""Fixtures of the examples' tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def load_example(load_script: Callable[[Path], ModuleType]) -> Callable[[str], ModuleType]:
    """An example, by its name without the suffix, as a module."""
    return lambda name: load_script(EXAMPLES / f"{name}.py")
