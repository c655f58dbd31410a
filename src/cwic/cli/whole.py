"""Check that an output of an earlier run is whole, so that `--skip-existing` may leave it as it is."""

from __future__ import annotations

from pathlib import Path

from cwic.cli.job import shown
from cwic.container.index import read_container
from cwic.container.limits import Limits
from cwic.errors import FormatError, InputError, LimitError, NewerFormatError, OutputExistsError
from cwic.image.files import read_bytes


def is_whole_file(path: Path, limits: Limits) -> bool:
    """Return whether the file is a cwic file and all its checksums are right.

    Raises InputError if it cannot be read, LimitError if it is over the limits, and NewerFormatError if a newer cwic
    wrote it.
    """
    try:
        read_container(read_bytes(path), limits)
    except (NewerFormatError, LimitError):
        raise
    except FormatError:
        return False
    return True


def is_whole_picture(path: Path, size: tuple[int, int]) -> bool:
    """Return whether the file is a picture of that width and height, upright or turned, and can be read completely.

    Raises OutputExistsError if it is whole and of another size: then it is another picture. Raises InputError if it
    cannot be read, and LimitError if it has more pixels than Pillow's limit.
    """
    from PIL import Image

    from cwic.image.guard import errors_as_ours

    with errors_as_ours("cannot read the file"), path.open("rb"):
        pass
    try:
        # First Pillow's plugins run their own checks (PNG: every checksum); then all pixels are loaded.
        with errors_as_ours("damaged"), Image.open(path) as image:
            image.verify()
        with errors_as_ours("damaged"), Image.open(path) as image:
            image.load()
            found = image.size
    except InputError:
        return False
    if sorted(found) != sorted(size):
        raise OutputExistsError(
            f"output {shown(path)} is another picture, {found[0]}x{found[1]}, not {size[0]}x{size[1]}: -f replaces it"
        )
    return True
