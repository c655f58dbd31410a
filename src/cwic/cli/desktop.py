"""`cwic desktop`: register the type of .cwic files and their thumbnails with a Linux desktop."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from cwic.cli import reports, several
from cwic.container.header import MAGIC
from cwic.image.files import write_atomically

app = typer.Typer(
    help="Show .cwic files in file managers: their type, and small pictures of them.", no_args_is_help=True
)

MIME_TYPE = "image/x-cwic"
SYSTEM = Path("/usr/local/share")
_MAGIC = "".join(chr(byte) if chr(byte).isascii() and chr(byte).isalnum() else f"\\{byte:03o}" for byte in MAGIC)
_MIME = f"""<?xml version="1.0" encoding="UTF-8"?>
<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">
  <mime-type type="{MIME_TYPE}">
    <comment>cwic picture</comment>
    <generic-icon name="image-x-generic"/>
    <magic priority="60">
      <match type="string" offset="0" value="{_MAGIC}"/>
    </magic>
    <glob pattern="*.cwic"/>
  </mime-type>
</mime-info>
"""

User = Annotated[
    bool, typer.Option("--user/--system", help=f"For this user alone, or in {SYSTEM} for all users of the machine.")
]


@app.command("install")
def install(user: User = True) -> None:
    """Register the type of .cwic files and a program for their thumbnails. Installing again renews both."""

    def work(_: int) -> None:
        folder = _folder(user)
        for path, text in _files(folder).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, text.encode(), force=True)
            typer.echo(str(path))
        _renew(folder)

    several.run(["cwic desktop"], work)


@app.command("uninstall")
def uninstall(user: User = True) -> None:
    """Remove what `install` wrote."""

    def work(_: int) -> None:
        folder = _folder(user)
        for path in _files(folder):
            if path.exists():
                path.unlink()
                typer.echo(str(path))
        _renew(folder)

    several.run(["cwic desktop"], work)


def _folder(user: bool) -> Path:
    """Return the folder where desktops look for such files."""
    if not user:
        return SYSTEM
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")


def _files(folder: Path) -> dict[Path, str]:
    """Return the paths of the files to write, and the text of each."""
    thumbnailer = f"""[Thumbnailer Entry]
TryExec={sys.executable}
Exec={shlex.quote(sys.executable)} -m cwic thumbnail --force --size %s %i %o
MimeType={MIME_TYPE};
"""
    return {
        folder / "mime" / "packages" / "cwic.xml": _MIME,
        folder / "thumbnailers" / "cwic.thumbnailer": thumbnailer,
    }


def _renew(folder: Path) -> None:
    """Update the desktop's database of types, if there is one."""
    program = shutil.which("update-mime-database")
    if program is None:
        reports.say("cwic: update-mime-database is not here: the type is known once it has run")
        return
    run = subprocess.run([program, str(folder / "mime")], capture_output=True, text=True, check=False)
    if run.returncode:
        reports.say(f"cwic: update-mime-database: {run.stderr.strip()}")
