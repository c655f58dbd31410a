"""The errors that cwic raises on purpose. Each has the exit code of the command line."""

from __future__ import annotations


class CwicError(Exception):
    """Base of all of cwic's own errors. `exit_code` is what the `cwic` command returns for it."""

    exit_code = 1


class InputError(CwicError):
    """The picture given cannot be read or is of a kind that cwic does not code."""


class FormatError(CwicError):
    """A file is damaged, is not a cwic file, or needs a newer version of cwic."""

    exit_code = 3


class NewerFormatError(FormatError):
    """A file needs a newer version of cwic: nothing says that it is damaged."""


class LimitError(FormatError):
    """A file or a picture asks for more than the limits allow. Raised before memory is taken."""


class ModelError(CwicError):
    """A model is unknown, its weights are missing or malformed, or are not those a file was written with."""

    exit_code = 4


class TargetError(CwicError):
    """A requested size or fidelity is out of reach for this picture and model."""

    exit_code = 5


class OutputExistsError(CwicError):
    """The output file exists already and overwriting was not asked for."""

    exit_code = 6
