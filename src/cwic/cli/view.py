"""`cwic view`: show files in a local web page, beside their originals and other formats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cwic.cli import common, reports, several
from cwic.cli.job import STDIN

if TYPE_CHECKING:
    from cwic.view.pictures import Pictures

Files = Annotated[list[str] | None, typer.Argument(metavar="[FILE]...", help="Pictures and .cwic files.")]


def view(
    files: Files = None,
    port: Annotated[int, typer.Option("--port", help="Port of 127.0.0.1; 0 takes a free one.", min=0, max=65535)] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
    write: Annotated[
        str | None,
        typer.Option(
            "--write", metavar="FOLDER", help="Write the page for any web server instead.", show_default=False
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", "-m", help="With --write: a model to put beside it; all by default.", show_default=False
        ),
    ] = None,
    force: common.Force = False,
) -> None:
    """Show files in a browser, decoded by the page itself; nothing leaves this machine.

    A picture with the name of a .cwic file is its original, and is shown beside it; other pictures are encoded. Ends
    with Ctrl-C.
    """
    if model and write is None:
        raise typer.BadParameter("--model says what --write puts beside the page")
    if write is not None:
        _write(write, model, force=force)
        return
    if any(file in STDIN for file in files or []):
        raise typer.BadParameter("files to view have names: - is none")
    from cwic.view.pictures import Pictures

    pictures = Pictures()
    several.run(["view"], lambda _: _serve(pictures, files or [], port, browser=browser))


def _serve(pictures: Pictures, files: list[str], port: int, *, browser: bool) -> None:
    from cwic.view.server import ViewServer

    pictures.open(files)
    with ViewServer(pictures, port) as server:
        reports.say("cwic: the page is open until Ctrl-C at")
        typer.echo(server.url)
        if browser:
            import webbrowser

            webbrowser.open(server.url)
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            return


def _write(folder: str, models: list[str] | None, *, force: bool) -> None:
    def work(_: int) -> None:
        from cwic.models.catalog import shipped
        from cwic.view.site import write_site

        written = write_site(folder, models or shipped(), force=force)
        size = sum(file.stat().st_size for file in written)
        reports.report(f"{folder}  {len(written)} files, {size} bytes", {}, as_json=False)

    several.run([str(Path(folder))], work)
