"""`torch._foreach_add` and its like: one function for each tensor of a list, as PyTorch's own optimizers call it.

States no operation: each is the operation of that name, called in a loop. `function("_foreach_exp_")` gives one by name.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..core.tensor import Tensor

# Functions of the tensor alone; each has an in-place form too.
_ALONE = frozenset((
    "abs", "acos", "asin", "atan", "ceil", "cos", "cosh", "erf", "erfc", "exp", "expm1", "floor", "frac", "lgamma", "log",
    "log10", "log1p", "log2", "neg", "reciprocal", "round", "rsqrt", "sigmoid", "sign", "sin", "sinh", "sqrt", "tan", "tanh",
    "trunc",
))  # fmt: skip
# Functions of a tensor and an operand: a tensor or a number for each, or one number for all.
_PAIRED = frozenset(("add", "clamp_max", "clamp_min", "div", "maximum", "minimum", "mul", "pow", "sub"))
# Extrema with a number, and in place, are PyTorch's clamps.
_CLAMPS = {"maximum": "clamp_min", "minimum": "clamp_max"}
_OPERANDS = ("other", "scalar", "scalars", "exponent")


@functools.cache
def function(name: str) -> Callable[..., Any]:
    """`torch._foreach_<...>` by its full name. AttributeError where PyTorch has none."""
    plain = name.removeprefix("_foreach_")
    base = plain.removesuffix("_")
    if base in _ALONE:
        made = _alone(name, plain)
    elif base in _PAIRED:
        made = _paired(name, base, plain != base)
    elif plain in _OTHERS:
        made = _OTHERS[plain]
    elif base in ("lerp", "addcmul", "addcdiv"):
        made = _lerp(name, plain) if base == "lerp" else _added(name, plain)
    else:
        raise AttributeError(f"module 'wengert' has no attribute {name!r}")
    made.__name__ = made.__qualname__ = name
    if made.__doc__ is None:
        made.__doc__ = (
            f"`{plain}` of each tensor of a list: a tuple, or the list itself when they are changed in place."
        )
    return made


# -- what every one of them asks of its lists ----------------------------------------------------------------------


def _tensors(name: str, value: Any, what: str, position: int) -> Any:
    if not isinstance(value, list | tuple):
        raise TypeError(
            f"{name}(): argument '{what}' (position {position}) must be tuple of Tensors, not {type(value).__name__}"
        )
    for i, t in enumerate(value):
        if not isinstance(t, Tensor):
            raise TypeError(f"expected Tensor as element {i} in argument {position - 1}, but got {type(t).__name__}")
    if not value:
        raise RuntimeError("Tensor list must have at least one tensor.")
    return value


def _matching(name: str, value: Any, what: str, position: int, count: int) -> Any:
    found = _tensors(name, value, what, position)
    if len(found) != count:
        raise RuntimeError(f"Tensor lists must have the same number of tensors, got {count} and {len(found)}")
    return found


def _spread(name: str, value: Any, count: int) -> Any:
    """An operand for each tensor: of a list its elements, of anything else the thing itself."""
    if not isinstance(value, list | tuple):
        if isinstance(value, Tensor) and value.ndim:
            raise RuntimeError(
                f"scalar tensor expected to be 0 dim but it has {value.ndim} dimensions and {value.numel()} elements."
            )
        if not isinstance(value, Tensor | bool | int | float | complex):
            raise _unknown(name, f"(list, {type(value).__name__})")
        return (value,) * count
    numbers = not (value and isinstance(value[0], Tensor))
    if len(value) != count:
        raise RuntimeError(
            "Tensor list must have same number of elements as scalar list."
            if numbers
            else f"Tensor lists must have the same number of tensors, got {count} and {len(value)}"
        )
    for i, v in enumerate(value):
        if isinstance(v, Tensor) == numbers:
            got = type(value[0] if numbers else v).__name__
            raise TypeError(f"expected Tensor as element {0 if numbers else i} in argument 1, but got {got}")
    return value


def _unknown(name: str, got: str) -> TypeError:
    return TypeError(f"{name}() received an invalid combination of arguments - got {got}: see torch.{name}.__doc__")


def _mapped(name: str, method: str, lists: Any, **kwargs: Any) -> Any:
    """`method` of the first list's tensors, with what the other lists hold for each; the first list again if in place."""
    call = getattr(Tensor, method)
    results = tuple(call(*each, **kwargs) for each in zip(*lists, strict=True))
    return lists[0] if name.endswith("_") else results


# -- the families --------------------------------------------------------------------------------------------------


def _alone(name: str, method: str) -> Callable[..., Any]:
    def function(self: Any) -> Any:
        return _mapped(name, method, (_tensors(name, self, "self", 1),))

    return function


