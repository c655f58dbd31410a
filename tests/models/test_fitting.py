from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from cwic.latents.gaussian import scale_index
from cwic.models.exported import ExportedModel
from cwic.models.fitting import fit_tables, fit_z_scales


def length(model: ExportedModel, pictures: list[Tensor]) -> int:
    return sum(len(model.encode(x, level).data) for x in pictures for level in (100, 500, 900))


def test_fitting_makes_files_shorter_and_still_decodes(exported: ExportedModel, picture: Tensor) -> None:
    pictures = [picture, 1 - picture, picture.flip(2), picture.flip(3)]
    exported.prior.networks.z_log2_scale.value.fill_(6 * 256)  # far too wide
    before = length(exported, pictures)
    fit_z_scales(exported, pictures)
    scales = length(exported, pictures)
    fitted = fit_tables(exported, pictures * 40)
    assert length(fitted, pictures) < scales < before
    coded = fitted.encode(picture, 700)
    assert torch.equal(fitted.decode_latents(coded.data, coded.crc, 64, 128, 700), coded.decoded)


def test_fitted_scales_are_points_of_the_grid_and_code_z(exported: ExportedModel, picture: Tensor) -> None:
    fit_z_scales(exported, [picture])
    value = exported.prior.networks.z_log2_scale.value
    index = scale_index(value)
    assert index.min() >= 1  # index 0 would not code z at all
    assert torch.equal(scale_index(value + 23), index)
    assert torch.equal(scale_index(value - 24), index)
    z = exported.hyper_analyse(exported.analyse(picture, 512), 512).round().flatten(2)[0].int().numpy()
    for channel, chosen in zip(z, index[4].tolist(), strict=True):
        lengths = [exported.tables.bits(channel, np.full(len(channel), i, np.uint8)) for i in range(1, 64)]
        assert lengths[chosen - 1] == pytest.approx(min(lengths))


def test_fitting_tables_leaves_the_networks_alone(exported: ExportedModel, picture: Tensor) -> None:
    fitted = fit_tables(exported, [picture])
    for (name, before), after in zip(exported.state_dict().items(), fitted.state_dict().values(), strict=True):
        assert torch.equal(before, after), name
    assert fitted.tables.reaches.tolist() == exported.tables.reaches.tolist()
    assert not (fitted.tables.frequencies == exported.tables.frequencies).all()
