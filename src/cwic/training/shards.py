"""WebDataset shards for sets of pictures larger than memory: shards are read in sequence and mixed in a pool."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cwic.errors import InputError
from cwic.extras import require
from cwic.image.files import open_image, read_bytes
from cwic.image.folder import SUFFIXES, picture_files
from cwic.image.picture import as_picture
from cwic.training.crops import batch, random_crop

PATTERN = "shard-*.tar"
POOL_PIXELS = 200_000_000
"""The number of pixels in the pool: 600 MB."""
READ_AHEAD = 16
"""The number of pictures that the reading thread decodes ahead."""
CROPS_A_PICTURE = 4
"""The number of crops that are taken for each picture that leaves the pool."""


class Sharding(NamedTuple):
    """The result of `write_shards`: the numbers of shards and pictures, and the unreadable files with the reasons."""

    shards: int
    pictures: int
    skipped: list[str]


def shard_files(folder: Path) -> list[Path]:
    """Return the shards in `folder`, sorted; an empty list if there are none."""
    return sorted(folder.glob(PATTERN))


def write_shards(folder: Path, output: Path, megabytes: int) -> Sharding:
    """Pack picture files into shards, in random order.

    Files are copied as they are. Those that cannot be decoded are left out and listed.

    Args:
        folder: the folder of the pictures.
        output: the folder of the shards, which is made.
        megabytes: the approximate size of a shard.

    Raises:
        InputError: there is no picture, or `output` has shards already.
    """
    writer = require("webdataset", "train").ShardWriter
    files = picture_files(folder)
    output.mkdir(parents=True, exist_ok=True)
    if shard_files(output):
        raise InputError(f"{output} has shards already")
    skipped: list[str] = []
    with writer(f"{output}/{PATTERN.replace('*', '%06d')}", maxsize=megabytes * 1e6, verbose=0) as shards:
        for number in np.random.default_rng(0).permutation(len(files)):
            file = files[number]
            try:
                data = read_bytes(file)
                as_picture(open_image(data))
            except Exception as error:  # readers of formats raise nearly anything
                skipped.append(f"{file}: {error}")
                continue
            shards.write({"__key__": f"{number:08d}", file.suffix[1:].lower(): data})
    return Sharding(len(shard_files(output)), len(files) - len(skipped), skipped)


class ShardStream:
    """Random crops of the pictures in `shards`, by the interface of `cwic.training.data.Pictures`.

    A thread reads the shards over and over, in a new order each time, into a pool from which crops are drawn. So no run
    is quite like another. Each process of a group reads every `world`-th shard.

    Raises:
        InputError: no shard is left for a process, or a whole reading finds no picture of at least `smallest` pixels a
            side.
    """

    def __init__(self, shards: Sequence[Path], smallest: int, rank: int = 0, world: int = 1) -> None:
        self._open = require("webdataset", "train").WebDataset
        self._shards = list(shards)[rank::world]
        if not self._shards:
            raise InputError(f"{len(shards)} shards are too few for {world} processes")
        self.skipped: list[str] = []
        self.too_small = 0
        self._smallest = smallest
        self._owed = 0
        # None marks the end of a reading of all shards.
        self._queue: queue.Queue[Tensor | InputError | None] = queue.Queue(READ_AHEAD)
        threading.Thread(target=self._read, args=(np.random.default_rng(rank),), daemon=True).start()
        self._pool = list(self._first())

    def __len__(self) -> int:
        return len(self._pool)

    def crops(self, count: int, size: int, random: np.random.Generator, downscale: float = 1.0) -> Tensor:
        """Return `count` random squares: float32 `[count, 3, size, size]` in [0, 1]."""
        areas = np.array([p.shape[0] * p.shape[1] for p in self._pool], dtype=np.float64)
        chosen = random.choice(len(self._pool), count, p=areas / areas.sum())
        squares = [random_crop(self._pool[i], size, random, downscale) for i in chosen]
        self._owed += count
        while self._owed >= CROPS_A_PICTURE:
            self._owed -= CROPS_A_PICTURE
            while (picture := self._next()) is None:
                pass
            self._pool[random.integers(len(self._pool))] = picture
        return batch(squares)

    def _first(self) -> Iterator[Tensor]:
        """Yield pictures to fill the pool, at most those of one reading."""
        pixels = 0
        while pixels < POOL_PIXELS and (picture := self._next()) is not None:
            pixels += picture.shape[0] * picture.shape[1]
            yield picture

    def _next(self) -> Tensor | None:
        found = self._queue.get()
        if isinstance(found, InputError):
            raise found
        return found

    def _read(self, random: np.random.Generator) -> None:
        try:
            first = True
            while True:
                found = 0
                for shard in random.permutation(len(self._shards)):
                    for picture in self._pictures(self._shards[shard], first):
                        self._queue.put(picture)
                        found += 1
                if not found:
                    raise InputError(f"no usable picture of at least {self._smallest} pixels a side in the shards")
                self._queue.put(None)
                first = False
        except Exception as error:  # of any kind: the thread that draws crops raises it
            self._queue.put(InputError(f"cannot read the shards: {error}"))

    def _pictures(self, shard: Path, first: bool) -> Iterator[Tensor]:
        """Yield the usable pictures of a shard. On the `first` reading, the others are listed or counted."""
        # Every process has its own shards, so each of them is read whole.
        for entry in self._open(str(shard), shardshuffle=False, nodesplitter=iter):
            data = next(value for key, value in entry.items() if f".{key}" in SUFFIXES)
            try:
                pixels = as_picture(open_image(data)).rgb
            except Exception as error:  # readers of formats raise nearly anything
                if first:
                    self.skipped.append(f"{shard}: {entry['__key__']}: {error}")
                continue
            if min(pixels.shape[:2]) >= self._smallest:
                yield torch.from_numpy(np.array(pixels))
            elif first:
                self.too_small += 1
