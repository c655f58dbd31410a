"""A picture tile by tile: what is coded alone, what is transformed with its surroundings, and what runs in parallel."""

from __future__ import annotations
