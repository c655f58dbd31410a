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
    """What crops are drawn from. `skipped` lists what could not be read, `too_small` counts what was left out."""

    skipped: list[str]
    too_small: int

    def __len__(self) -> int: ...

    def crops(self, count: int, size: int, random: np.random.Generator, downscale: float = 1.0) -> Tensor:
        """`count` random squares, as `random_crop` makes them: float32 `[count, 3, size, size]` in [0, 1]."""
        ...


class PictureFolder:
    """The pictures under `folder` at least `smallest` pixels on both sides, as uint8 `[H, W, 3]` on `device`.

    A process of a group keeps every `world`-th file. Unreadable files are listed in `skipped`, smaller pictures
    counted in `too_small`. Raises `InputError` if none is left. On a GPU all pixels lie in one tensor (`FlatPictures`).
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
        """`count` random squares on the pictures' device: float32 `[count, 3, size, size]` in [0, 1].

        Every pixel of the set is about equally likely. On a GPU, without `downscale`, it draws the numbers itself.
        """
        if self._flat is not None and downscale == 1:
            return self._flat.crops(count, size)
        chosen = random.choice(len(self.pictures), count, p=self._shares)
        return batch([random_crop(self.pictures[i], size, random, downscale) for i in chosen])


def open_pictures(folder: Path, smallest: int, rank: int, world: int, device: str) -> Pictures:
    """What lies in `folder`: shards, read as needed, or pictures, all kept on `device`. Raises `InputError`."""
    if shards := shard_files(folder):
        return ShardStream(shards, smallest, rank, world)
    return PictureFolder(folder, smallest, rank, world, device)
