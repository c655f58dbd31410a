from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from cwic.image.profile import SRGB_PRIMARIES, Colour, is_profile, make_profile, mismatch, of_code_points, of_gamma

ADOBE = (0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _to_srgb(profile: bytes, colour: tuple[int, ...]) -> tuple[int, ...]:
    image = Image.new("RGB" if len(colour) == 3 else "L", (1, 1), colour if len(colour) == 3 else colour[0])
    source = ImageCms.ImageCmsProfile(BytesIO(profile))
    turned = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert turned is not None
    return tuple(int(v) for v in np.asarray(turned)[0, 0])


def test_linear_light_is_lightened() -> None:
    linear = of_gamma(1.0, None)
    assert linear is not None
    assert _to_srgb(make_profile(linear, "RGB"), (55, 55, 55)) == pytest.approx((128, 128, 128), abs=2)
    assert _to_srgb(make_profile(linear, "L"), (55,)) == pytest.approx((128, 128, 128), abs=2)


def test_wide_primaries_are_told_as_adobe_tells_them() -> None:
    wide = of_gamma(0.45455, ADOBE)
    assert wide is not None
    assert _to_srgb(make_profile(wide, "RGB"), (160, 120, 90)) == pytest.approx((174, 120, 87), abs=3)


def test_a_made_srgb_is_that_of_others() -> None:
    curve = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    made = make_profile(Colour(SRGB_PRIMARIES, curve), "RGB")
    for colour in ((10, 200, 90), (255, 0, 128), (3, 3, 3)):
        assert _to_srgb(made, colour) == pytest.approx(colour, abs=1)


def test_what_is_as_good_as_srgb_needs_no_profile() -> None:
    for gamma, primaries in ((None, None), (0.45455, None), (0.45455, SRGB_PRIMARIES), (None, SRGB_PRIMARIES)):
        assert of_gamma(gamma, primaries) is None
    for points in ((1, 13), (1, 1), (2, 2)):
        assert of_code_points(*points) is None
    assert of_code_points(12, 13) is not None
    assert of_code_points(1, 8) is not None


def test_impossible_colours_are_an_error() -> None:
    for gamma in (0.0, -1.0, 1e9):
        with pytest.raises(ValueError, match="gamma"):
            of_gamma(gamma, None)
    for points in ((9, 16), (9, 18), (0, 13), (12, 99)):
        with pytest.raises(ValueError, match="cannot tell"):
            of_code_points(*points)
    for primaries in ((0.3,) * 3, (0.0,) * 8, (0.3,) * 8, (float("nan"),) * 8, (1e9,) * 8):
        with pytest.raises(ValueError, match="impossible"):
            make_profile(Colour(primaries, (1.0,)), "RGB")


def test_profiles_of_other_colours_are_named() -> None:
    assert mismatch(SRGB, "RGB") is None
    assert mismatch(SRGB, "L") == "one for RGB, not for GRAY"
    assert mismatch(SRGB[:16] + b"CMYK" + SRGB[20:], "RGB") == "one for CMYK, not for RGB"
    assert mismatch(make_profile(Colour(SRGB_PRIMARIES, (1.0,)), "L"), "L") is None
    assert mismatch(b"p", "RGB") == "no ICC profile"
    assert is_profile(SRGB)
    assert not is_profile(bytes(200))
