"""Switches of recording under the names PyTorch has them by. The switches themselves are `core.modes`'s."""

from __future__ import annotations

from typing import Any

from ..core.modes import LOCAL, set_mode
from ..core.modes import enable_grad as enable_grad
from ..core.modes import inference_mode as inference_mode
from ..core.modes import no_grad as no_grad
from ..core.modes import set_grad_enabled as set_grad_enabled
from ..core.tensor import Tensor

__all__ = ["enable_grad", "inference_mode", "no_grad", "set_grad_enabled", "set_multithreading_enabled"]


class _Ignored:
    """A switch that is remembered and changes nothing: there is one way to do it here."""

    enabled = True

    def __init__(self, mode: bool) -> None:
        self.before = type(self).enabled
        self.mode = type(self).enabled = bool(mode)

    def __enter__(self) -> None:
        type(self).enabled = self.mode

    def __exit__(self, *exc: Any) -> None:
        type(self).enabled = self.before


class set_multithreading_enabled(_Ignored):
    """Accepted and remembered: a backward pass runs on the thread that asks for it."""


class _force_original_view_tracking:
    """Views made while `mode` is True are rebuilt, when they or their base are changed in place, by the operations that made
    them; others by one `AsStridedBackward0`. At once when called, until the end of the block when used as a context.
    """

    def __init__(self, mode: bool) -> None:
        self.mode = bool(mode)
        self.before = set_mode("view_replay", self.mode)

    def __enter__(self) -> None:
        set_mode("view_replay", self.mode)

    def __exit__(self, *exc: Any) -> None:
        set_mode("view_replay", self.before)


class _unsafe_preserve_version_counter:
    """Inside, changes in place of these tensors do not count: backward will not notice them."""

    def __init__(self, tensors: Tensor | tuple[Tensor, ...]) -> None:
        self.tensors = (tensors,) if isinstance(tensors, Tensor) else tuple(tensors)
        self.versions = tuple(t._vc[0] if t._vc is not None else 0 for t in self.tensors)

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exc: Any) -> None:
        for t, version in zip(self.tensors, self.versions, strict=True):
            if t._vc is not None:
                t._vc[0] = version


def is_multithreading_enabled() -> bool:
    return set_multithreading_enabled.enabled


def is_view_replay_enabled() -> bool:
    return LOCAL.view_replay