def _paired(name: str, base: str, change: bool) -> Callable[..., Any]:
    def function(self: Any, *given: Any, alpha: Any = None, **named: Any) -> Any:
        operands = [*given, *(named.pop(k) for k in _OPERANDS if k in named)]
        if len(operands) != 1 or named or (alpha is not None and base not in ("add", "sub")):
            raise _unknown(name, f"{len(operands) + 1} arguments {', '.join(named)}".rstrip())
        if base == "pow" and isinstance(self, int | float | complex) and not change:
            return tuple(self**t for t in _tensors(name, operands[0], "exponent", 2))
        tensors = _tensors(name, self, "self", 1)
        others = _spread(name, operands[0], len(tensors))
        method = base if isinstance(others[0], Tensor) and not change else _CLAMPS.get(base, base)
        if alpha is None:
            return _mapped(name, method + "_" * change, (tensors, others))
        if not isinstance(others[0], Tensor):
            raise _unknown(name, f"(list, {type(operands[0]).__name__}, alpha={type(alpha).__name__})")
        return _mapped(name, method + "_" * change, (tensors, others), alpha=alpha)

    return function


def _lerp(name: str, method: str) -> Callable[..., Any]:
    def function(self: Any, tensors1: Any, weight: Any = None, *, weights: Any = None) -> Any:
        by = weight if weights is None else weights
        if by is None:
            raise _unknown(name, f"({type(self).__name__}, {type(tensors1).__name__})")
        tensors = _tensors(name, self, "self", 1)
        ends = _matching(name, tensors1, "tensors1", 2, len(tensors))
        return _mapped(name, method, (tensors, ends, _spread(name, by, len(tensors))))

    return function


def _added(name: str, method: str) -> Callable[..., Any]:
    def function(self: Any, tensor1: Any, tensor2: Any, value: Any = 1, *, scalars: Any = None) -> Any:
        tensors = _tensors(name, self, "self", 1)
        count = len(tensors)
        factors = value if scalars is None else scalars
        if isinstance(factors, Tensor):
            factors = factors.tolist()
        lists = (tensors, _matching(name, tensor1, "tensor1", 2, count), _matching(name, tensor2, "tensor2", 3, count))
        call = getattr(Tensor, method)
        results = tuple(call(*each, value=v) for *each, v in zip(*lists, _spread(name, factors, count), strict=True))
        return tensors if name.endswith("_") else results

    return function


def _norm(self: Any, ord: Any = 2, dtype: Any = None) -> Any:
    """The norm of each tensor of a list, all its elements together."""
    from .linalg_norms import vector_norm

    if not isinstance(ord, int | float):
        raise TypeError(f"_foreach_norm(): argument 'ord' (position 2) must be Number, not {type(ord).__name__}")
    return tuple(vector_norm(t, ord, dtype=dtype) for t in _tensors("_foreach_norm", self, "self", 1))


def _powsum(self: Any, ord: Any = 2, dtype: Any = None) -> Any:
    """The sum of each tensor's absolute values to the power of `ord`."""
    return tuple((t.abs() ** ord).sum(dtype=dtype) for t in _tensors("_foreach_powsum", self, "self", 1))


def _max(self: Any) -> Any:
    """The largest element of each tensor of a list."""
    tensors = _tensors("_foreach_max", self, "self", 1)
    if not all(t.numel() for t in tensors):
        raise RuntimeError(
            "_foreach_max cannot compute the maximum of an empty tensor; max over zero elements is undefined."
        )
    return tuple(t.max() for t in tensors)


def _clone(self: Any, *, memory_format: Any = None) -> Any:
    """A copy of each tensor of a list."""
    more = {} if memory_format is None else {"memory_format": memory_format}
    return _mapped("_foreach_clone", "clone", (_tensors("_foreach_clone", self, "self", 1),), **more)


def _mm(self: Any, mat2: Any) -> Any:
    """The matrix products of two lists' matrices."""
    left = _tensors("_foreach_mm", self, "self", 1)
    return _mapped("_foreach_mm", "mm", (left, _matching("_foreach_mm", mat2, "mat2", 2, len(left))))


def _copy(self: Any, src: Any, non_blocking: bool = False) -> Any:
    """Write each tensor of `src` into that of `self`, and return `self`."""
    to = _tensors("_foreach_copy_", self, "self", 1)
    return _mapped("_foreach_copy_", "copy_", (to, _matching("_foreach_copy_", src, "src", 2, len(to))))


_OTHERS: dict[str, Callable[..., Any]] = {
    "clone": _clone,
    "copy_": _copy,
    "max": _max,
    "mm": _mm,
    "norm": _norm,
    "powsum": _powsum,
    "zero_": _alone("_foreach_zero_", "zero_"),
}
NAMES = sorted(
    [f"_foreach_{n}{end}" for n in (*_ALONE, *_PAIRED, "lerp", "addcmul", "addcdiv") for end in ("", "_")]
    + [f"_foreach_{n}" for n in _OTHERS]
)
