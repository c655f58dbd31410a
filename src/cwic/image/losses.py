"""Warnings that name what a file does not keep of a picture. The command line prints them as lines."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager


class LossWarning(UserWarning):
    """Something of a picture that a file does not keep. `warnings.simplefilter("ignore", LossWarning)` silences it."""


def warn_of(losses: Sequence[str], stacklevel: int = 3) -> None:
    """One warning that names all that is left out; none where nothing is."""
    if losses:
        warnings.warn(LossWarning(f"left out: {', '.join(losses)}"), stacklevel=stacklevel)


@contextmanager
def losses_to(say: Callable[[str], None], kind: type[Warning] = LossWarning) -> Iterator[None]:
    """Inside, every warning of that `kind` is a call of `say` with its text; others go where they went."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", kind)
        shown = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: object) -> None:
            if issubclass(category, kind):
                say(str(message))
            else:
                shown(message, category, *place)  # type: ignore[arg-type]

        warnings.showwarning = show  # type: ignore[assignment]
        yield
