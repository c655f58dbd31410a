"""cwic, the cross-window image codec: learned compression whose files decode alike on every machine.

    import cwic
    data = cwic.encode("photo.png", quality=50)    # a path, an open file, a Pillow image or a uint8 array -> bytes
    image = cwic.decode(data)                      # bytes, a path or an open file -> a Pillow image
    print(cwic.read_info("photo.cwic"))            # no network is loaded for this
    print(cwic.list_models())                      # what `model` can be

Importing the package loads neither torch nor numpy: each name is fetched when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from cwic.errors import (
    CwicError,
    FormatError,
    InputError,
    LimitError,
    ModelError,
    OutputExistsError,
    TargetError,
)

if TYPE_CHECKING:
    from cwic.codec import Recovered, decode, encode, recover
    from cwic.container.limits import Limits
    from cwic.image.losses import LossWarning
    from cwic.image.metadata import Metadata
    from cwic.info import Info, list_models, read_info
    from cwic.models.catalog import open_model

__version__ = "0.1.0"

_HOMES = {
    "encode": "cwic.codec",
    "decode": "cwic.codec",
    "recover": "cwic.codec",
    "Recovered": "cwic.codec",
    "Limits": "cwic.container.limits",
    "LossWarning": "cwic.image.losses",
    "Metadata": "cwic.image.metadata",
    "read_info": "cwic.info",
    "Info": "cwic.info",
    "list_models": "cwic.info",
    "open_model": "cwic.models.catalog",
}

__all__ = [
    "CwicError",
    "FormatError",
    "Info",
    "InputError",
    "LimitError",
    "Limits",
    "LossWarning",
    "Metadata",
    "ModelError",
    "OutputExistsError",
    "Recovered",
    "TargetError",
    "__version__",
    "decode",
    "encode",
    "list_models",
    "open_model",
    "read_info",
    "recover",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'cwic' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """Return the public names, loaded or not, and the modules of the package that are loaded."""
    here = (name for name, value in globals().items() if name.startswith("__") or isinstance(value, ModuleType))
    return sorted({*__all__, *here})
