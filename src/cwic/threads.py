"""The number of threads that cwic uses: one rule for the engines and for the exact path."""

from __future__ import annotations

import os

THREADS_VARIABLE = "CWIC_THREADS"


def thread_count() -> int:
    """`CWIC_THREADS` where that is a positive number, else the processors that this process may run on."""
    asked = os.environ.get(THREADS_VARIABLE, "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
