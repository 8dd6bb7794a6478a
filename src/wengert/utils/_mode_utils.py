"""`no_dispatch` of torch.utils._mode_utils."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def no_dispatch() -> Iterator[None]:
    """Changes nothing: an operation goes through no dispatcher here."""
    yield
