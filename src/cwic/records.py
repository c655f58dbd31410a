"""Write records as JSON that every program reads: ASCII, without NaN, infinities or invalid letters."""

from __future__ import annotations

import json
import math
from typing import Any


def to_json(record: Any, indent: int | None = None) -> str:
    r"""A record as JSON text. NaN and infinities become null, and bytes of file names that are no text `\x` and digits,
    as messages show them: Python holds them as halves of letters, which JSON's readers refuse.
    """
    return json.dumps(_valid(record), indent=indent, allow_nan=False)


def _valid(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return {_valid(key): _valid(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_valid(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _text(text: str) -> str:
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # halves that stand for no byte
        return text.encode("utf-8", "backslashreplace").decode()
