"""Training pictures: a folder decoded once to uint8 in memory, and random crops of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cwic.errors import InputError
from cwic.image.folder import picture_files, read_picture


class PictureFolder:
    """The pictures under `folder` at least `smallest` pixels on both sides, as uint8 `[H, W, 3]` in memory.

    A process of a group keeps every `world`-th file. Unreadable files are listed in `skipped`,
    smaller pictures counted in `too_small`.
    """

    def __init__(self, folder: Path, smallest: int, rank: int = 0, world: int = 1) -> None:
        self.pictures: list[np.ndarray] = []
        self.skipped: list[str] = []
        self.too_small = 0
        for file in picture_files(folder)[rank::world]:
            try:
                pixels = read_picture(file).rgb
            except InputError as error:
                self.skipped.append(f"{file}: {error}")
                continue
            if min(pixels.shape[:2]) >= smallest:
                self.pictures.append(pixels)
            else:
                self.too_small += 1
        if not self.pictures:
            raise InputError(f"no usable picture of at least {smallest} pixels a side under {folder}")
        areas = np.array([p.shape[0] * p.shape[1] for p in self.pictures], dtype=np.float64)
        self._shares = areas / areas.sum()

    def crops(self, count: int, size: int, random: np.random.Generator) -> Tensor:
        """`count` random squares, flipped and transposed at random: float32 `[count, 3, size, size]` in [0, 1].

        Every pixel of the set is about equally likely.
        """
        chosen = random.choice(len(self.pictures), count, p=self._shares)
        squares = []
        for picture in (self.pictures[i] for i in chosen):
            top = random.integers(picture.shape[0] - size + 1)
            left = random.integers(picture.shape[1] - size + 1)
            square = picture[top : top + size, left : left + size]
            if random.integers(2):
                square = square[:, ::-1]
            if random.integers(2):
                square = square.transpose(1, 0, 2)
            squares.append(square)
        batch = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2)
        return batch.contiguous(memory_format=torch.channels_last).float() / 255
