"""What the tables of linear algebra have in common: PyTorch's errors about matrices, and small matrix notation for rules.

No operation is stated here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.batched import Batched, is_at, run_forward
from ..core.forward_ad import has_tangents
from ..core.modes import LOCAL, MODES
from ..core.op import TABLE, asked_always
from .complex import _is_complex, real
from .parts import narrow
from .shape import unsqueeze


class LinAlgError(RuntimeError):
    """Raised where a matrix does not allow what was asked: it is singular, or not positive-definite."""


LinAlgError.__module__ = "torch._C"
LinAlgError.__qualname__ = LinAlgError.__name__ = "_LinAlgError"


# -- checks: of arrays or Tensors --------------------------------------------------------------------------------


def word(x: Any) -> str:
    """The dtype as PyTorch's messages have it."""
    return x.dtype.tensor_type if isinstance(x.dtype, dtypes.dtype) else dtypes.of(x.dtype).tensor_type


def at_least_matrix(name: str, a: Any, arg: str = "A") -> None:
    if a.ndim < 2:
        raise RuntimeError(f"{name}: The input tensor {arg} must have at least 2 dimensions.")


def floating(name: str, a: Any) -> None:
    kind = np.dtype(a.dtype.np if isinstance(a.dtype, dtypes.dtype) else a.dtype)
    if kind.kind not in "fcV":
        raise RuntimeError(f"{name}: Expected a floating point or complex tensor as input. Got {word(a)}")
    if kind.itemsize == 2:
        raise RuntimeError(f"{name}: Low precision dtypes not supported. Got {word(a)}")


def square(name: str, a: Any, arg: str = "A") -> None:
    at_least_matrix(name, a, arg)
    if a.shape[-1] != a.shape[-2]:
        raise RuntimeError(
            f"{name}: {arg} must be batches of square matrices, but they are {a.shape[-2]} by {a.shape[-1]} matrices"
        )


def checked(name: str, *checks: Callable[..., None]) -> Callable[..., None]:
    """A row's `check` of its first argument."""

    @asked_always
    def check(a: Any, *rest: Any) -> None:
        for c in checks:
            c(name, a)

    return check


def same_dtype(name: str, a: Any, b: Any, names: tuple[str, str] = ("A", "B")) -> None:
    if a.dtype != b.dtype:
        raise RuntimeError(
            f"{name}: Expected {names[0]} and {names[1]} to have the same dtype, but found {names[0]} of type {word(a)} "
            f"and {names[1]} of type {word(b)} instead"
        )


def broadcastable(name: str, a: Any, b: Any) -> None:
    if a.shape[:-2] == b.shape[:-2]:
        return
    try:
        np.broadcast_shapes(tuple(a.shape[:-2]), tuple(b.shape[:-2]))
    except ValueError:
        from ..core.record import broadcast_check

        broadcast_check([np.empty(a.shape[:-2]), np.empty(b.shape[:-2])])


def refuse(info: Any, name: str, why: str) -> None:
    """Raise LinAlgError if some matrix failed. `why` tells it with the `{}` of LAPACK's number."""
    array = plain(info)
    if array is None or not array.any():
        return
    if array.ndim == 0:
        raise LinAlgError(f"{name}: " + why.format(int(array)))
    flat = array.reshape(-1)
    i = int(np.flatnonzero(flat)[0])
    raise LinAlgError(f"{name}: (Batch element {i}): " + why.format(int(flat[i])))


def plain(x: Any) -> Any:
    """The numbers of an array or Tensor, or None where there are none to look at (symbols, inside vmap)."""
    array = getattr(x, "_array", x)
    return array if isinstance(array, (np.ndarray, np.generic)) else None


def derivative_wanted(*tensors: Any) -> bool:
    """Will a derivative be asked of what is computed from these?"""
    if MODES.active and LOCAL.dual_level >= 0 and has_tangents(list(tensors)):
        return True
    return (not MODES.active or LOCAL.grad) and any(getattr(t, "_rg", False) for t in tensors)


# -- notation ----------------------------------------------------------------------------------------------------


def mH(x: Any) -> Any:
    """The conjugate transpose of each matrix."""
    return x.mT.conjugate()


def real_part(x: Any) -> Any:
    return real(x)


def is_complex(x: Any) -> bool:
    return _is_complex(x)


def identity(n: int, like: Any) -> Any:
    """The identity as a constant (an array) in the dtype of `like`."""
    return np.eye(n, dtype=like.dtype.np if isinstance(like.dtype, dtypes.dtype) else like.dtype)


def columns(x: Any, start: int, count: int) -> Any:
    return narrow(x, -1, start, count)


def rows(x: Any, start: int, count: int) -> Any:
    return narrow(x, -2, start, count)


def column_vector(x: Any) -> Any:
    return unsqueeze(x, -1)


def row_vector(x: Any) -> Any:
    return unsqueeze(x, -2)


# -- vmap --------------------------------------------------------------------------------------------------------


def stacked(*cores: int) -> Callable[..., Any]:
    """How vmap maps a row that treats leading dimensions as a batch; `cores`: how many last ones each tensor means."""

    def rule(op: Any, args: list[Any], level: int, size: int) -> Any:
        positions = [i for i, p in enumerate(op.params) if p.is_tensor and args[i] is not None]
        spans = {i: np.ndim(_seen(args[i])) - core for i, core in zip(positions, cores, strict=False)}
        lead = max(spans.values())
        new = list(args)
        for i in positions:
            a = args[i]
            v = a.value if is_at(a, level) else a
            if is_at(a, level) and spans[i] < lead:
                v = v.reshape((v.shape[0], *(1,) * (lead - spans[i]), *v.shape[1:]))
            elif (
                not is_at(a, level) and len(op.outputs) > 1
            ):  # what is told of this argument alone must be told for each
                v = TABLE["expand"].function(v, (size, *(1,) * (lead - spans[i]), *np.shape(_seen(v))))
            new[i] = v
        return run_forward(op, new)

    return rule


def _seen(a: Any) -> Any:
    return np.empty(a.shape) if a.__class__ is Batched else a
