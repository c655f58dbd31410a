"""Files and pixels, and the way from pixels to tensors and back."""

from __future__ import annotations
