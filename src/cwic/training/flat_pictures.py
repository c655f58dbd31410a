"""All pictures in one tensor on a device, so that the host never waits while crops are cut."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class FlatPictures:
    """Copies of `pictures` (uint8 `[H, W, 3]`) on `device`, all pixels in one tensor.

    Crops are gathered by index arithmetic: a batch takes some twenty kernels, whatever its size. Random numbers come
    from the generator of the device.
    """

    def __init__(self, pictures: Sequence[Tensor], device: torch.device | str) -> None:
        shapes = [picture.shape[:2] for picture in pictures]
        areas = np.array([height * width for height, width in shapes])
        starts = areas.cumsum() - areas
        self._flat = torch.empty(int(areas.sum()), 3, dtype=torch.uint8, device=device)
        self._starts, self._heights, self._widths = torch.tensor(
            [[start, *shape] for start, shape in zip(starts.tolist(), shapes, strict=True)], device=device
        ).unbind(dim=1)
        self._shares = torch.tensor(areas.cumsum() / areas.sum(), dtype=torch.float64, device=device)
        self.pictures = [
            part.view(*shape, 3) for part, shape in zip(self._flat.split(areas.tolist()), shapes, strict=True)
        ]
        for here, picture in zip(self.pictures, pictures, strict=True):
            here.copy_(picture)

    def crops(self, count: int, size: int) -> Tensor:
        """Return `count` random squares as `cwic.training.data.PictureFolder.crops`, with random flips as there."""
        # In double precision, no product of n and a number below 1 rounds up to n.
        chance = torch.rand(6, count, dtype=torch.float64, device=self._flat.device)
        chosen = torch.searchsorted(self._shares, chance[0], right=True)
        width = self._widths[chosen]
        top = (chance[1] * (self._heights[chosen] - size + 1)).long()
        left = (chance[2] * (width - size + 1)).long()
        ahead = torch.arange(size, device=self._flat.device)
        step = torch.where(chance[3:5, :, None] < 0.5, ahead, size - 1 - ahead)
        rows = (self._starts[chosen] + top * width)[:, None] + step[0] * width[:, None]
        columns = left[:, None] + step[1]
        index = rows[:, :, None] + columns[:, None, :]
        index = torch.where(chance[5, :, None, None] < 0.5, index, index.transpose(1, 2))
        return self._flat[index].permute(0, 3, 1, 2).float() / 255
