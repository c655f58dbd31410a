"""Fixtures of the building blocks' tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import Tensor


class Golden:
    """Weights and feature maps recorded from the published network, at width 16."""

    def __init__(self, path: Path) -> None:
        self._recorded = torch.load(path, weights_only=True)

    def __getitem__(self, name: str) -> Tensor:
        return self._recorded[name]

    def weights(self, prefix: str) -> dict[str, Tensor]:
        """The state of the module at `prefix`, without what is recomputed, by the names inside it."""
        return {
            name.removeprefix(prefix).replace("conv_b.0.attn.", "conv_b.0."): tensor
            for name, tensor in self._recorded["state_dict"].items()
            if name.startswith(prefix) and not name.endswith("relative_position_index")
        }


@pytest.fixture(scope="session")
def golden() -> Golden:
    """What the published network computes; skips where the data folder is not at hand."""
    path = Path(os.environ.get("CWIC_DATA", "")).parent / "golden" / "official_n16.pt"
    if not os.environ.get("CWIC_DATA") or not path.is_file():
        pytest.skip("the recorded outputs of the published network are not here")
    return Golden(path)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)
