"""Atheris target: taking files apart, with no network. Needs `pip install atheris`.

python tests/fuzz/fuzz_container.py tests/fuzz/corpus -max_total_time=600
"""

from __future__ import annotations

import sys
from io import BytesIO

import atheris

with atheris.instrument_imports(include=["cwic.container"]):
    from cwic.container import read_container
    from cwic.container.salvage import salvage
    from cwic.container.start import read_start
    from cwic.errors import FormatError


def test_one_input(data: bytes) -> None:
    """Ends in a container or in a FormatError."""
    for work in (read_container, salvage, lambda data: read_start(BytesIO(data))):
        try:
            work(data)
        except FormatError:
            continue


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()
