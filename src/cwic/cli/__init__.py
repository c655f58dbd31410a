"""The `cwic` command.

Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 run-time error, 2 usage, 3 damaged file, 4 model
missing or different, 5 target not reachable, 6 output exists, 130 interrupted. A run over several files exits with the
highest code among them. An error that is none of cwic's own is reported in one line too, with code 1.

Numpy and Pillow are imported inside the commands that need them, so that `cwic info` answers at once. The same holds
for torch, which only `train`, `export`, `data shard`, `models import` and `models show` without weights need. This
module imports nothing, because every process that works on files of a folder imports it.
"""

from __future__ import annotations


def main() -> None:
    """Run the command line, and exit with its code."""
    import os
    import sys
    from contextlib import suppress
    from io import TextIOWrapper

    from cwic.cli.app import COMMANDS, app_of

    if isinstance(sys.stdout, TextIOWrapper):
        # A name that the terminal cannot show is printed with escapes instead of ending the run.
        sys.stdout.reconfigure(errors="backslashreplace")
    wanted = sys.argv[1:2]
    is_one = wanted and wanted[0] in COMMANDS and "_CWIC_COMPLETE" not in os.environ
    try:
        app_of(wanted if is_one else COMMANDS)(prog_name="cwic")
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:  # of stdout, as on a full disk: commands report those of files
        from cwic.cli.reports import reason_of

        with suppress(AttributeError, OSError):  # what is left in its buffer has nowhere to go
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.stderr.write(f"cwic: the results cannot be written: {reason_of(error)}\n")
        sys.exit(1)
