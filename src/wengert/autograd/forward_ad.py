"""Forward mode for users: dual numbers. The engine's part is `core.forward_ad`."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..core.forward_ad import close_level, open_level, strip, tangent_level
from ..core.modes import LOCAL
from ..core.tangents import attach, lie_as, tangent_at
from ..core.tensor import Tensor, wrap

__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"]


class UnpackedDualTensor(NamedTuple):
    """The parts of a dual tensor; `tangent` is None for one that is not dual."""

    primal: Tensor
    tangent: Tensor | None


def __getattr__(name: str) -> Any:
    if name == "_current_level":  # PyTorch's code asks it whether a level is open
        return len(LOCAL.dual_levels) - 1
    raise AttributeError(f"module 'wengert.autograd.forward_ad' has no attribute {name!r}")


def _is_fwd_grad_enabled() -> bool:
    """Do operations push tangents?"""
    return bool(LOCAL.push)


class _set_fwd_grad_enabled:
    """Whether operations push tangents, from here on; as a context, inside only."""

    def __init__(self, mode: bool) -> None:
        self.before, LOCAL.push = LOCAL.push, mode

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exc: Any) -> None:
        LOCAL.push = self.before


def enter_dual_level() -> int:
    """Open the level in which dual tensors live; there is one at a time."""
    if LOCAL.dual_level >= 0:
        raise RuntimeError("Nested forward mode AD is not supported at the moment. Use wengert.func.jvp, which nests.")
    open_level()
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """Close the level: tangents made in it are gone."""
    level = len(LOCAL.dual_levels) - 1 if level is None else level
    if level < 0:
        raise RuntimeError("Dual level must be a positive number.")
    if level != len(LOCAL.dual_levels) - 1:
        raise RuntimeError(
            "Trying to exit a forward AD level that was not the last one that was created. This is not supported."
        )
    close_level()


class dual_level:
    """`with dual_level():` dual tensors live in the block."""

    def __enter__(self) -> int:
        self.level = enter_dual_level()
        return self.level

    def __exit__(self, *exc: Any) -> None:
        exit_dual_level(level=self.level)


def _number(level: int | None) -> int:
    """The engine's number of an open level; -1 for none."""
    if level is None:
        return LOCAL.dual_level
    return LOCAL.dual_levels[level] if 0 <= level < len(LOCAL.dual_levels) else -1


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """A tensor with a tangent of the same shape and dtype: what is computed with it carries tangents along."""
    number = _number(level)
    if number < 0 and level is not None and level >= 0:
        raise RuntimeError(
            "Trying to access a forward AD level with an invalid index. This index was either not created or is already "
            "deleted."
        )
    if number < 0:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first."
        )
    for name, t in (("primal", tensor), ("tangent", tangent)):
        if not (t.is_floating_point() or t.is_complex()):
            raise ValueError(f"Expected {name} to be floating point or complex, but got: {t.dtype}")
    if tensor._array.shape != tangent._array.shape:
        raise RuntimeError(
            "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not "
            f"supported. Tensor is of size {list(tensor.shape)} while the given forward gradient is of size "
            f"{list(tangent.shape)}."
        )
    if tangent.is_complex() and not tensor.is_complex():
        raise RuntimeError(
            f"Expected tangent to have the same dtype as primal, but got: {tangent.dtype} and {tensor.dtype}"
        )
    tangent = tangent.to(tensor.dtype)
    if tangent_at(tensor, number) is not None:
        raise RuntimeError(
            "Making a dual Tensor based on a Tensor that already has a forward gradient at the same level "
            f"{LOCAL.dual_levels.index(number)} is not supported."
        )
    if tangent_at(tangent, number) is not None:
        raise RuntimeError(
            "Setting a forward grad that itself has a forward gradient at the same level "
            f"{LOCAL.dual_levels.index(number)} is not supported."
        )
    dual = tensor.view_as(tensor) if tensor._rg or tangent_level(tensor) >= 0 else wrap(tensor._array)
    if tensor._vc is None:
        tensor._vc = [0, None]
    dual._vc = tensor._vc  # a change in place of either is one of both
    return attach(dual, lie_as(tangent, dual), number)


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """`(primal, tangent)` of a dual tensor."""
    number = _number(level)
    if not isinstance(tensor, Tensor):
        raise TypeError(f"unpack_dual(): argument 'tensor' (position 1) must be Tensor, not {type(tensor).__name__}")
    if number < 0:
        return UnpackedDualTensor(tensor, None)
    return UnpackedDualTensor(strip(tensor, number), tangent_at(tensor, number))
