from __future__ import annotations

import pytest
import typer

from cwic.cli import common


def test_outputs_are_skipped_or_replaced_but_not_both() -> None:
    common.check_skip(skip_existing=True, force=False)
    common.check_skip(skip_existing=False, force=True)
    with pytest.raises(typer.BadParameter, match="one of the two"):
        common.check_skip(skip_existing=True, force=True)


def test_devices_are_those_that_the_library_takes() -> None:
    assert [device.value for device in common.Device] == ["cpu", "cuda"]
