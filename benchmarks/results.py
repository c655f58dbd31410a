"""Measure what changed in results/, and write the tables and the figure that are made from it. For `make results`.

With CWIC_DATA set to a folder that holds kodak/, clic/ and val/, `cwic eval` measures every codec on each; rows whose
codec, settings, versions, model and picture are unchanged are not measured again. Then, with or without it, the README,
docs/results.md, the model cards and the curves are written anew from what results/ holds.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from cwic.errors import CwicError
from cwic.evaluation.bd import Curve, bd, read_curve
from cwic.evaluation.codecs.registry import PEERS, open_codec
from cwic.evaluation.plot import draw, read_line
from cwic.evaluation.summary import read_summary
from cwic.evaluation.table import markdown
from cwic.image.files import write_atomically
from cwic.models.catalog import shipped

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
MODELS = tuple(shipped())
MISSING = "–"
SMALL, STARTS, WAYS = "768x512", ("loaded", "command"), ("encode", "decode")
NOT_MEASURED = "Not measured yet."
BESIDE = ("cwic-s", "cwic-m")
"""The models for PSNR that the tables compare."""


class PictureSet(NamedTuple):
    """A set of pictures: its name, and at how many of a codec's own qualities it is measured; 0: at all of them."""

    name: str
    points: int = 0


SETS = {"kodak": PictureSet("Kodak"), "clic": PictureSet("CLIC-30", 8), "val": PictureSet("val")}
LEFT_OUT = {"clic": ("cwic-s-ms-ssim",)}
"""Codecs that a set is not measured with, to save hours."""
FEWER = {("clic", "cwic-m-eye"): (15.0, 45.0, 70.0, 85.0)}
"""Sets and codecs that are measured at these qualities alone, to save hours."""
EFFORTS: dict[str, tuple[float, ...]] = {"cwic-s@7": (10, 20, 30, 40, 50, 60, 70, 80)}
EFFORTS |= dict.fromkeys(("cwic-s@9", "cwic-m@7"), (20, 40, 60, 80))
"""Models with other efforts than the default, and their qualities on Kodak."""
FOR_THE_EYE = (*MODELS, "jpeg", "webp", "jpegxl", "heic", "avif")
"""Codecs that are compared by SSIMULACRA 2 too, on Kodak and CLIC-30: not those that are tuned to PSNR."""
EYE_SETS = ("kodak", "clic")
EYE = ["--ssimulacra2"]
EYE_RANGE = (30.0, 85.0)
"""Points of SSIMULACRA 2 that people's pictures have, from a low quality to one that hides its losses."""


class Chart(NamedTuple):
    """Curves in one figure. Dearer rates than anybody uses would press them together: the axis ends at `max_bpp`."""

    title: str
    max_bpp: float
    lines: tuple[str, ...]


DRAWN = tuple(model for model in MODELS if model != "cwic-s-ms-ssim")
"""The models with a curve: one that is trained for MS-SSIM tells nothing in PSNR."""
MEASURED = (*DRAWN, "jpeg", "jpeg2000", "webp", "jpegxl", "heic-psnr", "avif-psnr", "avif-s4-psnr")
CURVES = {
    RESULTS / "kodak" / "rd.svg": Chart(
        "Kodak, means over the 24 pictures", 2.0, (*MEASURED, "published/bpg", "published/vtm", "published/cwam2024")
    ),
    RESULTS / "clic" / "rd.svg": Chart(
        "CLIC-30, means over the 30 pictures",
        1.5,
        (
            *(name for name in MEASURED if ("clic", name) not in FEWER),
            *(f"published/shiftlic-{size}" for size in ("small", "middle", "large")),
            "published/cool-chic-5.0",
        ),
    ),
}
CARD_SECTION = """## Rate and distortion on Kodak

Means over the 24 pictures, real file bytes, PSNR on 8-bit RGB (`docs/test-conditions.md`):

<!-- rd-points: written by make results -->
<!-- end of rd-points -->

BD-rate (Akima; negative means fewer bits than the other codec):

<!-- bd-rates: written by make results -->
<!-- end of bd-rates -->
"""


