"""Measure what changed in results/, and write the tables and the figure that are made from it. For `make results`.

With CWIC_DATA set to a folder that holds kodak/ and val/, `cwic eval` measures every codec on both; rows whose codec,
settings, versions, model and picture are unchanged are not measured again. Then, with or without it, the README, the
model cards and the curves are written anew from what results/ holds.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from cwic.errors import CwicError
from cwic.evaluation.bd import bd, read_curve
from cwic.evaluation.codecs.registry import PEERS
from cwic.evaluation.plot import draw, read_line
from cwic.evaluation.summary_file import read_summary
from cwic.evaluation.table import markdown
from cwic.image.files import write_atomically
from cwic.models.catalog import shipped

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
SETS = ("kodak", "val")
MODELS = tuple(shipped())
CURVES = RESULTS / "kodak" / "rd.svg"
# Dearer rates than anybody uses would press the curves together.
CURVES_MAX_BPP = 2.0
CURVES_OF = (
    *(f"kodak/{name}" for name in (*MODELS, "jpeg", "jpeg2000", "webp", "jpegxl", "heic-psnr", "avif-psnr")),
    *(f"kodak/published/{name}" for name in ("bpg", "vtm", "cwam2024")),
)
CARD_SECTION = """## Rate and distortion on Kodak

Means over the 24 pictures, real file bytes, PSNR on 8-bit RGB (`docs/test-conditions.md`):

<!-- rd-points: written by make results -->
<!-- end of rd-points -->

BD-rate (Akima; negative means fewer bits than the other codec):

<!-- bd-rates: written by make results -->
<!-- end of bd-rates -->
"""


class Peer(NamedTuple):
    """A row of the BD-rate table: what to call a summary, relative to a set's folder."""

    summary: str
    name: str


AGAINST = (
    Peer("jpeg", "JPEG (4:2:0)"),
    Peer("jpeg2000", "JPEG 2000"),
    Peer("webp", "WebP (method 6)"),
    Peer("jpegxl", "JPEG XL (effort 7)"),
    Peer("heic", "HEIC (x265, 4:2:0, for the eye)"),
    Peer("heic-psnr", "HEIC (x265, 4:4:4, for PSNR)"),
    Peer("avif", "AVIF (speed 6, 4:2:0, for the eye)"),
    Peer("avif-psnr", "AVIF (speed 6, 4:4:4, for PSNR)"),
    Peer("published/bpg", "BPG (published curve)"),
    Peer("published/av1", "AV1, slowest (published curve)"),
    Peer("published/cwam2024", "the CWAM paper (published curve)"),
    Peer("published/vtm", "VTM, reference VVC (published curve)"),
)


def bd_table(model: str) -> str:
    """BD-rates of a model against everything else, and of a variant against the first model, in Markdown."""
    head = ["against", "Kodak, same PSNR", "over", "Kodak, same MS-SSIM", "val, same PSNR"]
    rows = []
    first = () if model == MODELS[0] else (Peer(MODELS[0], MODELS[0]),)
    for peer in (*first, *AGAINST):
        percent, over = _bd("kodak", peer, model, "psnr")
        by_ms_ssim, _ = _bd("kodak", peer, model, "ms-ssim")
        on_val, _ = _bd("val", peer, model, "psnr")
        rows.append([peer.name, percent, over, by_ms_ssim, on_val])
    return markdown(head, rows)


def rd_table(model: str) -> str:
    """Rate and distortion of a model at each quality, in Markdown."""
    summary = read_summary(RESULTS / "kodak" / f"{model}.json")
    results = summary["results"]
    columns = (summary["meta"]["quality"], results["bpp"], results["psnr-rgb"], results["ms-ssim-rgb"])
    rows = [[f"{q:g}", f"{b:.3f}", f"{p:.2f}", f"{m:.4f}"] for q, b, p, m in zip(*columns, strict=True)]
    return markdown(["quality", "bpp", "PSNR, dB", "MS-SSIM"], rows)


def curves() -> bytes:
    """The rate-distortion curves on Kodak as SVG."""
    lines = [read_line(RESULTS / f"{name}.json") for name in CURVES_OF]
    return draw(lines, ".svg", title="Kodak, means over the 24 pictures", max_bpp=CURVES_MAX_BPP)


def with_block(text: str, name: str, content: str) -> str:
    """The text with the content between the two comments that mark the block. Raises ValueError: no such block."""
    pattern = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"no block <!-- {name}: ... --> to write into")
    return pattern.sub(lambda found: f"{found[1]}{content}\n{found[2]}", text)


def with_section(card: str) -> str:
    """A model card with the blocks for its figures, which a card straight from `cwic export` lacks."""
    return card if "<!-- rd-points: " in card else f"{card.rstrip()}\n\n{CARD_SECTION}"


def documents() -> dict[Path, str]:
    """The documents that quote results, as they should be."""
    readme = ROOT / "README.md"
    texts = {readme: with_block(readme.read_text("utf-8"), "bd-rates", bd_table(MODELS[0]))}
    for model in MODELS:
        card = ROOT / "src" / "cwic" / "weights" / f"{model}.md"
        text = with_block(with_section(card.read_text("utf-8")), "rd-points", rd_table(model))
        texts[card] = with_block(text, "bd-rates", bd_table(model))
    return texts


def measure(data: Path) -> int:
    """Bring results/ up to date. Returns the exit code of `cwic eval`, the highest of them."""
    codecs = [part for name in (*MODELS, *PEERS) for part in ("-c", name)]
    command = [sys.executable, "-c", "from cwic.cli import main; main()", "eval"]
    return max(
        subprocess.run([*command, str(data / name), *codecs, "-o", str(RESULTS / name), "-f"], check=False).returncode
        for name in SETS
    )


def main() -> int:
    """Do it all. Returns an exit code."""
    data = os.environ.get("CWIC_DATA")
    if not data:
        print("CWIC_DATA is not set: nothing is measured", file=sys.stderr)
    code = measure(Path(data)) if data else 0
    try:
        for path, text in documents().items():
            write_atomically(path, text.encode(), force=True)
        write_atomically(CURVES, curves(), force=True)
    except (CwicError, ValueError) as error:
        print(f"make results: {error}", file=sys.stderr)
        return 1
    return code


def _bd(name: str, peer: Peer, model: str, metric: str) -> tuple[str, str]:
    """BD-rate and its range; dashes where a curve is not there."""
    folder = RESULTS / name
    try:
        reference, test = (read_curve(folder / f"{summary}.json", metric) for summary in (peer.summary, model))
        found = bd(reference, test)
    except CwicError:
        return "–", "–"
    return f"{found.rate_percent:+.1f} %", f"{found.low_db:.1f}–{found.high_db:.1f} dB"


if __name__ == "__main__":
    sys.exit(main())
