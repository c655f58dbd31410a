"""The program around: what it has set does not change the codec, and the codec changes nothing of it."""

from __future__ import annotations

import multiprocessing
import random
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cwic

SOURCE = Path(__file__).parents[1] / "src"
y, x = np.mgrid[0:80, 0:110]
PHOTO = np.stack([128 + 90 * np.sin(x / 17), 128 + 80 * np.cos(y / 23), 128 + 70 * np.sin((x + y) / 29)], -1)
PHOTO = PHOTO.astype(np.uint8)


@pytest.fixture(scope="module")
def data() -> bytes:
    return cwic.encode(PHOTO)


def _decoded(data: bytes) -> bytes:
    return cwic.decode(data).tobytes()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_a_forked_child_decodes_after_its_parent_did(data: bytes) -> None:
    expected = _decoded(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python's own, of threads and forks
        with multiprocessing.get_context("fork").Pool(2) as pool:
            found = pool.map_async(_decoded, [data] * 3).get(60)
    # A child may take another engine: pixels are within one level.
    whole = np.frombuffer(expected, np.uint8).astype(int)
    assert all(np.abs(np.frombuffer(each, np.uint8) - whole).max() <= 1 for each in found)


def test_no_random_numbers_are_drawn(data: bytes) -> None:
    random.seed(5)
    np.random.seed(5)
    expected = random.random(), np.random.random()
    random.seed(5)
    np.random.seed(5)
    assert cwic.encode(PHOTO) == data
    cwic.decode(data)
    assert (random.random(), np.random.random()) == expected


def test_nothing_goes_by_numpys_errors_or_by_warnings(data: bytes) -> None:
    expected = _decoded(data)
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cwic.encode(PHOTO) == data
        assert _decoded(data) == expected


def test_nothing_goes_by_what_torch_is_set_to(data: bytes) -> None:
    torch = pytest.importorskip("torch")
    before = torch.get_default_dtype()
    torch.manual_seed(5)
    expected = float(torch.rand(1))
    torch.manual_seed(5)
    try:
        torch.set_default_dtype(torch.float64)
        with torch.autocast("cpu", dtype=torch.bfloat16), torch.device("meta"):
            assert cwic.encode(PHOTO) == data
            cwic.decode(data)
    finally:
        torch.set_default_dtype(before)
    assert float(torch.rand(1)) == expected


def test_without_assertions_errors_are_the_same() -> None:
    script = f"""
import io, sys
sys.path.insert(0, {str(SOURCE)!r})
import numpy as np
from PIL import Image
import cwic, cwic.CwicImagePlugin

def error(work):
    try:
        work()
    except Exception as error:
        return type(error).__name__
    return "none"

def closed():
    with Image.open(io.BytesIO(data)) as image:
        pass
    image.load()

data = cwic.encode(np.zeros((30, 40, 3), np.uint8))
damaged = bytearray(data)
damaged[-6] ^= 1
print(
    error(lambda: cwic.decode(damaged)),
    error(lambda: cwic.decode(data[:-1])),
    error(lambda: cwic.encode(np.zeros((3, 4)))),
    error(lambda: cwic.encode(np.zeros((4, 4), np.uint8), quality=101)),
    error(lambda: Image.open(io.BytesIO(damaged)).verify()),
    error(closed),
)
"""
    run = subprocess.run([sys.executable, "-O", "-c", script], check=True, capture_output=True, text=True)
    assert run.stdout.split() == ["FormatError", "FormatError", "InputError", "ValueError", "OSError", "ValueError"]


def test_an_image_of_the_caller_stays_as_it_was() -> None:
    image = Image.fromarray(PHOTO)
    image.info["exif"] = b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"
    pixels, info = image.tobytes(), dict(image.info)
    cwic.encode(image, strip=True)
    assert (image.tobytes(), image.info) == (pixels, info)
