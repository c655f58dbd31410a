"""Merge similar distributions, so that they share a probability table (docs/format.md, section 5.1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def merge_tables(rows: NDArray[np.float64], most: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Merge distributions greedily until at most `most` remain.

    Each step merges the pair whose union costs the fewest additional bits. Several distributions are replaced by their
    mean, which codes them shortest.

    Args:
        rows: distributions `[n, k]`, positive.
        most: how many may remain.

    Returns:
        The distributions that remain, and for each of `rows` the index of its own.
    """
    means, sizes = rows / rows.sum(axis=1, keepdims=True), np.ones(len(rows))
    members = [[i] for i in range(len(rows))]
    cost = np.array([_union_costs(means, sizes, i) for i in range(len(rows))]) if len(rows) > most else np.zeros((0, 0))
    while len(members) > most:
        a, b = sorted(divmod(int(np.argmin(cost)), len(cost)))
        means[a] = (sizes[a] * means[a] + sizes[b] * means[b]) / (sizes[a] + sizes[b])
        sizes[a] += sizes[b]
        members[a] += members.pop(b)
        means, sizes = np.delete(means, b, axis=0), np.delete(sizes, b)
        cost = np.delete(np.delete(cost, b, axis=0), b, axis=1)
        cost[a] = cost[:, a] = _union_costs(means, sizes, a)
    choice = np.empty(len(rows), np.int64)
    for index, group in enumerate(members):
        choice[group] = index
    return means, choice


def _union_costs(means: NDArray[np.float64], sizes: NDArray[np.float64], i: int) -> NDArray[np.float64]:
    """Additional bits of coding row i and each other row by their common mean; infinite for i itself."""
    total = sizes + sizes[i]
    union = (sizes[:, None] * means + sizes[i] * means[i]) / total[:, None]
    costs: NDArray[np.float64] = total * _entropy(union) - sizes * _entropy(means) - sizes[i] * _entropy(means[i])
    costs[i] = np.inf
    return costs


def _entropy(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    bits: NDArray[np.float64] = -np.sum(rows * np.log2(rows), axis=-1)
    return bits
