"""The laboratory: the networks in torch, for training, and their export to the graphs and integers of the codec.

Nothing outside the laboratory (`cwic.lab`, `cwic.nn` and `cwic.training`) imports it, or torch.
"""

from __future__ import annotations
