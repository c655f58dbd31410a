"""`cwic info`: summarise and check .cwic files without decoding them."""

from __future__ import annotations

from typing import Any

from cwic.cli import common, reports, several, streams
from cwic.cli.job import shown
from cwic.container import DEFAULT_LIMITS, NO_LIMITS, TILES
from cwic.info import Info, read_info


def info(inputs: common.Inputs, no_limits: common.NoLimits = False, as_json: common.AsJson = False) -> None:
    """Show size, model, quality and parts of .cwic files, and verify their checksums."""

    def work(index: int) -> None:
        found = read_info(streams.read(inputs[index]), limits=NO_LIMITS if no_limits else DEFAULT_LIMITS)
        reports.report(_text(inputs[index], found), _record(inputs[index], found), as_json=as_json)

    several.run(inputs, work)


def _record(name: str, found: Info) -> dict[str, Any]:
    return {"file": name, **found._asdict(), "chunks": [chunk._asdict() for chunk in found.chunks]}


def _text(name: str, found: Info) -> str:
    columns, rows = found.tiles
    tile_bytes = sum(chunk.bytes for chunk in found.chunks if chunk.type in TILES)
    lines = [
        shown(name),
        f"  picture   {found.width}x{found.height} {found.mode}",
        f"  quality   {found.quality:g}",
        f"  model     {found.model or 'unknown'} ({found.model_id})",
        f"  file      {found.file_bytes} bytes, {found.bpp:.3f} bpp, format version {found.format_version}",
        f"  tiles     {columns}x{rows}, {tile_bytes} bytes",
    ]
    lines += [
        f"  chunk {chunk.type}   {chunk.bytes} bytes at {chunk.offset}: {chunk.name}"
        for chunk in found.chunks
        if chunk.type not in TILES
    ]
    return "\n".join(lines)
