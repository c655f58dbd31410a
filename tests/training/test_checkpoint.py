from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from cwic.errors import InputError
from cwic.training.checkpoint import load_checkpoint, save_checkpoint, save_state


@pytest.fixture
def pair() -> tuple[nn.Module, nn.Module]:
    """A model and its average, with weights, a float buffer and an integer one."""

    def module() -> nn.Module:
        layer = nn.BatchNorm1d(3)
        nn.init.normal_(layer.weight)
        layer.num_batches_tracked += 70_001
        return layer

    return module(), module()


def test_a_checkpoint_holds_all_it_was_given(pair: tuple[nn.Module, nn.Module], tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    extra = {"optimisers": [{"state": {0: {"momentum": torch.ones(2)}}}], "step": 7, "elapsed": 1.5}
    save_checkpoint(path, *pair, extra)
    state = load_checkpoint(path)
    assert (state["step"], state["elapsed"]) == (7, 1.5)
    assert torch.equal(state["optimisers"][0]["state"][0]["momentum"], torch.ones(2))
    for key, module in zip(("model", "average"), pair, strict=True):
        for name, tensor in module.state_dict().items():
            assert torch.equal(state[key][name], tensor)
    assert [p.name for p in tmp_path.iterdir()] == ["a.ckpt"]


def test_a_compact_state_is_the_average_and_close(tmp_path: Path) -> None:
    average = {"weight": torch.randn(200, 200), "scale": torch.randn(5), "count": torch.tensor(70_001)}
    path = tmp_path / "a.safetensors"
    save_state(path, average)
    assert path.stat().st_size < 2.1 * 200 * 200
    state = load_checkpoint(path)
    assert set(state) == {"model", "average"}
    for loaded in state.values():
        assert loaded["weight"].dtype == torch.float32
        torch.testing.assert_close(loaded["weight"], average["weight"], rtol=2**-11, atol=1e-7)
        # What is small is kept as it is: constants and gains have ranges that half precision does not hold.
        assert torch.equal(loaded["scale"], average["scale"])
        assert loaded["count"] == 70_001


@pytest.mark.parametrize("suffix", ["ckpt", "safetensors"])
@pytest.mark.parametrize("size", [None, 0, 10, 300, -5])
def test_a_missing_or_cut_file_is_refused(
    pair: tuple[nn.Module, nn.Module], tmp_path: Path, suffix: str, size: int | None
) -> None:
    path = tmp_path / f"a.{suffix}"
    if size is not None:
        if suffix == "ckpt":
            save_checkpoint(path, *pair, {})
        else:
            save_state(path, pair[1].state_dict())
        path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(InputError, match=f"a.{suffix}"):
        load_checkpoint(path)


@pytest.mark.parametrize("content", [b"PK\x03\x04 and nothing", b"text, not a checkpoint\n"])
def test_another_kind_of_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.ckpt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.ckpt"):
        load_checkpoint(path)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    torch.save({"model": Path("x")}, path)
    with pytest.raises(InputError):
        load_checkpoint(path)


def test_a_failed_write_leaves_the_old_checkpoint(
    pair: tuple[nn.Module, nn.Module], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.ckpt"
    save_checkpoint(path, *pair, {"step": 1})

    def fail(state: object, file: Path) -> None:
        file.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(path, *pair, {"step": 2})
    monkeypatch.undo()
    assert load_checkpoint(path)["step"] == 1
