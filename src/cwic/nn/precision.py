"""Keep parts of a network in single precision while the rest runs in mixed precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def single_precision(device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which autocast is off for `device`. Devices without autocast (`meta`) work too."""
    if torch.amp.is_autocast_available(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()
