"""The laboratory: the networks as they train, in torch, and their export to what the codec runs.

Nothing outside the laboratory (`cwic.lab`, `cwic.nn` and `cwic.training`) imports it, or torch.
"""

from __future__ import annotations
