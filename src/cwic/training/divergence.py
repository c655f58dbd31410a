"""Divergence: the error of a run whose loss or weights are not finite any more, so that further steps are useless."""

from __future__ import annotations

from pathlib import Path

from cwic.errors import CwicError

PATIENCE = 10
"""The number of steps in a row without finite gradients that ends a run. A single such step is skipped and harmless."""


class DivergedError(CwicError):
    """The loss or the weights of a run are not finite any more."""


def diverged(step: int, last_good: Path) -> DivergedError:
    """Return the error for a run that diverged after `step` steps.

    Args:
        step: the number of steps.
        last_good: the path of the last checkpoint of the run, which may not exist.
    """
    left = f"the state before is {last_good}" if last_good.exists() else "no state of it was kept"
    return DivergedError(
        f"the run has diverged: after {step} steps its loss or its weights are not finite any more; {left}. Lower the "
        "learning rates or clip_norm of the recipe"
    )
