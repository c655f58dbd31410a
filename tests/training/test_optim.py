from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from cwic.config import Cwam2024Config
from cwic.errors import InputError
from cwic.lab.cwam2024 import Cwam2024Model
from cwic.lab.cwic import CwicModel
from cwic.training.optim import Optimisers
from cwic.training.recipe import Recipe


@pytest.fixture
def model(recipe: Recipe) -> CwicModel:
    return CwicModel(recipe.model)


def learn(model: nn.Module, optimisers: Optimisers, scale: float = 1.0) -> dict[str, torch.Tensor]:
    """How far one step with random gradients moves each parameter."""
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = scale * torch.randn_like(parameter)
    optimisers.step()
    return {name: (p.detach() - before[name]) for name, p in model.named_parameters()}


def test_a_step_moves_every_parameter_and_clears_its_gradient(model: CwicModel, recipe: Recipe) -> None:
    optimisers = Optimisers(model, recipe)
    assert {id(p) for p in optimisers.parameters} == {id(p) for p in model.parameters()}
    assert len(optimisers.parameters) == len(list(model.parameters()))
    moved = learn(model, optimisers)
    assert [name for name, change in moved.items() if not change.abs().max() > 0] == []
    assert all(p.grad is None for p in model.parameters())


def test_each_kind_of_parameter_goes_to_its_optimiser(model: CwicModel, recipe: Recipe) -> None:
    moved = learn(model, Optimisers(model, recipe))
    # AdamW's first step is its learning rate in every element, whatever the gradient.
    for name in ("g_a.blocks.0.expand.bias", "g_a.blocks.0.depthwise.weight", "prior.exact.h_s.mix.weight",
                 "prior.exact.log2_gain.value", "g_s.blocks.0.spatial_gain.log2_gain",
                 "g_a.attention.cwam.conv_b.0.relative_position_bias_table_x"):  # fmt: skip
        torch.testing.assert_close(
            moved[name].abs(), torch.full_like(moved[name], recipe.adam_lr), rtol=0.02, atol=1e-6
        )
    for name in ("g_a.block_transform.weight", "g_a.haar.weight", "g_s.haar.weight", "g_s.block_transform.weight",
                 "g_a.attention.cwam.conv_b.2.weight", "g_s.attention.cwam.conv_b.2.bias"):  # fmt: skip
        torch.testing.assert_close(
            moved[name].abs(), torch.full_like(moved[name], recipe.linear_lr), rtol=0.02, atol=2e-7
        )
    # Muon's step has singular values of about one size: a matrix is turned, not nudged.
    for name in ("g_a.blocks.0.expand.weight", "g_a.feature_encoding.layers.2.weight", "prior.exact.h_s.leave.weight",
                 "prior.exact.context.embed.weight", "g_a.attention.cwam.conv_b.0.qkv.weight"):  # fmt: skip
        parts = moved[name] if name.endswith("embed.weight") else moved[name][None]
        for part in parts:
            singular = torch.linalg.svdvals(part.flatten(1))
            assert singular.quantile(0.1) > 0.4 * singular.max(), name


def test_a_scaled_gradient_makes_the_same_step(model: CwicModel, recipe: Recipe) -> None:
    state = {name: p.clone() for name, p in model.state_dict().items()}
    steps = []
    for scale in (1.0, 100.0):
        model.load_state_dict(state)
        torch.manual_seed(1)
        steps.append(learn(model, Optimisers(model, recipe), scale))
    for name, step in steps[0].items():
        assert (step - steps[1][name]).norm() < 0.06 * step.norm(), name


def test_rates_scale_together(model: CwicModel, recipe: Recipe) -> None:
    optimisers = Optimisers(model, recipe)
    optimisers.scale_rates(0.5)
    optimisers.scale_rates(0.0)
    assert all(not change.any() for change in learn(model, optimisers).values())
    optimisers.scale_rates(0.25)
    moved = learn(model, optimisers)["g_a.blocks.0.expand.bias"].abs()
    assert 0 < moved.max() < 0.5 * recipe.adam_lr


@pytest.mark.parametrize("name", ["adamw", "soap"])
def test_another_optimiser_takes_the_matrices(paper_recipe: Recipe, name: str) -> None:
    if name == "soap":
        pytest.importorskip("pytorch_optimizer")
    model = Cwam2024Model(Cwam2024Config(8, attention="none", feature_encoding=False))
    optimisers = Optimisers(model, replace(paper_recipe, optimiser=name, muon_lr=0.0))
    learn(model, optimisers)
    moved = learn(model, optimisers)  # SOAP's first step only looks
    assert 0 < moved["g_a.layers.2.weight"].abs().max() < 0.05


