"""Tiles: a picture is coded tile by tile, transformed with the surroundings of each, and in parallel."""

from __future__ import annotations
