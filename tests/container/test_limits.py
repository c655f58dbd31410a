from __future__ import annotations

from dataclasses import fields

import pytest

from cwic.container.limits import Limits
from cwic.errors import LimitError


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
def test_each_limit_allows_itself_and_no_more(name: str) -> None:
    limits = Limits(**{name: 7})
    limits.check(name, 7)
    with pytest.raises(LimitError, match=rf"^8 is over the limit {name} = 7; .*Limits\({name}=8\)"):
        limits.check(name, 8)
