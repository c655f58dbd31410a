"""Models: the catalogue, the families as they code, and weight files."""
