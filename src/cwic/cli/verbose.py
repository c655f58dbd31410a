"""The measurements of `cwic encode --verbose`: the fidelity of a file, and its bits by part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cwic.container.limits import Limits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image


def measured(
    image: Image.Image | NDArray[np.uint8], data: bytes, *, model: str, strip: bool, limits: Limits, device: str
) -> dict[str, Any]:
    """Return the record of PSNR in dB over 8-bit samples, MS-SSIM, SSIMULACRA 2 and bits by part.

    Alpha is left out of all three measures. MS-SSIM and SSIMULACRA 2 are NaN for pictures that are too small for them.

    Args:
        image: the original.
        data: its .cwic file.
        model: the name or path of the model.
        strip: the orientation in the metadata was applied before coding, so it is applied to the original too.
        limits: the limits on files and pictures.
        device: the device that runs the networks.
    """
    import numpy as np

    import cwic
    from cwic.bits import bits_by_part
    from cwic.image.fidelity import psnr
    from cwic.image.metadata import upright
    from cwic.image.ms_ssim import ms_ssim
    from cwic.image.picture import as_picture
    from cwic.image.ssimulacra2 import ssimulacra2

    x = as_picture(upright(image) if strip else image).pixels
    x_hat = as_picture(cwic.decode(data, model=model, device=device, limits=limits)).pixels
    # SSIMULACRA 2 takes colour pictures only: a grey sample becomes three equal ones.
    colours = [np.stack([pixels] * 3, axis=-1) if pixels.ndim == 2 else pixels for pixels in (x, x_hat)]
    return {
        "psnr_db": psnr(x, x_hat),
        "ms_ssim": ms_ssim(x, x_hat),
        "ssimulacra2": ssimulacra2(*colours),
        "bits": bits_by_part(data, model=model, limits=limits),
    }
