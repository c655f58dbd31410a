from __future__ import annotations

import json

import pytest

from cwic.errors import InputError
from cwic.extras import require


def test_a_package_that_is_there() -> None:
    assert require("json", "eval") is json


def test_a_package_that_is_not_says_what_to_install() -> None:
    with pytest.raises(InputError, match=r"no_such_package is not installed: pip install cwic\[eval\]"):
        require("no_such_package", "eval")