_COLUMNS = (("kodak", "psnr"), ("kodak", "ms-ssim"), ("clic", "psnr"))
_SAME = {"psnr": "same PSNR", "ms-ssim": "same MS-SSIM", "ssimulacra2": "same SSIMULACRA 2"}


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
    Peer("avif-s4-psnr", "AVIF (speed 4, 4:4:4, for PSNR)"),
    Peer("published/bpg", "BPG (published curve)"),
    Peer("published/av1", "AV1, slowest (published curve)"),
    Peer("published/shiftlic-small", "ShiftLIC small (published figures)"),
    Peer("published/shiftlic-middle", "ShiftLIC middle (published figures)"),
    Peer("published/shiftlic-large", "ShiftLIC large (published figures)"),
    Peer("published/cwam2024", "the CWAM paper (published curve)"),
    Peer("published/vtm", "VTM, reference VVC (published curve)"),
    Peer("published/cool-chic-5.0", "Cool-chic 5.0 (published figures)"),
)


SUMMARY = (
    Peer("jpeg", "JPEG (4:2:0)"),
    Peer("webp", "WebP (method 6)"),
    Peer("jpegxl", "JPEG XL (effort 7)"),
    Peer("avif", "AVIF (speed 6, Pillow's default)"),
    Peer("avif-psnr", "AVIF (speed 6, tuned for PSNR)"),
    Peer("published/bpg", "BPG"),
    Peer("published/vtm", "VTM, the reference of VVC"),
    Peer("published/mbt2018-mean", "mean-scale hyperprior, learned"),
    Peer("published/cheng2020-attn", "Cheng et al. 2020, learned"),
    Peer("published/cwam2024", "CWAM, the paper cwic builds on, learned"),
    Peer("published/shiftlic-large", "ShiftLIC large, learned"),
    Peer("published/elic2022", "ELIC, learned"),
    Peer("published/cool-chic-5.0", "Cool-chic 5.0, learned for each picture"),
)
"""The rows of the README's table."""


def bd_table(model: str) -> str:
    """BD-rates of a model against everything else, the first model included, in Markdown."""
    head = ["against", "Kodak, same PSNR", "over", "Kodak, same MS-SSIM", "CLIC-30, same PSNR", "val, same PSNR"]
    rows = []
    first = () if model == MODELS[0] else (Peer(MODELS[0], MODELS[0]),)
    for peer in (*first, *AGAINST):
        percent, over = _bd("kodak", peer, model, "psnr")
        others = [_bd(*where)[0] for where in (("kodak", peer, model, "ms-ssim"), ("clic", peer, model, "psnr"))]
        rows.append([peer.name, percent, over, *others, _bd("val", peer, model, "psnr")[0]])
    return markdown(head, _known(rows))


def summary_table() -> str:
    """The README's table: BD-rates on Kodak, or on CLIC-30 for a peer with no figure on Kodak, in Markdown.

    Each model for the eye has a column at equal SSIMULACRA 2, each of `BESIDE` one at equal PSNR. Columns and rows
    without a figure are left out.
    """
    columns = [(model, "ssimulacra2") for model in MODELS if model.endswith("-eye")]
    columns += [(model, "psnr") for model in BESIDE if model in MODELS]
    rows = []
    for peer in SUMMARY:
        for name in ("kodak", "clic"):
            cells = [_bd(name, peer, model, metric)[0] for model, metric in columns]
            if set(cells) != {MISSING}:
                rows.append([peer.name if name == "kodak" else f"{peer.name} ({SETS[name].name})", *cells])
                break
    shown = [i for i in range(len(columns)) if any(row[1 + i] != MISSING for row in rows)]
    head = ["bits needed beside", *(f"{_SAME[columns[i][1]]}: {columns[i][0]}" for i in shown)]
    return markdown(head, [[row[0], *(row[1 + i] for i in shown)] for row in rows])


def beside_table() -> str:
    """BD-rates of the models for PSNR side by side, and the range on Kodak, in Markdown."""
    columns = [(name, model, metric) for name, metric in _COLUMNS for model in BESIDE]
    head = ["against", *(f"{SETS[name].name}, {_SAME[metric]}: {model}" for name, model, metric in columns), "over"]
    rows = []
    for peer in AGAINST:
        percents = [_bd(name, peer, model, metric)[0] for name, model, metric in columns]
        rows.append([peer.name, *percents, _bd("kodak", peer, BESIDE[-1], "psnr")[1]])
    return markdown(head, _known(rows))


def _eye_peers() -> list[Peer]:
    """The codecs that models for the eye are compared with: their peers, then every model."""
    return [*(peer for peer in AGAINST if peer.summary in FOR_THE_EYE), *(Peer(model, model) for model in MODELS)]


