from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from cwic.errors import InputError
from cwic.training import shards
from cwic.training.data import open_pictures
from cwic.training.shards import ShardStream, shard_files, write_shards

pytest.importorskip("webdataset")


@pytest.fixture
def packed(folder: Path, tmp_path: Path) -> Path:
    write_shards(folder, tmp_path / "shards", 1)
    return tmp_path / "shards"


def test_files_are_packed_as_they_are_and_broken_ones_listed(folder: Path, tmp_path: Path) -> None:
    made = write_shards(folder, tmp_path / "out", 1)
    assert (made.shards, made.pictures) == (1, 4)
    assert len(made.skipped) == 1
    assert "broken.png: " in made.skipped[0]
    with tarfile.open(shard_files(tmp_path / "out")[0]) as shard:
        contents = {shard.extractfile(member).read() for member in shard}
    assert contents == {(folder / name).read_bytes() for name in ("a.png", "grey.png", "small.png", "inner/b.png")}
    with pytest.raises(InputError, match="has shards already"):
        write_shards(folder, tmp_path / "out", 1)


def test_crops_come_from_shards_as_from_a_folder(packed: Path) -> None:
    stream = open_pictures(packed, 64, 0, 1, "cpu")
    assert isinstance(stream, ShardStream)
    assert (len(stream), stream.too_small, stream.skipped) == (3, 1, [])
    for _ in range(5):  # more pictures pass through the pool than the set has
        crops = stream.crops(6, 64, np.random.default_rng(0))
        assert crops.shape == (6, 3, 64, 64)
        assert crops.dtype == torch.float32
        assert 0 <= crops.min() < crops.max() <= 1
    assert len(stream) == 3


def test_a_pool_that_is_full_is_not_filled_further(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "POOL_PIXELS", 1)
    assert len(ShardStream(shard_files(packed), 64)) == 1


def test_broken_pictures_inside_are_listed_once(folder: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "shard-000000.tar", "w") as shard:
        for name in ("a.png", "broken.png"):
            shard.add(folder / name, f"{name.split('.')[0]}.png")
    stream = ShardStream(shard_files(tmp_path), 64)
    for _ in range(3):
        stream.crops(8, 64, np.random.default_rng(0))
    assert len(stream.skipped) == 1
    assert "broken: " in stream.skipped[0]


def test_sets_that_cannot_work_are_refused(packed: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 shards are too few for 2 processes"):
        ShardStream(shard_files(packed), 64, rank=1, world=2)
    with pytest.raises(InputError, match="at least 1000 pixels"):
        ShardStream(shard_files(packed), 1000)
    (tmp_path / "shard-000000.tar").write_bytes(b"no tar" * 200)
    with pytest.raises(InputError, match="shards"):
        ShardStream(shard_files(tmp_path), 64)
