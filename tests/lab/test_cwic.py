from __future__ import annotations

import torch
from torch import Tensor

from cwic.lab.cwic import CwicModel


def test_forward_gives_a_picture_and_its_bits(model: CwicModel, picture: Tensor) -> None:
    batch = torch.cat([picture, 1 - picture])
    x_hat, y_bits, z_bits = model(batch, torch.tensor([0, 1000]))
    assert x_hat.shape == batch.shape
    assert y_bits.shape == z_bits.shape == (2,)
    alone = model(picture, torch.tensor([0]))
    torch.testing.assert_close(x_hat[:1], alone.x_hat, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(y_bits[:1], alone.y_bits, rtol=1e-3, atol=0.1)


@torch.no_grad()
def test_calibration_reaches_every_part(model: CwicModel) -> None:
    assert torch.equal(model.g_s.y_scale, model.g_a.y_scale)
    assert torch.equal(model.g_s.frequency_scale, model.g_a.frequency_scale)
    assert torch.equal(model.g_s.haar.weight, model.g_a.haar.weight.t())
    steps = model.g_a.y_scale / torch.exp2(model.prior.exact.log2_gain.value)
    torch.testing.assert_close(steps, steps[:, :1].expand_as(steps))  # one step in the picture for all channels
    assert (steps[:, 0].diff() < 0).all()


def test_more_quality_is_more_bits_and_less_error(model: CwicModel, picture: Tensor) -> None:
    with torch.no_grad():
        outputs = [model(picture, torch.tensor([level])) for level in (0, 500, 1000)]
    bits = [output.y_bits.item() for output in outputs]
    assert bits[0] < bits[1] < bits[2]
    errors = [(output.x_hat - picture).square().mean().item() for output in outputs]
    assert errors[0] > errors[1] > errors[2]


def test_one_step_of_training_reaches_every_parameter(model: CwicModel, picture: Tensor) -> None:
    model.train()
    for block in (model.g_a.feature_encoding.layers[0], model.g_a.feature_encoding.layers[4]):
        torch.nn.init.normal_(block.conv5.weight, std=0.1)
    # Every second knot is a level that occurs, so each knot has a gradient.
    batch = picture.unfold(3, 64, 8)[0].permute(2, 0, 1, 3)[:8]
    output = model(batch, torch.arange(64, 1024, 128))
    (output.y_bits.mean() + output.z_bits.mean() + 1e4 * output.x_hat.square().mean()).backward()
    assert [name for name, p in model.named_parameters() if not p.grad.abs().max() > 0] == []
