"""Importing this module registers the Pillow plugin; `cwic.plugin` describes it."""

from __future__ import annotations

from cwic.plugin import register

register()
