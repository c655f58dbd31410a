from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from cwic.errors import InputError
from cwic.image.metadata import upright
from cwic.image.picture import as_picture
from cwic.image.refusals import refuse_unsupported


def _reopened(image: Image.Image, format: str, **options: object) -> Image.Image:
    file = BytesIO()
    image.save(file, format, **options)
    return Image.open(BytesIO(file.getvalue()))


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_animations_are_refused_however_they_come(format: str) -> None:
    frames = [Image.new("RGB", (16, 16), level) for level in ("red", "blue")]
    for ready in (False, True):
        image = _reopened(frames[0], format, save_all=True, append_images=frames[1:])
        if ready:
            image.load()
        for way in (refuse_unsupported, as_picture, upright):
            with pytest.raises(InputError, match="2 frames"):
                way(image)


@pytest.mark.parametrize("mode", ["La", "RGBa", "YCbCr", "HSV", "RGBX"])
def test_the_advice_works(mode: str) -> None:
    image = Image.new("RGB", (3, 2)).convert({"La": "LA", "RGBa": "RGBA"}.get(mode, "RGB")).convert(mode)
    with pytest.raises(InputError, match=r"image\.convert") as raised:
        refuse_unsupported(image)
    picture = as_picture(image.convert(str(raised.value).split('"')[1]))
    assert (picture.alpha is not None) == mode.endswith("a")


def test_a_file_that_cannot_be_counted_is_refused() -> None:
    class Odd:
        format = "ODD"
        mode = "RGB"

        @property
        def n_frames(self) -> int:
            raise RuntimeError("odd")

    with pytest.raises(InputError, match="damaged: odd"):
        refuse_unsupported(Odd())  # type: ignore[arg-type]


def test_the_preview_of_a_raw_photograph_is_not_taken_for_it() -> None:
    for kind, refused in ((1, True), (0, False)):
        file = BytesIO()
        Image.new("RGB", (8, 8)).save(file, "TIFF", tiffinfo={254: kind, 330: 8})
        image = Image.open(file)
        if refused:
            with pytest.raises(InputError, match="is the preview of a raw photograph: develop that first"):
                refuse_unsupported(image)
        else:
            refuse_unsupported(image)


def test_a_mode_that_the_file_invents_is_shown_as_such() -> None:
    file = BytesIO()
    Image.new("L", (8, 8)).save(file, "IM")
    data = file.getvalue().replace(b"Greyscale image", b"Gr\x1b[1mcale image")
    with pytest.raises(InputError, match=r"^picture is damaged: there is no mode 'Gr\\x1b\[1mcale image'$"):
        refuse_unsupported(Image.open(BytesIO(data)))
