"""Check ICC profiles, and make new ones for colours that a file describes in another way."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_SPACES = {"RGB": b"RGB ", "L": b"GRAY"}
_HEADER = 128
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D65, _C, _DCI = (0.3127, 0.3290), (0.310, 0.316), (0.314, 0.351)
SRGB_PRIMARIES = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
"""As cHRM has them: x and y of white, red, green and blue."""
_PRIMARIES = {
    1: SRGB_PRIMARIES,
    2: SRGB_PRIMARIES,
    4: (*_C, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    8: (*_C, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (*_DCI, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    22: (*_D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
"""Of ITU-T H.273, by its numbers."""
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_BT709_CURVE = (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)
_CURVES: dict[int, tuple[float, ...]] = {
    1: _BT709_CURVE,
    2: _SRGB_CURVE,
    4: (2.2,),
    5: (2.8,),
    6: _BT709_CURVE,
    8: (1.0,),
    13: _SRGB_CURVE,
    14: _BT709_CURVE,
    15: _BT709_CURVE,
}
_USUAL_CURVES = {1, 2, 6, 13, 14, 15}
"""The transfer curves that pictures without a profile are shown with, and their close relatives."""


class Colour(NamedTuple):
    """A colour space: how samples become light.

    primaries   x and y of white, red, green and blue
    curve       the parameters of an ICC parametric curve: an exponent alone, or g, a, b, c, d of
                (a X + b)^g from d on and c X below
    """

    primaries: Sequence[float]
    curve: Sequence[float]


def mismatch(profile: bytes, mode: str) -> str | None:
    """Describe what is wrong with a profile for a picture of mode RGB or L; None if it fits."""
    if len(profile) < _HEADER or profile[36:40] != b"acsp":
        return "no ICC profile"
    if profile[16:20] == _SPACES[mode]:
        return None
    return f"one for {profile[16:20].decode('ascii', 'replace').strip()}, not for {_SPACES[mode].decode().strip()}"


def is_profile(profile: bytes) -> bool:
    """Return whether the bytes begin as an ICC profile."""
    return len(profile) >= _HEADER and profile[36:40] == b"acsp"


def of_gamma(gamma: float | None, primaries: Sequence[float] | None) -> Colour | None:
    """Return the colours in gAMA and cHRM of a PNG; None if close to sRGB. Raises `ValueError` for nonsense."""
    usual = gamma is None or abs(gamma - 1 / 2.2) < 0.005
    if usual and (primaries is None or np.allclose(primaries, SRGB_PRIMARIES, atol=0.002)):
        return None
    if gamma is not None and not 0.01 <= gamma <= 100:
        raise ValueError("a gamma out of range")
    return Colour(primaries or SRGB_PRIMARIES, _SRGB_CURVE if gamma is None else (1 / gamma,))


def of_code_points(primaries: int, transfer: int) -> Colour | None:
    """Return the colours of code points of ITU-T H.273; None if close to sRGB. Raises `ValueError` for unknown ones."""
    if primaries in (1, 2) and transfer in _USUAL_CURVES:
        return None
    if primaries not in _PRIMARIES or transfer not in _CURVES:
        raise ValueError("colours that an ICC profile cannot tell")
    return Colour(_PRIMARIES[primaries], _CURVES[transfer])


def make_profile(colour: Colour, mode: str) -> bytes:
    """An ICC profile, version 4, of a picture of mode RGB or L. Raises `ValueError` for impossible colours."""
    matrix, adaptation = _to_d50(colour.primaries)
    curve = _curve(colour.curve)
    text = _text("as the file said")
    tags = {b"desc": text, b"cprt": _text("none"), b"wtpt": _xyz(_D50), b"chad": _fixed(b"sf32", adaptation.ravel())}
    if mode == "L":
        tags[b"kTRC"] = curve
    else:
        tags |= {name: _xyz(matrix[:, i]) for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)

    table, body = struct.pack(">I", len(tags)), b""
    start = _HEADER + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    size = start + len(body)
    head = struct.pack(">I4xI4s4s4s", size, 0x04300000, b"mntr", _SPACES[mode], b"XYZ ")
    head += struct.pack(">6H4s", 2000, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + _s15f16(_D50)
    return head + bytes(_HEADER - len(head)) + table + body


def _to_d50(primaries: Sequence[float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The primaries as columns, adapted to D50, and the adaptation, both of XYZ."""
    points = np.array(primaries, np.float64)
    if points.shape != (8,) or not (np.isfinite(points).all() and (points[1::2] > 0).all() and (points < 2).all()):
        raise ValueError("impossible colours")
    xyz = np.array([(x / y, 1, (1 - x - y) / y) for x, y in points.reshape(4, 2)]).T
    white, columns = xyz[:, 0], xyz[:, 1:]
    try:
        matrix = columns * np.linalg.solve(columns, white)
    except np.linalg.LinAlgError as error:
        raise ValueError("impossible colours") from error
    cones, cones_d50 = _BRADFORD @ white, _BRADFORD @ _D50
    adaptation = np.linalg.solve(_BRADFORD, np.diag(cones_d50 / cones) @ _BRADFORD)
    adapted = adaptation @ matrix
    if not (np.isfinite(adapted).all() and np.abs(adapted).max() < 8):
        raise ValueError("impossible colours")
    return adapted, adaptation


def _curve(parameters: Sequence[float]) -> bytes:
    kind = 0 if len(parameters) == 1 else 3
    return b"para" + struct.pack(">4xHH", kind, 0) + _s15f16(parameters)


def _xyz(values: Sequence[float] | NDArray[np.float64]) -> bytes:
    return _fixed(b"XYZ ", values)


def _fixed(type: bytes, values: Sequence[float] | NDArray[np.float64]) -> bytes:
    return type + bytes(4) + _s15f16(values)


def _s15f16(values: Sequence[float] | NDArray[np.float64]) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(float(value) * 65536) for value in values))


def _text(text: str) -> bytes:
    data = text.encode("utf-16-be")
    return b"mluc" + struct.pack(">4xII2s2sII", 1, 12, b"en", b"US", len(data), 28) + data
