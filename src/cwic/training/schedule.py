"""The any-time schedule: warm-up by steps, then constant, then a linear decay over the end of the run."""

from __future__ import annotations


def share_done(step: int, elapsed: float, steps: int, budget: float) -> float:
    """Return the share of a run that is over, in [0, 1]: by `steps`, or by `budget` in seconds if `steps` is 0."""
    if steps:
        return min(1.0, step / steps)
    return min(1.0, elapsed / budget) if budget else 1.0


def rate_factor(step: int, done: float, warmup_steps: int, decay_share: float) -> float:
    """Return the factor on all learning rates, in [0, 1].

    Args:
        step: the steps so far.
        done: the share of the run that is over, in [0, 1].
        warmup_steps: the number of steps over which the rates rise.
        decay_share: the share of the run, at its end, over which the rates fall to zero.
    """
    warmup = min(1.0, (step + 1) / max(1, warmup_steps))
    left = (1 - done) / max(1e-9, decay_share)
    return warmup * min(1.0, max(0.0, left))


def is_decaying(done: float, decay_share: float) -> bool:
    """Return whether the decay has begun. The undecayed state must be saved before."""
    return done > 1 - decay_share
