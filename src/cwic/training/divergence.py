"""When a run has gone wrong for good: its loss or its weights are not finite, and further steps teach nothing."""

from __future__ import annotations

from pathlib import Path

from cwic.errors import CwicError

PATIENCE = 10
"""So many steps in a row without finite gradients end a run. One now and then is skipped, and does no harm."""


class DivergedError(CwicError):
    """The loss or the weights of a run are not finite any more."""


def diverged(step: int, last_good: Path) -> DivergedError:
    """What to raise after `step` steps; `last_good` is where the run's last checkpoint is, if there is one."""
    left = f"the state before is {last_good}" if last_good.exists() else "no state of it was kept"
    return DivergedError(
        f"the run has diverged: after {step} steps its loss or its weights are not finite any more; {left}. Lower the "
        "learning rates or clip_norm of the recipe"
    )
