"""Forward mode for users: dual numbers. The engine's part is `core.forward_ad`."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..core.forward_ad import attach, strip, tangent_at
from ..core.modes import LOCAL, set_mode
from ..core.tensor import Tensor, wrap

__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"]


class UnpackedDualTensor(NamedTuple):
    """The parts of a dual tensor; `tangent` is None for one that is not dual."""

    primal: Tensor
    tangent: Tensor | None


def enter_dual_level() -> int:
    """Open the level in which dual tensors live; there is one at a time."""
    if LOCAL.dual_level >= 0:
        raise RuntimeError(
            "Nested forward mode AD is not supported at the moment. Use wengert.func.jvp, which nests."
        )
    set_mode("dual_level", 0)
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """Close the level: tangents made in it are gone."""
    current = LOCAL.dual_level
    level = current if level is None else level
    if level != current or current < 0:
        raise RuntimeError(
            "Trying to exit a forward AD level that was not the last one that was created. This is not supported."
        )
    set_mode("dual_level", -1)


class dual_level:
    """`with dual_level():` dual tensors live in the block."""

    def __enter__(self) -> int:
        self.level = enter_dual_level()
        return self.level

    def __exit__(self, *exc: Any) -> None:
        exit_dual_level(level=self.level)


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """A tensor with a tangent of the same shape and dtype: what is computed with it carries tangents along."""
    level = LOCAL.dual_level if level is None else level
    if level < 0:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first."
        )
    for name, t in (("primal", tensor), ("tangent", tangent)):
        if not (t.is_floating_point() or t.is_complex()):
            raise ValueError(f"Expected {name} to be floating point or complex, but got: {t.dtype}")
    if tensor._array.shape != tangent._array.shape:
        raise RuntimeError(
            f"Expected tangent to have the same size as primal, but got: {list(tangent.shape)} and {list(tensor.shape)}"
        )
    if tensor.dtype is not tangent.dtype:
        raise RuntimeError(
            f"Expected tangent to have the same dtype as primal, but got: {tangent.dtype} and {tensor.dtype}"
        )
    if tangent_at(tensor, level) is not None:
        raise RuntimeError("make_dual: the tensor already has a tangent at this level")
    dual = tensor.view_as(tensor) if tensor._rg else wrap(tensor._array)  # type: ignore[attr-defined]
    return attach(dual, tangent, level)


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """`(primal, tangent)` of a dual tensor."""
    level = LOCAL.dual_level if level is None else level
    if level < 0:
        return UnpackedDualTensor(tensor, None)
    return UnpackedDualTensor(strip(tensor, level), tangent_at(tensor, level))
