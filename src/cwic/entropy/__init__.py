"""Entropy coding: integers <-> bytes, with numpy and constriction."""

from __future__ import annotations

from cwic.entropy.coder import SymbolDecoder, SymbolEncoder
from cwic.entropy.tables import Tables, frequencies_of, gaussian_tables

__all__ = ["SymbolDecoder", "SymbolEncoder", "Tables", "frequencies_of", "gaussian_tables"]
