"""Training pictures: a folder decoded once to uint8 in memory, and random crops of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cwic.errors import InputError
from cwic.image.folder import picture_files, read_picture
from cwic.training.flat_pictures import FlatPictures


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
            except InputError as error:
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
    from cwic.training.shards import ShardStream, shard_files

    if shards := shard_files(folder):
        return ShardStream(shards, smallest, rank, world)
    return PictureFolder(folder, smallest, rank, world, device)


def random_crop(picture: Tensor, size: int, random: np.random.Generator, downscale: float = 1.0) -> Tensor:
    """A square of `picture` (uint8 `[H, W, 3]`, at least `size` a side), flipped and transposed at random.

    It is cut up to `downscale` times as large (log-uniform, as far as the picture goes) and scaled down to `size`. All
    random numbers are drawn on the host and all pixels stay on their device, so that nothing waits for a GPU.
    """
    height, width = picture.shape[:2]
    side = size
    if downscale > 1:
        side = min(round(size * downscale ** random.random()), height, width)
    top, left = random.integers(height - side + 1), random.integers(width - side + 1)
    square = picture[top : top + side, left : left + side]
    if random.integers(2):
        square = square.flip(1)
    if random.integers(2):
        square = square.transpose(0, 1)
    return square if side == size else _scaled(square, size)


def batch(squares: Sequence[Tensor]) -> Tensor:
    """uint8 squares `[S, S, 3]` as float32 `[B, 3, S, S]` in [0, 1], channels-last."""
    return torch.stack(list(squares)).permute(0, 3, 1, 2).float() / 255


def _scaled(square: Tensor, size: int) -> Tensor:
    planes = square.permute(2, 0, 1)[None].float()
    scaled = F.interpolate(planes, (size, size), mode="bicubic", antialias=True, align_corners=False)
    return scaled[0].round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0)
