from __future__ import annotations

from cwic.cli.timing import Seconds, Stopwatch
from cwic.container import Header


def test_only_the_first_file_of_a_model_waits_for_it() -> None:
    watch = Stopwatch()
    heads = [Header(model, 30, 20, "RGB", 500).pack() for model in (b"one1", b"one1", b"two2", b"one1")]
    found = []
    for head in heads:
        watch.start()
        found.append(watch.stop(head))
    assert [seconds.with_loading for seconds in found] == [True, False, True, False]
    assert all(seconds.value >= 0 for seconds in found)
    assert watch.stop(b"damaged").with_loading


def test_seconds_say_what_is_in_them() -> None:
    assert str(Seconds(1.234, True)) == "1.23 s with loading the model"
    assert str(Seconds(0.5, False)) == "0.50 s"
    assert Seconds(0.5, False).record == {"seconds": 0.5, "seconds_include_loading": False}
