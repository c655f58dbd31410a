from __future__ import annotations

import pytest
import torch

from cwic.training.precision import fabric_precision, has_bfloat16


@pytest.mark.parametrize(
    ("avx512", "amx", "accelerator", "gpu", "expected"),
    [
        (False, False, "cpu", False, "32-true"),
        (True, False, "cpu", False, "bf16-mixed"),
        (False, True, "cpu", True, "bf16-mixed"),
        (False, False, "cpu", True, "32-true"),
        (False, False, "auto", False, "32-true"),
        (False, False, "auto", True, "bf16-mixed"),
        (False, False, "cuda", True, "bf16-mixed"),
    ],
)
def test_half_precision_is_for_processors_that_have_it(
    monkeypatch: pytest.MonkeyPatch, avx512: bool, amx: bool, accelerator: str, gpu: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: gpu)
    assert fabric_precision(accelerator) == expected
    assert has_bfloat16("cpu") == (avx512 or amx)
    assert has_bfloat16("cuda")
