from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cwic.config import Cwam2024Config
from cwic.lab.cwam2024_transforms import Cwam2024Analysis, Cwam2024Synthesis

ABLATIONS = [
    Cwam2024Config(8),
    Cwam2024Config(8, attention="window"),
    Cwam2024Config(8, attention="none"),
    Cwam2024Config(8, feature_encoding=False),
]


@pytest.mark.parametrize("config", ABLATIONS)
def test_shapes_and_gradients(config: Cwam2024Config) -> None:
    g_a, g_s = Cwam2024Analysis(config), Cwam2024Synthesis(config)
    x = torch.rand(2, 3, 64, 128)
    y = g_a(x)
    assert y.shape == (2, 8, 4, 8)
    x_hat = g_s(y)
    assert x_hat.shape == x.shape
    for part in (g_a, g_s):
        for name, parameter in part.named_parameters():
            if "conv5.weight" in name:  # zero at the start: nothing passes it
                nn.init.normal_(parameter, std=0.05)
            if name.startswith("attention.") and name.endswith("bias"):  # so few rectifiers may all be off
                nn.init.uniform_(parameter, 0, 0.5)
    g_s(g_a(x)).square().sum().backward()
    untouched = [n for part in (g_a, g_s) for n, p in part.named_parameters() if p.grad is None or not p.grad.any()]
    assert untouched == []


@torch.no_grad()
def test_the_ablations_leave_out_what_they_say() -> None:
    states = [set(Cwam2024Analysis(config).state_dict()) for config in ABLATIONS]
    full, window, none, without_encoding = states
    assert {name.split(".conv_b.0.")[1].split(".")[0] for name in full - window} == {
        "kv",
        "merge1",
        "merge2",
        "relative_position_bias_table_y",
    }
    assert all(name.startswith(("layers.4.", "layers.8.")) for name in full - none)
    assert all(name.startswith("feature_encoding.") for name in full - without_encoding)
    assert full > window > none  # the names of all that is left stay the same


@torch.no_grad()
def test_at_the_start_feature_encoding_changes_nothing() -> None:
    x = torch.rand(1, 3, 64, 64)
    with_it, without = Cwam2024Analysis(ABLATIONS[0]), Cwam2024Analysis(ABLATIONS[3])
    without.load_state_dict({n: t for n, t in with_it.state_dict().items() if not n.startswith("feature_encoding")})
    torch.testing.assert_close(with_it(x), without(x))


def run_layers(layers: nn.Sequential, x: Tensor) -> list[Tensor]:
    """The outputs of all layers."""
    outputs = []
    for layer in layers:
        x = layer(x)
        outputs.append(x)
    return outputs


def load_layers(layers: nn.Sequential, golden: Any, path: str) -> None:
    layers.load_state_dict({name: t for name, t in golden.weights(path).items() if "_reparam" not in name})


@torch.no_grad()
def test_every_map_of_the_published_analysis_agrees(golden: Any) -> None:
    g_a = Cwam2024Analysis(Cwam2024Config(16))
    g_a.feature_encoding.load_state_dict(golden.weights("enh.forw_enh."))
    load_layers(g_a.layers, golden, "cnn.g_a.")
    g_a.attention.load_state_dict(golden.weights("attention.forw_att."))
    maps = run_layers(g_a.layers, g_a.feature_encoding(golden["input"]))
    for i in (1, 3, 4, 8):
        torch.testing.assert_close(maps[i], golden[f"mid/ga{i}"], rtol=0, atol=1e-4)
    torch.testing.assert_close(g_a(golden["input"]), golden["y"], rtol=0, atol=1e-4)


@torch.no_grad()
def test_every_map_of_the_published_synthesis_agrees(golden: Any) -> None:
    g_s = Cwam2024Synthesis(Cwam2024Config(16))
    g_s.attention.load_state_dict(golden.weights("attention.back_att."))
    load_layers(g_s.layers, golden, "cnn.g_s.")
    g_s.feature_encoding.load_state_dict(golden.weights("enh.back_enh."))
    entered = g_s.attention(golden["y_hat"])
    torch.testing.assert_close(entered, golden["mid/gs_att"], rtol=0, atol=1e-4)
    maps = run_layers(g_s.layers, entered)
    for i, name in ((0, "gs0"), (5, "gs5"), (8, "gs_out")):
        torch.testing.assert_close(maps[i], golden[f"mid/{name}"], rtol=0, atol=1e-4)
    torch.testing.assert_close(g_s(golden["y_hat"]), golden["x_hat"], rtol=0, atol=1e-4)
    # The real codec's latents, decoded by the published network, which clamps at the very end.
    torch.testing.assert_close(g_s(golden["coded/y_hat"]).clamp(0, 1), golden["coded/x_hat"], rtol=0, atol=1e-4)
