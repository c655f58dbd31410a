"""Files of one machine, read on another: they must decode to the same latents.

    python benchmarks/machines.py write PICTURES FOLDER    on one: encodes every picture of a folder
    python benchmarks/machines.py read FOLDER              on another: compares

`write` makes a file of each picture at each of three qualities, and latents.json with the SHA-256 of what each decodes
to there. `read` decodes the files and ends with exit code 1 if any differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cwic
from cwic.container import TILE, Container, read_container, unpack_tile
from cwic.errors import CwicError, ModelError
from cwic.image.folder import picture_files
from cwic.models import catalog
from cwic.threads import thread_count
from cwic.tiling.grid import Tiles

QUALITIES = (20, 50, 80)
LATENTS = "latents.json"


def latents_hash(container: Container) -> str:
    """SHA-256 of the decoded latents of a file's tiles, one after the other, as little-endian int64."""
    header = container.header
    name = catalog.name_of(header.model_id)
    if name is None:
        raise ModelError(f"no model at hand has the id {header.model_id.hex()}")
    model = cwic.open_model(name)
    digest = hashlib.sha256()
    columns, rows = header.tile_grid
    for index, chunk in enumerate(container.chunks[-columns * rows :]):
        if chunk.type == TILE:
            crc, coded = unpack_tile(chunk.payload)
            box = Tiles.of(header).box(index)
            y_hat = model.decompress(coded, crc, box.height, box.width, header.level, index)
            digest.update(y_hat.astype("<i8").tobytes())
    return digest.hexdigest()


def write(pictures: Path, folder: Path, model: str) -> int:
    """Encode, and note what the files decode to here."""
    folder.mkdir(parents=True, exist_ok=True)

    def one(picture: Path) -> dict[str, str]:
        found = {}
        for quality in QUALITIES:
            data = cwic.encode(picture, quality=quality, model=model, strip=True)
            name = f"{'-'.join(picture.relative_to(pictures).parts)}-{quality}.cwic"
            (folder / name).write_bytes(data)
            found[name] = latents_hash(read_container(data))
        return found

    with ThreadPoolExecutor(thread_count()) as pool:
        hashes = {name: digest for found in pool.map(one, picture_files(pictures)) for name, digest in found.items()}
    (folder / LATENTS).write_text(json.dumps(hashes, indent=1) + "\n")
    print(f"{len(hashes)} files written")
    return 0


def read(folder: Path) -> int:
    """Decode, and compare with what was noted."""
    hashes = json.loads((folder / LATENTS).read_text())

    def same(name: str) -> bool:
        try:
            return latents_hash(read_container((folder / name).read_bytes())) == hashes[name]
        except CwicError as error:  # other symbols than were written do not fit the checksum
            print(f"{name}: {error}", file=sys.stderr)
            return False

    with ThreadPoolExecutor(thread_count()) as pool:
        differing = [name for name, equal in zip(hashes, pool.map(same, hashes), strict=True) if not equal]
    print(f"{len(hashes)} files, {len(hashes) - len(differing)} with the same latents", *differing, sep="\n")
    return 1 if differing or not hashes else 0


def main() -> int:
    """Run one of both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    writing = commands.add_parser("write")
    writing.add_argument("pictures", type=Path)
    writing.add_argument("folder", type=Path)
    writing.add_argument("--model", default=catalog.DEFAULT)
    commands.add_parser("read").add_argument("folder", type=Path)
    options = parser.parse_args()
    if options.command == "write":
        return write(options.pictures, options.folder, options.model)
    return read(options.folder)


if __name__ == "__main__":
    sys.exit(main())
