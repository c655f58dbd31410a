"""The any-time schedule: warm-up by steps, then constant, then a linear decay over the end of the time budget."""

from __future__ import annotations


def rate_factor(step: int, elapsed: float, budget: float, warmup_steps: int, decay_share: float) -> float:
    """Factor on all learning rates, in [0, 1], at `step` and `elapsed` of `budget` seconds."""
    warmup = min(1.0, (step + 1) / max(1, warmup_steps))
    left = (budget - elapsed) / max(1e-9, budget * decay_share)
    return warmup * min(1.0, max(0.0, left))


def is_decaying(elapsed: float, budget: float, decay_share: float) -> bool:
    """Whether the decay has begun: the undecayed state must have been kept before."""
    return elapsed > budget * (1 - decay_share)
