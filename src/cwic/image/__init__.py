"""Picture files, pixels and metadata; pixels to arrays for the networks and back."""

from __future__ import annotations
