"""Training pictures: a folder decoded once to uint8 in memory, or shards that are read as needed."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from cwic.errors import InputError
from cwic.image.folder import picture_files, read_picture
from cwic.training.crops import batch, random_crop
from cwic.training.flat_pictures import FlatPictures
from cwic.training.shards import ShardStream, shard_files


class Pictures(Protocol):
    """A set of pictures that crops are drawn from.

    Attributes:
        skipped: the files that could not be read, with the reasons.
        too_small: the number of pictures that are too small for a crop.
    """

    skipped: list[str]
    too_small: int

    def __len__(self) -> int: ...

    def crops(self, count: int, size: int, random: np.random.Generator, downscale: float = 1.0) -> Tensor:
        """Return `count` random squares as `random_crop` makes them: float32 `[count, 3, size, size]` in [0, 1]."""
        ...


class PictureFolder:
    """The pictures under `folder` at least `smallest` pixels on both sides, as uint8 `[H, W, 3]` on `device`.

    Each process of a group keeps every `world`-th file. Unreadable files are listed in `skipped`, and smaller pictures
    are counted in `too_small`. On a GPU all pixels lie in one tensor (`FlatPictures`).

    Raises:
        InputError: no picture is left.
    """

    def __init__(self, folder: Path, smallest: int, rank: int = 0, world: int = 1, device: str = "cpu") -> None:
        self.pictures: list[Tensor] = []
        self.skipped: list[str] = []
        self.too_small = 0
        for file in picture_files(folder)[rank::world]:
            try:
                pixels = read_picture(file).rgb
            except Exception as error:  # readers of formats raise nearly anything
                self.skipped.append(f"{file}: {error}")
                continue
            if min(pixels.shape[:2]) >= smallest:
                self.pictures.append(torch.from_numpy(np.array(pixels)))
            else:
                self.too_small += 1
        if not self.pictures:
            raise InputError(f"no usable picture of at least {smallest} pixels a side under {folder}")
        areas = np.array([p.shape[0] * p.shape[1] for p in self.pictures], dtype=np.float64)
        self._shares = areas / areas.sum()
        self._flat = None if device == "cpu" else FlatPictures(self.pictures, device)
        if self._flat is not None:
            self.pictures = self._flat.pictures

    def __len__(self) -> int:
        return len(self.pictures)

    def crops(self, count: int, size: int, random: np.random.Generator, downscale: float = 1.0) -> Tensor:
        """Return `count` random squares on the device of the pictures: float32 `[count, 3, size, size]` in [0, 1].

        Every pixel of the set is about equally likely. On a GPU, without `downscale`, the GPU draws the random numbers
        and `random` is not used.
        """
        if self._flat is not None and downscale == 1:
            return self._flat.crops(count, size)
        chosen = random.choice(len(self.pictures), count, p=self._shares)
        return batch([random_crop(self.pictures[i], size, random, downscale) for i in chosen])


def open_pictures(folder: Path, smallest: int, rank: int, world: int, device: str) -> Pictures:
    """Open the pictures of a folder: shards, read as needed, or picture files, all kept in memory.

    Args:
        folder: the folder.
        smallest: the smallest side, in pixels, of a picture that is used.
        rank: the number of this process in its group.
        world: the number of processes in the group.
        device: the device that keeps picture files.

    Raises:
        InputError: there is no usable picture, or too few shards.
    """
    if shards := shard_files(folder):
        return ShardStream(shards, smallest, rank, world)
    return PictureFolder(folder, smallest, rank, world, device)
