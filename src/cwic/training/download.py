"""Download public sets of pictures and verify their checksums. A broken download goes on where it stopped."""

from __future__ import annotations

import hashlib
import shutil
import urllib.error
import urllib.request
import zipfile
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import Progress

from cwic.errors import InputError

TIMEOUT = 30
BLOCK = 1 << 16


class Source(NamedTuple):
    """A file on the network, and the digest of its bytes, in hex, by an algorithm of `hashlib`."""

    url: str
    algorithm: str
    digest: str

    @property
    def name(self) -> str:
        """The name of the file on disk."""
        return self.url.rsplit("/", 1)[1]


def sources(dataset: str) -> list[Source]:
    """Return the files of a set. Raises `InputError` for an unknown set.

    `kodak`: the Kodak suite, 24 PNG; `clic`: the professional validation set of CLIC 2020, a zip of 41 PNG.
    """
    if dataset == "kodak":
        lines = resources.files("cwic.training").joinpath("kodak.sha256").read_text("utf-8").split()
        return [
            Source(f"https://r0k.us/graphics/kodak/kodak/{name}", "sha256", digest)
            for digest, name in zip(lines[::2], lines[1::2], strict=True)
        ]
    if dataset == "clic":
        url = "https://data.vision.ee.ethz.ch/cvl/clic/professional_valid_2020.zip"
        return [Source(url, "md5", "7111ee240435911db04dbc5f40d50272")]
    raise InputError(f"unknown set {dataset!r}; there are: kodak, clic")


def fetch(files: list[Source], folder: Path) -> list[Path]:
    """Download the missing ones of `files` to `folder`, unpack archives, and return the paths of all files.

    Progress is shown on stderr. After an error, complete and partial downloads stay, and the next call goes on from
    there.

    Raises:
        InputError: a file cannot be downloaded, or its checksum is wrong.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        for source in progress.track(files, description="files"):
            target = folder / source.name
            if not (target.exists() and _digest(target, source.algorithm) == source.digest):
                _fetch_one(source, target, progress)
            if target.suffix == ".zip":
                with zipfile.ZipFile(target) as archive:
                    archive.extractall(folder)
            paths.append(target)
    return paths


def _fetch_one(source: Source, target: Path, progress: Progress) -> None:
    partial = target.with_name(target.name + ".part")
    start = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(source.url, headers={"Range": f"bytes={start}-"} if start else {})
    task = progress.add_task(source.name, total=None)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            resumed = answer.status == 206
            length = answer.headers.get("Content-Length")
            progress.update(task, total=int(length) if length else None)
            with partial.open("ab" if resumed else "wb") as file:
                while block := answer.read(BLOCK):
                    file.write(block)
                    progress.advance(task, len(block))
    except urllib.error.HTTPError as error:
        if error.code != 416:  # nothing is left to fetch
            raise InputError(f"cannot download {source.url}: {error}") from error
    except (OSError, ValueError) as error:
        raise InputError(f"cannot download {source.url}: {error}; is this machine online?") from error
    progress.remove_task(task)
    found = _digest(partial, source.algorithm)
    if found != source.digest:
        partial.unlink()
        raise InputError(f"{source.url} has the {source.algorithm} {found}, not {source.digest}: not the known file")
    shutil.move(partial, target)


def _digest(path: Path, algorithm: str) -> str:
    digest = hashlib.new(algorithm)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
