from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cwic.config import Cwam2024Config
from cwic.errors import InputError
from cwic.lab.cwic import CwicModel
from cwic.lab.prior import lmbda_of
from cwic.models import registry
from cwic.models.base import encode
from cwic.nn.compiled import compiled_blocks
from cwic.training.family import EYE_LMBDA, FAMILIES
from cwic.training.recipe import Recipe


@pytest.fixture(params=sorted(FAMILIES))
def any_recipe(request: pytest.FixtureRequest, recipe: Recipe, paper_recipe: Recipe) -> Recipe:
    return recipe if request.param == "cwic" else paper_recipe


@pytest.mark.parametrize("rounded", [False, True])
def test_parts_that_a_gpu_compiles_are_one_graph_with_the_same_numbers(rounded: bool, recipe: Recipe) -> None:
    family = FAMILIES["cwic"]
    model = family.build(recipe).train()
    if rounded:
        family.decoder_only(model)
    x, level = torch.rand(2, 3, 64, 64), torch.tensor([100, 900])
    parameters = [p for p in model.parameters() if p.requires_grad]
    found = []
    for whole in (False, True):
        if whole:
            for part in family.compiled_parts(model):
                part.compile(backend="aot_eager", fullgraph=True, dynamic=False)
        torch.manual_seed(0)  # of the noise
        with compiled_blocks(whole):
            output = model(*family.arguments(x, level))
        loss = output.y_bits.sum() + output.z_bits.sum() + 1e4 * (output.x_hat - x).square().sum()
        found.append([loss, *torch.autograd.grad(loss, parameters)])
    for plain, compiled in zip(*found, strict=True):
        torch.testing.assert_close(compiled, plain, rtol=1e-3, atol=1e-3 * float(plain.detach().abs().max()))


def test_recipes_and_families_have_the_same_names() -> None:
    assert set(FAMILIES) == set(registry.FAMILIES)


def test_a_model_is_built_started_called_and_validated(any_recipe: Recipe) -> None:
    family = FAMILIES[any_recipe.family]
    model = family.build(any_recipe)
    family.start(model, [torch.rand(1, 3, 64, 64)])
    x, level = torch.rand(3, 3, 64, 64), family.draw(3, torch.device("cpu"))
    assert level.shape == (3,)
    assert 0 <= level.min() <= level.max() <= 1000
    output = model(*family.arguments(x, level))
    assert output.x_hat.shape == x.shape
    lmbda = family.lmbda(any_recipe, level)
    assert lmbda.shape == (3,)
    assert (lmbda > 0).all()
    points = family.points(any_recipe)
    assert len({point.label for point in points}) == len(points) > 0
    for point in points:
        assert "lmbda" not in point.label or float(point.label.split()[1]) == family.lmbda(any_recipe, level)[0]


def test_models_of_every_rate_draw_every_level() -> None:
    torch.manual_seed(0)
    levels = FAMILIES["cwic"].draw(5000, torch.device("cpu"))
    assert (levels.min(), levels.max()) == (0, 1000)
    assert torch.equal(FAMILIES["cwic"].lmbda(Recipe(), levels), lmbda_of(levels))
    assert torch.equal(FAMILIES["cwic"].lmbda(Recipe(tune="ms-ssim"), levels), 1250 * lmbda_of(levels))
    assert torch.equal(FAMILIES["cwic"].lmbda(Recipe(tune="eye"), levels), EYE_LMBDA * lmbda_of(levels))


def test_only_the_paper_has_an_auxiliary_loss(recipe: Recipe, paper_recipe: Recipe) -> None:
    assert FAMILIES["cwic"].auxiliary_loss(FAMILIES["cwic"].build(recipe)) is None
    model = FAMILIES["cwam2024"].build(paper_recipe)
    FAMILIES["cwam2024"].auxiliary_loss(model).backward()
    assert [name for name, p in model.named_parameters() if p.grad is not None] == ["entropy_bottleneck.quantiles"]


def test_a_fine_tune_freezes_what_the_encoder_alone_runs(recipe: Recipe, paper_recipe: Recipe) -> None:
    model = CwicModel(recipe.model)
    FAMILIES["cwic"].decoder_only(model)
    frozen = {name.split(".")[0] for name, p in model.named_parameters() if not p.requires_grad}
    assert frozen == {"g_a", "prior"}
    with pytest.raises(InputError, match="no fine-tune"):
        FAMILIES["cwam2024"].decoder_only(FAMILIES["cwam2024"].build(paper_recipe))


def test_exports_are_models_that_code(any_recipe: Recipe) -> None:
    family = FAMILIES[any_recipe.family]
    model = family.build(any_recipe).eval()
    pictures = torch.rand(9, 3, 64, 64).contiguous(memory_format=torch.channels_last)  # as crops are
    family.start(model, [pictures])
    exported = family.fit(family.export(model), list(pictures.split(1)))
    assert exported.data.config == any_recipe.model
    coded = encode(exported, pictures[:1].numpy(), 0)
    assert np.array_equal(exported.decompress(coded.data, coded.crc, 64, 64, 0), coded.y_hat)


def test_every_variant_of_the_paper_is_a_row_of_its_recipe(paper_recipe: Recipe) -> None:
    for attention in ("cross-window", "window", "none"):
        config = Cwam2024Config(8, attention=attention, feature_encoding=False)
        assert FAMILIES["cwam2024"].build(replace(paper_recipe, model=config)).config == config
