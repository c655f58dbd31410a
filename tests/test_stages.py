from __future__ import annotations

from time import sleep

import numpy as np
import pytest

from cwic.codec import encode
from cwic.stages import add, stage, timed


def test_stages_are_timed_where_somebody_asks() -> None:
    with stage("before"):
        pass
    with timed() as stages:
        for _ in range(2):
            with stage("sleep"):
                sleep(0.01)
        with pytest.raises(KeyError), stage("failure"):
            raise KeyError
    assert list(stages.seconds) == ["sleep", "failure"]
    assert 0.02 <= stages.seconds["sleep"] < 5


def test_amounts_are_summed_by_name() -> None:
    add(steps=1)
    with timed() as stages:
        add(steps=2, bits=0.5)
        add(steps=3)
    assert stages.sums == {"steps": 5, "bits": 0.5}


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_codec_has_stages_in_whatever_thread(jobs: int) -> None:
    with timed() as stages:
        encode(np.zeros((130, 130, 3), np.uint8), tile=128, jobs=jobs)
        assert stages.seconds.keys() == {"loading", "analysis", "coding"}
        encode(np.zeros((64, 64, 3), np.uint8), target_psnr=30)
    assert stages.seconds.keys() == {"loading", "analysis", "coding", "decoding"}
    assert all(seconds > 0 for seconds in stages.seconds.values())