def eye_table() -> str:
    """BD-rates at equal SSIMULACRA 2, of every model that has them, in Markdown."""
    columns = [(name, model) for name in EYE_SETS for model in MODELS]
    rows = []
    for peer in _eye_peers():
        cells = [
            MISSING if peer.summary == model else _bd(name, peer, model, "ssimulacra2")[0] for name, model in columns
        ]
        rows.append([peer.name, *cells])
    shown = [i for i in range(len(columns)) if any(row[1 + i] != MISSING for row in rows)]
    head = ["against", *(f"{SETS[columns[i][0]].name}: {columns[i][1]}" for i in shown)]
    return markdown(head, _known([[row[0], *(row[1 + i] for i in shown)] for row in rows]))


def butteraugli_table() -> str:
    """BD-rates of the models for the eye at equal Butteraugli, from results/butteraugli, in Markdown."""
    eyes = [model for model in MODELS if model.endswith("-eye")]
    rows = [
        [peer.name, *(_bd("butteraugli", peer, model, "butteraugli")[0] for model in eyes)] for peer in _eye_peers()
    ]
    return markdown(["against", *eyes], _known([row for row in rows if row[0] not in eyes]))


def effort_table() -> str:
    """BD-rates on Kodak at equal PSNR of models with other efforts than the default, in Markdown."""
    rows = []
    for codec in EFFORTS:
        against = (codec.partition("@")[0], "avif-psnr", "published/vtm")
        rows.append([codec, *(_bd("kodak", Peer(name, name), codec, "psnr")[0] for name in against)])
    head = [
        "",
        "against the default effort",
        "against AVIF (speed 6, 4:4:4, for PSNR)",
        "against VTM (published curve)",
    ]
    return markdown(head, _known(rows))


def times_table() -> str:
    """Seconds to encode and to decode, of the models and of AVIF, from results/speed/times.json, in Markdown."""
    kept = json.loads((RESULTS / "speed" / "times.json").read_text("utf-8"))
    found: dict[tuple[str, ...], dict[str, dict[tuple[str, str], float]]] = {}
    for row in kept:
        where = (row["size"], row["model"], row["engine"].split()[0], str(row["threads"]))
        found.setdefault(where, {}).setdefault(row["kind"], {})[row["start"], row["way"]] = row["seconds"]
    others = sorted({row["kind"] for row in kept} - {"cwic", "AVIF"})
    rows: dict[tuple[str, str], list[str]] = {}
    for (size, model, engine, threads), kinds in sorted(found.items(), key=lambda item: (item[0][0] != SMALL, item[0])):
        for kind, name in (("cwic", f"{size}, {model}, {engine}"), ("AVIF", f"{size}, AVIF, speed 6")):
            pairs = [" s, ".join(f"{kinds[kind][start, way]:.3g}" for way in WAYS) + " s" for start in STARTS]
            ratios = [_beside(kinds["cwic"], kinds.get(other)) if kind == "cwic" else "" for other in others]
            rows.setdefault((name, threads), [name, threads, *pairs, *ratios])
    head = ["", "threads", "loaded: encode, decode", "command: encode, decode"]
    return markdown([*head, *(f"loaded, beside {other}" for other in others)], list(rows.values()))


def _beside(own: dict[tuple[str, str], float], other: dict[tuple[str, str], float] | None) -> str:
    """The parts of the time of another version that loaded cwic takes to encode and to decode."""
    loaded = [(STARTS[0], way) for way in WAYS]
    return ", ".join(f"{own[key] / other[key]:.2f}" for key in loaded) if other else MISSING


def attention_table() -> str:
    """What attention is worth, from results/attention/table.md: the noise, and the arms at equal time and steps."""
    head, *sections = (RESULTS / "attention" / "table.md").read_text("utf-8").split("## ")
    noise = next(line for line in head.splitlines() if line.startswith("Noise"))
    return "\n\n".join([noise, *(section.strip().replace("\n", ":\n", 1) for section in sections)])


def rd_table(model: str) -> str:
    """Rate and distortion of a model at each quality, in Markdown."""
    file = RESULTS / "kodak" / f"{model}.json"
    if not file.exists():
        return NOT_MEASURED
    summary = read_summary(file)
    results = summary["results"]
    columns = (summary["meta"]["quality"], results["bpp"], results["psnr-rgb"], results["ms-ssim-rgb"])
    rows = [[f"{q:g}", f"{b:.3f}", f"{p:.2f}", f"{m:.4f}"] for q, b, p, m in zip(*columns, strict=True)]
    return markdown(["quality", "bpp", "PSNR, dB", "MS-SSIM"], rows)


