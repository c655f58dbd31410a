from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cwic.container import Chunk, Header, Limits, read_container, write_container
from cwic.container import chunks as chunks_module
from cwic.container.salvage import Run, salvage
from cwic.errors import FormatError, LimitError

HEADER = Header(b"fake", 600, 500, "RGB", 500, tile_code=1)  # 5 x 4 tiles
PLAIN_TILE = 6
TILES = [bytes([k]) * (k + 40) for k in range(20)]
TILE_CHUNKS = [Chunk("P" if k == PLAIN_TILE else "T", tile) for k, tile in enumerate(TILES)]
FILE = write_container(HEADER, [Chunk("e", b"exif"), Chunk("x", b"xmp"), *TILE_CHUNKS])
OFFSETS = [chunk.offset for chunk in read_container(FILE).chunks]


def flipped(*positions: int) -> bytes:
    data = bytearray(FILE)
    for position in positions:
        data[position] ^= 0x41
    return bytes(data)


def without(runs: list[Run]) -> set[int]:
    """The tiles that are lost, when every run is at its first place."""
    known = {run.first + k: tile for run in runs for k, tile in enumerate(run.tiles) if tile and not tile.is_cut}
    for index, tile in known.items():
        assert (tile.type, tile.payload) == ("P" if index == PLAIN_TILE else "T", TILES[index])
    return set(range(20)) - known.keys()


def test_an_intact_file_is_one_run() -> None:
    found = salvage(FILE)
    assert found.header == HEADER
    assert [chunk.type for chunk in found.chunks] == ["e", "x"]
    assert [(run.first, run.last_first) for run in found.runs] == [(0, 0)]
    assert without(found.runs) == set()
    assert found.lost == []


def test_damaged_payloads_cost_their_tiles() -> None:
    found = salvage(flipped(OFFSETS[5] + 9, OFFSETS[6] + 9, OFFSETS[21] + 9))
    assert len(found.runs) == 1
    assert without(found.runs) == {3, 4, 19}


@pytest.mark.parametrize("into_head", [0, 1])
def test_a_damaged_head_costs_its_tile(into_head: int) -> None:
    found = salvage(flipped(OFFSETS[7] + into_head))
    assert without(found.runs) == {5}


def test_between_two_gaps_the_place_of_a_tile_is_open() -> None:
    found = salvage(flipped(OFFSETS[5], OFFSETS[6], OFFSETS[12]))
    assert without(found.runs[:1] + found.runs[2:]) == {*range(3, 11)}
    first, between, last = found.runs
    assert (first.first, first.last_first) == (0, 0)
    assert (last.first, last.last_first) == (11, 11)
    assert [tile and tile.payload for tile in between.tiles] == TILES[5:10]
    assert between.first <= 5 <= between.last_first


def test_what_is_cut_off_is_lost() -> None:
    found = salvage(FILE[: OFFSETS[15] + 3])
    assert without(found.runs) == {*range(13, 20)}


@pytest.mark.parametrize("missing", [1, 4, 5, 50])
def test_of_a_tile_that_is_cut_short_the_start_is_kept(missing: int) -> None:
    found = salvage(FILE[: OFFSETS[16] - missing])  # tile 13 has 53 bytes, and 4 of checksum
    (run,) = found.runs
    assert (run.first, run.last_first, len(run.tiles)) == (0, 0, 14)
    cut = run.tiles[13]
    assert cut is not None
    assert cut.is_cut
    assert cut.payload == TILES[13][: 57 - missing]
    assert without(found.runs) == {*range(13, 20)}


def test_the_only_tile_may_be_cut_short() -> None:
    data = write_container(Header(b"fake", 60, 50, "RGB", 500), [Chunk("T", TILES[9])])
    assert salvage(data[:-10]).runs == [Run(0, 0, [Chunk("T", TILES[9][:-6], 12, is_cut=True)])]
    for size in (12, 13):
        with pytest.raises(FormatError, match="nothing can be recovered"):
            salvage(data[:size])


def test_a_cut_tile_behind_a_gap_follows_the_tile_before_it() -> None:
    found = salvage(flipped(OFFSETS[5], OFFSETS[6])[: OFFSETS[13] - 20])
    last = found.runs[-1]
    assert last.tiles[-1] == Chunk("T", TILES[10][:-16], OFFSETS[12], is_cut=True)
    assert [tile and tile.payload for tile in last.tiles[:-1]] == TILES[5:10]
    assert last.first <= 5 <= last.last_first <= 20 - len(last.tiles)


def test_a_tile_is_cut_short_only_at_the_end_of_the_file() -> None:
    longer = FILE[: OFFSETS[10] + 1] + b"\xff\x7f" + FILE[OFFSETS[10] + 2 :]  # intact tiles follow
    assert not any(tile and tile.is_cut for run in salvage(longer).runs for tile in run.tiles)
    plain = salvage(FILE[: OFFSETS[9] - 20])  # in the plain tile
    assert not any(tile and tile.is_cut for run in plain.runs for tile in run.tiles)


def test_metadata_are_lost_by_name() -> None:
    found = salvage(flipped(OFFSETS[0] + 3))
    assert (found.lost, [chunk.type for chunk in found.chunks]) == (["EXIF"], ["x"])
    assert without(found.runs) == set()
    assert without(salvage(flipped(OFFSETS[1] + 1)).runs) == set()


def test_bytes_that_were_put_in_or_left_out_cost_one_tile() -> None:
    middle = OFFSETS[10] + 20
    assert without(salvage(FILE[:middle] + b"TTTT noise TTTT" + FILE[middle:]).runs) == {8}
    assert without(salvage(FILE[:middle] + FILE[middle + 5 :]).runs) == {8}


def test_nothing_to_recover() -> None:
    for data in (b"", b"no cwic file", flipped(8), FILE[:16]):
        with pytest.raises(FormatError):
            salvage(data)
    with pytest.raises(LimitError):
        salvage(FILE, Limits(max_pixels=1000))


def test_a_newer_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(chunks_module.CHUNK_NAMES, "Q", "future")
    data = write_container(HEADER, [Chunk("Q", b""), *(Chunk("T", tile) for tile in TILES)])
    monkeypatch.undo()
    with pytest.raises(FormatError, match="needs a newer cwic"):
        salvage(data)


@given(st.lists(st.tuples(st.integers(14, len(FILE) - 1), st.integers(1, 255)), max_size=6), st.integers(0, 400))
def test_any_damage_leaves_only_true_tiles(flips: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(FILE)
    for position, flip in flips:
        data[position] ^= flip
    try:
        found = salvage(bytes(data[: len(data) - cut]))
    except FormatError:
        return
    kept = [tile.payload for run in found.runs for tile in run.tiles if tile and not tile.is_cut]
    assert kept == [tile for tile in TILES if tile in kept]
    cut = [(run, k) for run in found.runs for k, tile in enumerate(run.tiles) if tile and tile.is_cut]
    assert all((run, k) == (found.runs[-1], len(run.tiles) - 1) for run, k in cut)
    for run in found.runs:
        assert 0 <= run.first <= run.last_first <= 20 - len(run.tiles)
