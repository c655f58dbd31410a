from __future__ import annotations

from pathlib import Path

from cwic.training.divergence import DivergedError, diverged


def test_it_says_where_the_last_state_is(tmp_path: Path) -> None:
    error = diverged(40, tmp_path / "latest.ckpt")
    assert isinstance(error, DivergedError)
    assert error.exit_code == 1
    assert "after 40 steps" in str(error)
    assert "no state of it was kept" in str(error)
    (tmp_path / "latest.ckpt").touch()
    assert str(tmp_path / "latest.ckpt") in str(diverged(40, tmp_path / "latest.ckpt"))
