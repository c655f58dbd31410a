"""The precision of training: bfloat16 if the processor multiplies it in hardware, otherwise float32."""

from __future__ import annotations

from typing import Literal

import torch


def has_bfloat16(device: str) -> bool:
    """Return whether products of bfloat16 are fast on a `device` type: on every GPU, on CPUs with AVX512-BF16 or AMX.

    Other CPUs emulate them: on one with AVX2 alone a training step takes ten times as long as in float32.
    """
    if device != "cpu":
        return True
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def fabric_precision(accelerator: str) -> Literal["bf16-mixed", "32-true"]:
    """Return Lightning Fabric's name of the precision to train in, on its `accelerator`: auto, cpu, cuda ..."""
    on_cpu = accelerator == "cpu" or (accelerator == "auto" and not torch.accelerator.is_available())
    return "bf16-mixed" if has_bfloat16("cpu" if on_cpu else accelerator) else "32-true"
