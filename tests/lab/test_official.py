from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cwic.config import Cwam2024Config
from cwic.errors import ModelError
from cwic.lab.cwam2024 import Cwam2024Model
from cwic.lab.official import load_official, published_name

State = dict[str, Any]


class Custom:
    """An object that a checkpoint must not bring along."""


def test_every_published_name_is_met_once() -> None:
    with torch.device("meta"):
        names = [published_name(name) for name, _ in Cwam2024Model(Cwam2024Config(8)).named_parameters()]
    assert len(set(names)) == len(names)
    assert {
        "entropy_bottleneck._matrix4",
        "entropy_bottleneck._factor3",
        "entropy_bottleneck.quantiles",
        "h_s.6.0.weight",
        "context_prediction.weight",
        "entropy_parameters.4.bias",
        "enh.back_enh.layers.4.conv5.bias",
        "cnn.g_a.6.gamma",
        "cnn.g_s.5.conv_b.0.attn.relative_position_bias_table_y",
        "cnn.g_s.5.conv_b.0.attn.merge1.weight",
        "cnn.g_a.4.conv_b.1.conv.0.weight",
        "cnn.g_a.8.conv_b.4.bias",
        "attention.back_att.conv_b.0.conv.4.weight",
    } <= set(names)


def test_the_names_of_the_published_file_are_all_known(golden: Any) -> None:
    model = load_official(golden.path)
    state: dict[str, Tensor] = golden["state_dict"]
    hidden = model.context.context_prediction.mask == 0
    assert state["context_prediction.weight"][:, :, hidden].any()
    for name, parameter in model.named_parameters():
        published = state[published_name(name)]
        if name == "context.context_prediction.weight":
            published = torch.where(hidden, 0.0, published)
        assert torch.equal(parameter, published), name


def as_trained(state: State) -> object:
    """What the published training script saves."""
    milestones = {"milestones": Counter({450: 1, 550: 1}), "last_epoch": 3}
    return {"epoch": 3, "state_dict": OrderedDict(state), "loss": torch.tensor(1.5), "lr_scheduler": milestones}


def with_everything_else(state: State) -> object:
    """With the entries that are not read."""
    unused = [
        "enh1.forw_enh.cfem_a.1.conv.weight",
        "gaussian_conditional._quantized_cdf",
        "gaussian_conditional.scale_bound",
        "entropy_bottleneck._offset",
        "entropy_bottleneck.target",
        "entropy_bottleneck.likelihood_lower_bound.bound",
        "context_prediction.mask",
        "cnn.g_a.4.conv_b.0.attn.relative_position_index",
        "cnn.g_a.1.beta_reparam.pedestal",
        "cnn.g_s.7.gamma_reparam.lower_bound.bound",
    ]
    return state | dict.fromkeys(unused, torch.zeros(1))


@pytest.mark.parametrize(
    "wrap",
    [
        dict,
        as_trained,
        with_everything_else,
        lambda state: {f"module.{name}": tensor for name, tensor in state.items()},
        lambda state: {name: tensor.double() for name, tensor in state.items()},
    ],
    ids=["bare", "as trained", "with unused entries", "several GPUs", "double"],
)
def test_a_checkpoint_is_read_however_it_is_wrapped(
    recorded: Any, tmp_path: Path, wrap: Callable[[State], object]
) -> None:
    state = recorded.seeded_checkpoint(N=8)
    path = tmp_path / "model.pth.tar"
    torch.save(wrap(state), path)
    model = load_official(str(path))
    assert model.config == Cwam2024Config(8)
    assert not model.training
    assert torch.equal(model.h_a[0].weight, state["h_a.0.weight"])
    assert torch.equal(model.g_s.layers[5].conv_b[0].kv.weight, state["cnn.g_s.5.conv_b.0.attn.kv.weight"])
    assert all(p.dtype == torch.float32 for p in model.parameters())
    taps = model.context.context_prediction.weight[0, 0].flatten()
    assert taps[:12].all()
    assert not taps[12:].any()


def without(*names: str) -> Callable[[State], object]:
    return lambda state: {name: tensor for name, tensor in state.items() if name not in names}


def changed(name: str, value: object) -> Callable[[State], object]:
    return lambda state: state | {name: value}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without("h_a.0.weight"), "network: h_a.0.weight is missing"),
        (without("h_s.8.bias"), "network: h_s.8.bias is missing"),
        (without("cnn.g_a.0.bias", "h_s.8.bias", "h_s.8.weight"), "cnn.g_a.0.bias and 2 more are missing"),
        (lambda state: {}, "network: h_a.0.weight is missing"),
        (changed("h_s.8.bias", torch.zeros(9)), r"network: h_s.8.bias is \[9\], not \[16\]"),
        (changed("h_a.0.weight", torch.zeros(12, 12, 3, 3)), r"\[12, 12, 3, 3\], not \[N, N, 3, 3\]"),
        (changed("h_a.0.weight", torch.zeros(16, 16, 3, 3)), r"is \[.*8.*\], not \[.*16.*\]"),
        (changed("h_a.0.weight", torch.tensor(1.0)), r"is \[\], not \[N, N, 3, 3\]"),
        (changed("h_a.0.weight", 3), "h_a.0.weight is missing"),
        (changed("h_s.8.bias", torch.zeros(16, dtype=torch.int64)), "h_s.8.bias is not a plain tensor of floats"),
        (changed("h_s.8.bias", [1.0]), "h_s.8.bias is not a plain tensor of floats"),
        (changed("g_a.0.weight", torch.zeros(1)), "g_a.0.weight is unknown to it"),
        (changed("h_a.0.weight", Custom()), r"holds a pickled object \(.*Custom\) beside tensors"),
        (lambda state: torch.zeros(3), "it holds a Tensor"),
        (lambda state: {"state_dict": [1, 2]}, "it holds a list"),
        (lambda state: {n: t.new_zeros(()).expand(t.shape) for n, t in state.items()}, "are larger than the file"),
    ],
)
def test_a_checkpoint_that_is_something_else_is_named_in_one_sentence(
    recorded: Any, tmp_path: Path, damage: Callable[[State], object], message: str
) -> None:
    path = tmp_path / "model.pth"
    torch.save(damage(recorded.seeded_checkpoint(N=8)), path)
    with pytest.raises(ModelError, match=message) as raised:
        load_official(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kept", [0, 1, 2, 3, 1000, 0.5, -1])
def test_a_truncated_file_is_named(checkpoint: Path, tmp_path: Path, kept: float) -> None:
    whole = checkpoint.read_bytes()
    size = int(kept * len(whole)) if isinstance(kept, float) else kept
    path = tmp_path / "cut.pth"
    path.write_bytes(whole[:size])
    with pytest.raises(ModelError, match=r"the checkpoint .*cut\.pth is damaged or cut short"):
        load_official(path)


def test_files_that_are_no_checkpoint_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is missing"):
        load_official(tmp_path / "nothing.pth")
    with pytest.raises(ModelError, match="is a folder"):
        load_official(tmp_path)
    text = tmp_path / "text.pth"
    text.write_text("no checkpoint at all\n")
    with pytest.raises(ModelError, match="is not a checkpoint that torch wrote"):
        load_official(text)


def test_code_in_a_checkpoint_is_never_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "ran",)

    for name, zipped in (("new.pth", True), ("old.pth", False)):
        torch.save({"state_dict": Bomb()}, tmp_path / name, _use_new_zipfile_serialization=zipped)
        with pytest.raises(ModelError, match="holds a pickled object"):
            load_official(tmp_path / name)
    assert not (tmp_path / "ran").exists()
