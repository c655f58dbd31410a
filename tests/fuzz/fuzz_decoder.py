"""Atheris target: decoding, with the networks and with checksums made right first. Needs `pip install atheris`.

python tests/fuzz/fuzz_decoder.py tests/fuzz/corpus -max_total_time=600 -timeout=5 -rss_limit_mb=1500
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["cwic"]):
    import cwic.codec  # with all that it imports: what is imported later is not seen

mutate = runpy.run_path(str(Path(__file__).parent / "mutate.py"))


def test_one_input(data: bytes) -> None:
    """Ends in a picture or in an allowed error."""
    for work in (cwic.decode, cwic.recover):
        mutate["outcome"](work, mutate["resealed"](data))


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()
