from __future__ import annotations

import errno
from types import SimpleNamespace

import pytest

from cwic.batch import patience
from cwic.batch.patience import StoreError, may_pass, patiently
from cwic.errors import InputError


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tenacity")
    monkeypatch.setattr(patience, "LONGEST_WAIT", 0.01)


def _client_error(name: str, **values: object) -> Exception:
    return type(name, (Exception,), {"__module__": "aiohttp.client", **values})("refused")


def test_it_is_asked_again_until_it_answers() -> None:
    asked = []

    def call(value: int) -> int:
        asked.append(value)
        if len(asked) < 4:
            raise OSError(errno.EBUSY, "slow down")
        return value

    assert patiently(call, 5) == 5
    assert asked == [5] * 4


def test_a_store_that_stays_away_ends_the_run() -> None:
    def call() -> None:
        raise ConnectionRefusedError(errno.ECONNREFUSED, "refused")

    with pytest.raises(StoreError, match=r"does not answer.*refused.*goes on"):
        patiently(call, seconds=0.05)


@pytest.mark.parametrize("error", [FileNotFoundError("x"), PermissionError("x"), InputError("x"), ValueError("x")])
def test_what_does_not_pass_is_told_at_once(error: Exception) -> None:
    asked = SimpleNamespace(times=0)

    def call() -> None:
        asked.times += 1
        raise error

    with pytest.raises(type(error)):
        patiently(call)
    assert asked.times == 1


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.EIO, "internal error"), True),
        (OSError(errno.ENOSPC, "full"), False),
        (OSError(errno.ENAMETOOLONG, "long"), False),
        (TimeoutError(), True),
        (_client_error("ClientResponseError", status=503), True),
        (_client_error("ClientResponseError", status=429), True),
        (_client_error("ClientResponseError", status=403), False),
        (_client_error("ServerDisconnectedError"), True),
        (_client_error("NoCredentialsError"), False),
        (KeyError("x"), False),
    ],
)
def test_which_errors_may_pass(error: Exception, expected: bool) -> None:
    assert may_pass(error) is expected
