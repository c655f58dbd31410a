"""The float networks, x to y and y_hat to x_hat, as graphs that an inference engine runs."""

from __future__ import annotations
