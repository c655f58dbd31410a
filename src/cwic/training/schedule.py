"""The any-time schedule: warm-up by steps, then constant, then a linear decay over the end of the run."""

from __future__ import annotations


def share_done(step: int, elapsed: float, steps: int, budget: float) -> float:
    """How much of a run is over, in [0, 1]: by its `steps`, or by its `budget` in seconds where `steps` is 0."""
    if steps:
        return min(1.0, step / steps)
    return min(1.0, elapsed / budget) if budget else 1.0


def rate_factor(step: int, done: float, warmup_steps: int, decay_share: float) -> float:
    """Factor on all learning rates, in [0, 1], at `step`, when `done` of the run is over."""
    warmup = min(1.0, (step + 1) / max(1, warmup_steps))
    left = (1 - done) / max(1e-9, decay_share)
    return warmup * min(1.0, max(0.0, left))


def is_decaying(done: float, decay_share: float) -> bool:
    """Whether the decay has begun: the undecayed state must have been kept before."""
    return done > 1 - decay_share