def curves(path: Path) -> bytes:
    """The rate-distortion curves that belong in one of the files of `CURVES`, as SVG."""
    title, max_bpp, names = CURVES[path]
    left_out = LEFT_OUT.get(path.parent.name, ())
    files = [path.parent / f"{name}.json" for name in names if name not in left_out]
    lines = [read_line(file) for file in files if file.exists()]
    return draw(lines, path.suffix, title=title, max_bpp=max_bpp)


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
    readme, docs = ROOT / "README.md", ROOT / "docs"
    page, attention, effort = (docs / f"{name}.md" for name in ("results", "attention", "effort"))
    text = with_block(page.read_text("utf-8"), "bd-rates", beside_table())
    text = with_block(text, "times", times_table())
    texts = {
        readme: with_block(readme.read_text("utf-8"), "summary", summary_table()),
        page: with_block(with_block(text, "eye-rates", eye_table()), "butteraugli", butteraugli_table()),
        attention: with_block(attention.read_text("utf-8"), "attention", attention_table()),
        effort: with_block(effort.read_text("utf-8"), "effort", effort_table()),
    }
    for model in MODELS:
        card = ROOT / "src" / "cwic" / "weights" / f"{model}.md"
        text = with_block(with_section(card.read_text("utf-8")), "rd-points", rd_table(model))
        texts[card] = with_block(text, "bd-rates", bd_table(model))
    return texts


def codecs(name: str) -> tuple[str, ...]:
    """What a set is measured with."""
    return tuple(codec for codec in (*MODELS, *PEERS) if codec not in LEFT_OUT.get(name, ()))


def qualities(name: str, codec: str) -> tuple[float, ...]:
    """The qualities of a codec to measure on a set: all of its own, or some, evenly spread, the ends included."""
    own, points = open_codec(codec).qualities, SETS[name].points
    if (name, codec) in FEWER:
        return FEWER[name, codec]
    if not points:
        return own
    return tuple(own[round(i * (len(own) - 1) / (points - 1))] for i in range(points))


def further(name: str, codec: str) -> list[str]:
    """The options of `cwic eval` for the measures that a codec is compared by on a set, beyond the usual ones."""
    return EYE if name in EYE_SETS and codec in FOR_THE_EYE else []


def measure(data: Path) -> int:
    """Bring results/ up to date. Returns the exit code of `cwic eval`, the highest of them."""
    command = [sys.executable, "-c", "from cwic.cli import main; main()", "eval"]
    codes = []
    for name, pictures in SETS.items():
        where = [str(data / name), "-o", str(RESULTS / name), "-f"]
        if not pictures.points:
            # Together, so that the codecs take turns on each picture.
            groups = [[codec for codec in codecs(name) if further(name, codec) == wanted] for wanted in (EYE, [])]
            runs = [[*further(name, group[0]), *(f"-c{codec}" for codec in group)] for group in groups if group]
            chosen = EFFORTS if name == "kodak" else {}
        else:
            runs, chosen = [], {codec: qualities(name, codec) for codec in codecs(name)}
        for codec, qs in chosen.items():
            runs.append(["-c", codec, "-q", ",".join(f"{q:g}" for q in qs), *further(name, codec)])
        codes += [subprocess.run([*command, *where, *run], check=False).returncode for run in runs]
    return max(codes)


def main() -> int:
    """Do it all. Returns an exit code."""
    data = os.environ.get("CWIC_DATA")
    if not data:
        print("CWIC_DATA is not set: nothing is measured", file=sys.stderr)
    code = measure(Path(data)) if data else 0
    try:
        for path, text in documents().items():
            write_atomically(path, text.encode(), force=True)
        for path in CURVES:
            write_atomically(path, curves(path), force=True)
    except (CwicError, ValueError) as error:
        print(f"make results: {error}", file=sys.stderr)
        return 1
    return code


def _known(rows: list[list[str]]) -> list[list[str]]:
    """The rows that have a figure."""
    return [row for row in rows if set(row[1:]) != {MISSING}]


def _bd(name: str, peer: Peer, model: str, metric: str) -> tuple[str, str]:
    """BD-rate and its range; dashes where a curve is not there."""
    folder = RESULTS / name
    try:
        reference, test = (read_curve(folder / f"{summary}.json", metric) for summary in (peer.summary, model))
        found = bd(reference, test, _eye_range(reference, test) if metric == "ssimulacra2" else None)
    except CwicError:
        return MISSING, MISSING
    return f"{found.rate_percent:+.1f} %", f"{found.low:.1f}–{found.high:.1f} dB"


def _eye_range(*curves: Curve) -> tuple[float, float]:
    """What of `EYE_RANGE` all curves cover."""
    low, high = EYE_RANGE
    qualities = [curve.quality for curve in curves]
    return max(low, *(each.min() for each in qualities)), min(high, *(each.max() for each in qualities))


if __name__ == "__main__":
    sys.exit(main())
