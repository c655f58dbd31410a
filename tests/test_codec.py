"""The codec as users meet it, with the weights in the package."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cwic
from cwic.codec import level_of
from cwic.container import TILE, Chunk, Header, Limits, pack_tile, read_container, unpack_tile, write_container
from cwic.errors import FormatError, InputError, LimitError, ModelError, TargetError

COFFEE = Path(__file__).parents[1] / "examples" / "coffee.png"


@pytest.fixture(scope="module")
def photograph() -> Image.Image:
    with Image.open(COFFEE) as image:
        return image.convert("RGB")


def psnr(a: Image.Image, b: Image.Image) -> float:
    difference = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    return float(10 * np.log10(255**2 / np.mean(difference**2)))


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (17, 1000), (1000, 17), (64, 64), (769, 513)])
def test_every_size_comes_back_as_it_was(photograph: Image.Image, size: tuple[int, int], mode: str) -> None:
    image = photograph.resize(size, Image.Resampling.BICUBIC).convert(mode)
    data = cwic.encode(image, quality=70)
    decoded = cwic.decode(data)
    assert (decoded.size, decoded.mode) == (size, mode)
    assert psnr(image, decoded) > 18
    info = cwic.read_info(data)
    assert (info.width, info.height, info.mode, info.quality, info.model) == (*size, mode, 70, "cwic-s-eye")


def test_more_quality_is_more_bytes_and_a_better_picture(photograph: Image.Image) -> None:
    image = photograph.crop((100, 80, 356, 336))
    files = [cwic.encode(image, quality=quality) for quality in (0, 25, 50, 75, 100)]
    assert all(len(a) < len(b) for a, b in pairwise(files))
    fidelity = [psnr(image, cwic.decode(file)) for file in files]
    assert all(a < b for a, b in pairwise(fidelity))
    assert len(files[0]) < 256 * 256 / 8
    assert fidelity[-1] > 30


def test_encoding_is_repeatable_and_arrays_are_pictures(photograph: Image.Image) -> None:
    image = photograph.crop((0, 0, 100, 70))
    data = cwic.encode(image, quality=33.3)
    assert cwic.encode(np.asarray(image), quality=33.3) == data
    assert cwic.decode(data).tobytes() == cwic.decode(data).tobytes()


def test_the_container_costs_at_most_24_bytes(photograph: Image.Image) -> None:
    data = cwic.encode(photograph.crop((0, 0, 500, 300)))
    _, coded = unpack_tile(read_container(data).chunks[-1].payload)
    assert 0 < len(data) - len(coded) <= 24


@pytest.mark.parametrize("quality", [-0.1, 100.1, float("nan"), float("inf")])
def test_quality_has_its_range(photograph: Image.Image, quality: float) -> None:
    with pytest.raises(ValueError, match="quality must be between 0 and 100"):
        cwic.encode(photograph, quality=quality)


def test_quality_is_kept_in_tenths() -> None:
    assert [level_of("cwic-s", quality) for quality in (0, 0.1, 33.34, 50, 99.96, 100)] == [0, 1, 333, 500, 1000, 1000]


def test_unknown_models_and_pictures_are_refused(photograph: Image.Image) -> None:
    with pytest.raises(ModelError, match="unknown model 'cwic-z'"):
        cwic.encode(photograph, model="cwic-z")
    with pytest.raises(InputError):
        cwic.encode(photograph.convert("CMYK"))
    with pytest.raises(LimitError):
        cwic.encode(photograph, limits=Limits(max_pixels=1000))


def _with_header(data: bytes, **changed: object) -> bytes:
    """The file with another header, and checksums that match it."""
    header, chunks = read_container(data)
    fields = {name: getattr(header, name) for name in ("model_id", "width", "height", "mode", "level")} | changed
    return write_container(Header(**fields), chunks)


@pytest.fixture(scope="module")
def small(photograph: Image.Image) -> bytes:
    """A small file."""
    return cwic.encode(photograph.crop((200, 100, 300, 180)))


def test_a_file_of_another_model_is_refused_by_name(small: bytes) -> None:
    with pytest.raises(ModelError, match=b"none".hex()):
        cwic.decode(_with_header(small, model_id=b"none"))


@pytest.mark.parametrize("changed", [{"width": 200}, {"height": 300}, {"level": 200}])
def test_a_header_that_lies_is_found_by_the_symbols(small: bytes, changed: dict[str, int]) -> None:
    with pytest.raises(FormatError):
        cwic.decode(_with_header(small, **changed))


def test_limits_are_checked_before_memory_is_taken(small: bytes) -> None:
    with pytest.raises(LimitError):
        cwic.decode(_with_header(small, width=1 << 19, height=1 << 19))
    with pytest.raises(LimitError):
        cwic.decode(small, limits=Limits(max_pixels=100))


def test_damage_is_found_everywhere(small: bytes) -> None:
    for position in [*range(30), *range(30, len(small), 97), len(small) - 1]:
        damaged = bytearray(small)
        damaged[position] ^= 0x04
        with pytest.raises((FormatError, ModelError)):
            cwic.decode(bytes(damaged))
    for size in (0, 3, 10, 20, len(small) // 2, len(small) - 1):
        with pytest.raises(FormatError):
            cwic.decode(small[:size])


def test_damage_that_the_containers_checksum_misses_is_found_too(small: bytes) -> None:
    header, chunks = read_container(small)
    crc, coded = unpack_tile(chunks[-1].payload)
    for position in (0, len(coded) // 2, len(coded) - 6):
        damaged = bytearray(coded)
        damaged[position] ^= 0x40
        with pytest.raises(FormatError):
            cwic.decode(write_container(header, [Chunk(TILE, pack_tile(crc, bytes(damaged)))]))
    with pytest.raises(FormatError):
        cwic.decode(write_container(header, [Chunk(TILE, pack_tile(crc, b""))]))


def test_metadata_does_not_disturb_the_picture(small: bytes) -> None:
    header, chunks = read_container(small)
    longer = write_container(header, [Chunk("e", b"Exif"), Chunk("q", b"unknown"), *chunks])
    assert cwic.decode(longer).tobytes() == cwic.decode(small).tobytes()


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("size", [(1, 1), (65, 3), (100, 130), (64, 64)])
def test_a_model_of_the_published_family_codes_every_size(
    photograph: Image.Image, cwam2024_weights: Path, size: tuple[int, int], mode: str
) -> None:
    image = photograph.resize(size, Image.Resampling.BICUBIC).convert(mode)
    data = cwic.encode(image, model=str(cwam2024_weights))
    decoded = cwic.decode(data, model=str(cwam2024_weights))
    assert (decoded.size, decoded.mode) == (size, mode)
    assert (cwic.read_info(data).quality, cwic.read_info(data).model) == (0, None)


def test_a_file_of_ones_own_model_needs_it(
    photograph: Image.Image, cwam2024_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = photograph.crop((0, 0, 64, 64))
    data = cwic.encode(image, model=str(cwam2024_weights))
    with pytest.raises(ModelError, match="which is not here: name its weight file, or update cwic"):
        cwic.decode(data)
    with pytest.raises(ModelError, match=r"was written with model .*, not with cwic-s \("):
        cwic.decode(data, model="cwic-s")
    with pytest.raises(ModelError, match="is missing"):
        cwic.decode(data, model="none.safetensors")

    expected = cwic.decode(data, model=str(cwam2024_weights))
    monkeypatch.setenv("CWIC_MODELS", str(cwam2024_weights.parent))
    assert cwic.read_info(data).model == cwam2024_weights.stem
    assert cwic.decode(data).tobytes() == expected.tobytes()
    assert cwic.encode(image, model=cwam2024_weights.stem) == data


def test_a_model_of_one_rate_takes_no_quality(photograph: Image.Image, cwam2024_weights: Path) -> None:
    for wish in ({"quality": 50}, {"target_bytes": 5000}):
        with pytest.raises(ValueError, match="has one rate: leave quality and target out"):
            cwic.encode(photograph, model=str(cwam2024_weights), **wish)


def test_tiles_of_a_model_of_one_rate_join(photograph: Image.Image, cwam2024_weights: Path) -> None:
    model = str(cwam2024_weights)
    image = photograph.crop((0, 0, 200, 150))
    tiled = cwic.encode(image, model=model, tile=128)
    assert cwic.read_info(tiled).tiles == (2, 2)
    whole = cwic.decode(cwic.encode(image, model=model), model=model)
    assert abs(psnr(image, cwic.decode(tiled, model=model)) - psnr(image, whole)) < 0.1
    assert cwic.decode(tiled, model=model, crop=(150, 130, 9, 7)).size == (9, 7)
    assert cwic.recover(tiled, model=model).lost == []


@pytest.fixture(scope="module")
def tiled(photograph: Image.Image) -> bytes:
    """A file of 3 x 2 tiles, those below of a few rows."""
    return cwic.encode(photograph.crop((0, 0, 600, 260)), tile=256)


def test_tiles_join_to_the_picture_that_one_tile_gives(photograph: Image.Image, tiled: bytes) -> None:
    image = photograph.crop((0, 0, 600, 260))
    assert cwic.read_info(tiled).tiles == (3, 2)
    whole = cwic.decode(cwic.encode(image))
    assert abs(psnr(image, cwic.decode(tiled)) - psnr(image, whole)) < 0.1
    assert cwic.decode(tiled, jobs=4).tobytes() == cwic.decode(tiled).tobytes()
    assert cwic.encode(image, tile=256, jobs=4) == tiled


def test_a_part_is_decoded_from_the_tiles_that_it_needs(tiled: bytes) -> None:
    whole = np.asarray(cwic.decode(tiled), int)
    chunks = read_container(tiled).chunks
    damaged = bytearray(tiled)
    damaged[chunks[5].offset + 9] ^= 1
    for data in (tiled, bytes(damaged)):
        part = cwic.decode(data, crop=(20, 30, 40, 50))
        assert np.abs(np.asarray(part, int) - whole[30:80, 20:60]).max() <= 1
    with pytest.raises(FormatError, match=r"damaged: tile \(column 2, row 1\): its checksum"):
        cwic.decode(bytes(damaged), crop=(520, 230, 10, 10))
    with pytest.raises(FormatError, match=r"damaged: tile \(column 2, row 1\)$"):
        cwic.decode(bytes(damaged), crop=(550, 257, 5, 2))
    with pytest.raises(InputError, match="not inside the picture of 600x260"):
        cwic.decode(tiled, crop=(550, 150, 100, 10))


def test_a_damaged_tile_is_reported_and_the_others_recovered(tiled: bytes) -> None:
    whole = cwic.decode(tiled)
    assert cwic.recover(tiled) == (whole, [])
    damaged = bytearray(tiled)
    damaged[read_container(tiled).chunks[2].offset + 30] ^= 1
    with pytest.raises(FormatError, match=r"^damaged: tile \(column 2, row 0\)$"):
        cwic.decode(bytes(damaged))
    image, lost = cwic.recover(bytes(damaged))
    assert lost == ["tile (column 2, row 0), x 512 to 599, y 0 to 255: its bytes are damaged or missing"]
    pixels = np.asarray(image)
    assert (pixels[:256, 512:] == 128).all()
    np.testing.assert_array_equal(pixels[150:, :100], np.asarray(whole)[150:, :100])
    with pytest.raises(FormatError, match="nothing can be recovered"):
        cwic.recover(tiled[:60])


def cut(data: bytes, part: float) -> bytes:
    """The file without the end of its last chunk: of the payload, so large a part is left."""
    last = read_container(data).chunks[-1]
    return data[: len(data) - 4 - round((1 - part) * len(last.payload))]


@pytest.mark.parametrize("quality", [30, 80])
def test_of_a_picture_of_one_tile_more_is_shown_the_more_is_there(photograph: Image.Image, quality: float) -> None:
    image = photograph.crop((100, 60, 356, 252))
    data = cwic.encode(image, quality=quality, model="cwic-s")
    found = [cwic.recover(cut(data, part)) for part in (0.15, 0.45, 0.7, 0.9)]
    fidelity = [psnr(image, each.image) for each in found]
    assert all(a + 0.5 < b for a, b in pairwise([*fidelity, psnr(image, cwic.decode(data))]))
    assert fidelity[0] > psnr(image, Image.new("RGB", image.size, (128, 128, 128))) + 3
    place = "tile (column 0, row 0), x 0 to 255, y 0 to 191"
    assert [each.lost for each in found] == [
        [f"{place}: cut short; shown as a blur, before the first of 4 passes ends"],
        *([f"{place}: cut short; shown from {passes} of 4 passes"] for passes in (1, 2, 3)),
    ]
    with pytest.raises(FormatError, match="cut short"):
        cwic.decode(cut(data, 0.9))


def test_a_cut_that_costs_no_symbol_costs_nothing(photograph: Image.Image) -> None:
    image = photograph.crop((100, 60, 228, 188))
    data = cwic.encode(image)
    longer = bytearray(data)
    longer[read_container(data).chunks[0].offset + 2] ^= 8  # a damaged length
    for broken in (data[:-1], data[:-4], bytes(longer)):
        found, lost = cwic.recover(broken)
        assert found == cwic.decode(data)
        assert lost == [
            "tile (column 0, row 0), x 0 to 127, y 0 to 127: its end is damaged or missing; all of it is shown"
        ]


def test_a_cut_in_the_header_or_before_the_first_pass_leaves_nothing(photograph: Image.Image) -> None:
    data = cwic.encode(photograph.crop((100, 60, 228, 188)))
    start = read_container(data).chunks[0].offset
    for size in (0, 3, start - 1, start, start + 1, start + 2, start + 4, start + 12, start + 24):
        with pytest.raises(FormatError):
            cwic.recover(data[:size])
    flipped = bytearray(data)
    flipped[-20] ^= 1  # nothing says where the damage is, so nothing is shown
    with pytest.raises(FormatError, match="nothing can be recovered"):
        cwic.recover(bytes(flipped))


def test_of_a_file_of_tiles_that_is_cut_short_the_last_one_is_shown_in_part(tiled: bytes) -> None:
    whole = np.asarray(cwic.decode(tiled))
    third, fourth = (chunk.offset for chunk in read_container(tiled).chunks[2:4])
    image, lost = cwic.recover(tiled[: third + (fourth - third) * 7 // 10])
    missing = "its bytes are damaged or missing"
    assert lost == [
        "tile (column 2, row 0), x 512 to 599, y 0 to 255: cut short; shown from 2 of 4 passes",
        f"tile (column 0, row 1), x 0 to 255, y 256 to 259: {missing}",
        f"tile (column 1, row 1), x 256 to 511, y 256 to 259: {missing}",
        f"tile (column 2, row 1), x 512 to 599, y 256 to 259: {missing}",
    ]
    pixels = np.asarray(image)
    assert (pixels[256:] == 128).all()
    np.testing.assert_array_equal(pixels[:200, :400], whole[:200, :400])
    error = np.square(pixels[:256, 512:].astype(float) - whole[:256, 512:]).mean()
    assert 0 < error < np.square(128.0 - whole[:256, 512:]).mean() / 4


def test_of_a_robust_file_most_outlasts_damage(photograph: Image.Image) -> None:
    image = photograph.crop((0, 0, 384, 256))
    data = cwic.encode(image, robust=True)
    assert cwic.read_info(data).tiles == (3, 2)
    assert len(data) < 1.1 * len(cwic.encode(image))
    damaged = bytearray(data)
    damaged[len(data) // 2] ^= 1
    found, lost = cwic.recover(damaged)
    assert len(lost) == 1
    same = (np.asarray(found) == np.asarray(cwic.decode(data))).all(axis=2)
    assert same.mean() > 0.7
    with pytest.raises(ValueError, match="leave one of robust and tile out"):
        cwic.encode(image, robust=True, tile=128)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_kept_without_loss(photograph: Image.Image, mode: str) -> None:
    image = photograph.crop((0, 0, 150, 100)).convert(mode)
    alpha = Image.linear_gradient("L").resize((150, 100))
    image.putalpha(alpha)
    data = cwic.encode(image, tile=128)
    decoded = cwic.decode(data)
    assert decoded.mode == mode
    assert decoded.getchannel("A").tobytes() == alpha.tobytes()
    assert cwic.decode(data, crop=(10, 20, 30, 40)).getchannel("A") == alpha.crop((10, 20, 40, 60))
    damaged = bytearray(data)
    damaged[read_container(data).chunks[0].offset + 9] ^= 1
    image, lost = cwic.recover(bytes(damaged))
    assert lost == ["alpha", "alpha: the picture is opaque"]
    assert image.getchannel("A").getextrema() == (255, 255)


def test_metadata_come_back_byte_for_byte(photograph: Image.Image) -> None:
    image = photograph.crop((0, 0, 60, 40))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.info |= {"icc_profile": b"profile", "exif": exif.tobytes(), "xmp": b"<x/>"}
    decoded = cwic.decode(cwic.encode(image))
    assert decoded.info == {"icc_profile": b"profile", "exif": exif.tobytes(), "xmp": b"<x/>"}
    assert decoded.size == (60, 40)
    stripped = cwic.decode(cwic.encode(image, strip=True))
    assert (stripped.info, stripped.size) == ({}, (40, 60))
    other = cwic.decode(cwic.encode(image, metadata=cwic.Metadata(xmp=b"<y/>")))
    assert other.info == {"xmp": b"<y/>"}
    with pytest.raises(LimitError, match="max_metadata_bytes"):
        cwic.encode(image, limits=Limits(max_metadata_bytes=10))


def test_targets(photograph: Image.Image) -> None:
    image = photograph.crop((0, 0, 128, 128))
    within = cwic.encode(image, target_bytes=1500)
    assert 1500 - 60 < len(within) <= 1500
    assert cwic.encode(image, target_bpp=8 * 1500 / 128**2) == within
    reached = cwic.encode(image, target_psnr=33)
    assert 33 <= psnr(image, cwic.decode(reached)) < 33.1
    with pytest.raises(TargetError, match=r"10 bytes are out of reach: this picture takes \d+ to \d+ bytes"):
        cwic.encode(image, target_bytes=10)
    with pytest.raises(TargetError, match=r"90\.00 dB is out of reach"):
        cwic.encode(image, target_psnr=90)
    with pytest.raises(ValueError, match="not several"):
        cwic.encode(image, quality=3, target_bytes=100)


@pytest.mark.parametrize("tile", [0, 64, 100, 1 << 22])
def test_tiles_have_their_sizes(photograph: Image.Image, tile: int) -> None:
    with pytest.raises(ValueError, match="tiles have 128, 256"):
        cwic.encode(photograph, tile=tile)


def test_one_tile_of_any_size_takes_bounded_memory(small: bytes) -> None:
    with pytest.raises(LimitError, match="max_tile_pixels"):
        cwic.decode(_with_header(small, width=5000, height=5000))


def test_noise_is_kept_plain() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 300, 3), np.uint8)
    data = cwic.encode(noise, quality=90, tile=128)
    assert [chunk.type for chunk in read_container(data).chunks] == ["P"] * 3
    assert psnr(Image.fromarray(noise), cwic.decode(data)) > 30
    assert len(data) < 1.1 * noise.size


def test_a_memory_map_is_read_tile_by_tile(tmp_path: Path, photograph: Image.Image) -> None:
    pixels = np.asarray(photograph.crop((0, 0, 200, 140)))
    (tmp_path / "raw").write_bytes(pixels.tobytes())
    mapped = np.memmap(tmp_path / "raw", np.uint8, "r", shape=pixels.shape)
    assert cwic.encode(mapped, tile=128) == cwic.encode(pixels, tile=128)
