from __future__ import annotations

from threading import Thread

import numpy as np
import pytest

from cwic.codec import decode, encode
from cwic.progress import counted, listening, report

Heard = list[tuple[str, int, int | None]]


def test_nobody_has_to_listen() -> None:
    report("tiles", 1, 2)
    assert list(counted("ab", "tiles", 2)) == ["a", "b"]


def test_a_listener_hears_what_is_done_inside_alone() -> None:
    heard: Heard = []
    with listening(lambda *told: heard.append(told)):
        assert list(counted("ab", "tiles", 5, done=3)) == ["a", "b"]
        thread = Thread(target=report, args=("others", 1))
        thread.start()
        thread.join()
    report("tiles", 9)
    assert heard == [("tiles", 3, 5), ("tiles", 4, 5), ("tiles", 5, 5)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_codec_reports_tiles_and_probes(jobs: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 9, (200, 140, 3), np.uint8)
    heard: Heard = []
    with listening(lambda *told: heard.append(told)):
        data = encode(pixels, quality=20, tile=128, jobs=jobs)
        assert heard == [("tiles", done, 4) for done in range(5)]
        heard.clear()
        decode(data, jobs=jobs)
        assert heard == [("blocks", done, 4) for done in range(5)]
        heard.clear()
        encode(pixels, target_bytes=3000)
    probes = [done for unit, done, _ in heard if unit == "probes"]
    assert probes == list(range(len(probes)))
    assert len(probes) > 1
