"""What stays in single precision when a network runs in mixed precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def single_precision(device: torch.device) -> AbstractContextManager[object]:
    """A context in which autocast is off for `device`, also where there is no autocast (`meta`)."""
    if torch.amp.is_autocast_available(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()
