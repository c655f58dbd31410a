"""The share of the cores that each process of a run takes.

It imports no numpy: a process that starts with `share_cores` has its share before numpy counts the cores.
"""

from __future__ import annotations

import os

from cwic.threads import THREADS_VARIABLE, thread_count

BLAS_VARIABLE = "OPENBLAS_NUM_THREADS"


def threads_each(jobs: int) -> int:
    """The threads of one of that many processes side by side."""
    return max(1, thread_count() // jobs)


def share_cores(threads: int) -> None:
    """This process takes that many threads: cwic by its own variable, numpy's products of matrices by theirs."""
    os.environ[THREADS_VARIABLE] = os.environ[BLAS_VARIABLE] = str(threads)