def test_a_frozen_parameter_stays(model: CwicModel, recipe: Recipe) -> None:
    model.g_a.requires_grad_(False)
    moved = learn(model, Optimisers(model, recipe))
    assert all(change.any() != name.startswith("g_a.") for name, change in moved.items())


def test_the_state_goes_on_where_it_was(model: CwicModel, recipe: Recipe) -> None:
    optimisers = Optimisers(model, recipe)
    learn(model, optimisers)
    saved, weights = copy.deepcopy(optimisers.state_dict()), copy.deepcopy(model.state_dict())
    torch.manual_seed(2)
    expected = learn(model, optimisers)
    twin = CwicModel(recipe.model)
    twin.load_state_dict(weights)
    resumed = Optimisers(twin, recipe)
    resumed.load_state_dict(saved)
    torch.manual_seed(2)
    for name, change in learn(twin, resumed).items():
        torch.testing.assert_close(change, expected[name])


def test_views_follow_the_model_they_were_made_of(model: CwicModel, recipe: Recipe) -> None:
    optimisers = Optimisers(model, recipe)
    with torch.no_grad():
        nn.init.zeros_(model.g_a.blocks[0].expand.weight)
    moved = learn(model, optimisers)["g_a.blocks.0.expand.weight"]
    torch.testing.assert_close(model.g_a.blocks[0].expand.weight.detach(), moved)


def test_gradients_are_limited_and_those_that_are_not_finite_are_none(model: CwicModel, recipe: Recipe) -> None:
    optimisers = Optimisers(model, recipe)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    assert optimisers.limit(2.0)
    norm = nn.utils.get_total_norm([p.grad for p in model.parameters()])
    assert norm == pytest.approx(2.0, rel=1e-3)
    assert optimisers.limit(5.0)
    assert nn.utils.get_total_norm([p.grad for p in model.parameters()]) == pytest.approx(2.0, rel=1e-3)
    optimisers.parameters[3].grad.flatten()[0] = float("nan")
    assert not optimisers.limit(2.0)
    assert not any(p.grad.any() for p in model.parameters())


def test_quantiles_are_apart(paper_recipe: Recipe) -> None:
    model = Cwam2024Model(paper_recipe.model)
    optimisers = Optimisers(model, paper_recipe)
    assert [q.shape for q in optimisers.quantiles] == [(8, 1, 3)]
    assert len(optimisers.parameters) == len(list(model.parameters())) - 1
    optimisers.scale_rates(0.0)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimisers.step()
    moved = {
        name: (p - before[name]).abs().max().item() for name, p in model.named_parameters() if (p != before[name]).any()
    }
    assert list(moved) == ["entropy_bottleneck.quantiles"]
    assert moved["entropy_bottleneck.quantiles"] == pytest.approx(1e-3, rel=0.01)
    assert all(p.grad is None for p in model.parameters())


def test_the_layout_of_a_weight_does_not_change_its_step(paper_recipe: Recipe) -> None:
    torch.manual_seed(0)
    first = Cwam2024Model(paper_recipe.model)
    second = copy.deepcopy(first).to(memory_format=torch.channels_last)
    for model in (first, second):
        torch.manual_seed(1)
        for parameter in model.parameters():
            parameter.grad = torch.randn(parameter.shape)
        Optimisers(model, paper_recipe).step()
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert (one - other).norm() < 1e-2 * paper_recipe.muon_lr * one.numel() ** 0.5


def test_states_of_other_optimisers_are_refused(paper_recipe: Recipe) -> None:
    model = Cwam2024Model(paper_recipe.model)
    optimisers = Optimisers(model, paper_recipe)
    states = optimisers.state_dict()
    for other in ([*states, states[0]], states[:1], states[::-1]):
        with pytest.raises(InputError, match="which are Muon, AdamW, Adam"):
            optimisers.load_state_dict(other)
    wider = Optimisers(Cwam2024Model(Cwam2024Config(8)), paper_recipe)
    with pytest.raises(InputError, match="learnt other parameters"):
        wider.load_state_dict(states)
    unnamed = [{key: value for key, value in state.items() if key != "kind"} for state in states]
    optimisers.load_state_dict(unnamed)  # as earlier versions wrote them
