from __future__ import annotations

import pytest

from cwic import errors


@pytest.mark.parametrize(
    ("name", "exit_code"),
    [
        ("CwicError", 1),
        ("InputError", 1),
        ("FormatError", 3),
        ("NewerFormatError", 3),
        ("LimitError", 3),
        ("ModelError", 4),
        ("TargetError", 5),
        ("OutputExistsError", 6),
    ],
)
def test_exit_codes_are_those_documented(name: str, exit_code: int) -> None:
    error = getattr(errors, name)
    assert issubclass(error, errors.CwicError)
    assert error("why").exit_code == exit_code
