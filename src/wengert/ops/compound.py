"""What joins several arithmetic steps in one operation: `addcmul`, `addcdiv`, `lerp`, `hypot`; and `copysign`."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.op import Array, elementwise
from .arithmetic import kind_of, not_of_integers
from .choosing import where

__all__ = ["addcdiv", "addcmul", "copysign", "hypot", "lerp"]


# -- compound --------------------------------------------------------------------------------------------------


@elementwise(
    "addcmul",
    input=1,
    tensor1=lambda tensor2, value: tensor2 * value,
    tensor2=lambda tensor1, value: tensor1 * value,
    inplace=True,
    tex="{input} + {value} {tensor1} {tensor2}",
)
def addcmul(input: Array, tensor1: Array, tensor2: Array, *, value: Any = 1) -> Any:
    """`input + value * tensor1 * tensor2`."""
    return input + (tensor1 * tensor2 if value == 1 else value * tensor1 * tensor2)


def _check_addcdiv(input: Any, tensor1: Any, tensor2: Any, value: Any) -> None:
    if max(kind_of(tensor1), kind_of(tensor2)) <= dtypes.INTEGER:
        raise RuntimeError(
            "Integer division with addcdiv is no longer supported, and in a future  release addcdiv will perform a true "
            "division of tensor1 and tensor2. The historic addcdiv behavior can be implemented as (input + value * "
            "torch.trunc(tensor1 / tensor2)).to(input.dtype) for integer inputs and as (input + value * tensor1 / "
            "tensor2) for float inputs. The future addcdiv behavior is just the latter implementation: (input + value * "
            "tensor1 / tensor2), for all dtypes."
        )


@elementwise(
    "addcdiv",
    input=1,
    tensor1=lambda tensor2, value: value / tensor2,
    tensor2=lambda tensor1, tensor2, value: -value * (tensor1 / (tensor2 * tensor2)),
    inplace=True,
    check=_check_addcdiv,
    tex=r"{input} + {value} \frac{{{tensor1}}}{{{tensor2}}}",
)
def addcdiv(input: Array, tensor1: Array, tensor2: Array, *, value: Any = 1) -> Any:
    """`input + value * tensor1 / tensor2`."""
    return input + (tensor1 / tensor2 if value == 1 else value * tensor1 / tensor2)


def value_first(name: str, method: Any) -> Any:
    """`x.addcmul_(tensor1, tensor2, value=v)`, also in the order (v, tensor1, tensor2) of PyTorch's first years."""

    def either(self: Any, *args: Any, **kwargs: Any) -> Any:
        if len(args) != 3:
            return method(self, *args, **kwargs)
        warnings.warn(
            f"This overload of {name} is deprecated:\n\t{name}(Number value, Tensor tensor1, Tensor tensor2)\nConsider using "
            f"one of the following signatures instead:\n\t{name}(Tensor tensor1, Tensor tensor2, *, Number value = 1)",
            UserWarning,
            stacklevel=2,
        )
        return method(self, *args[1:], value=args[0], **kwargs)

    either.__name__ = either.__qualname__ = name
    either.__doc__ = method.__doc__
    return either


def _check_lerp(input: Any, end: Any, weight: Any) -> None:
    for name, a in (("end", end), ("weight", weight)):
        if hasattr(a, "dtype") and a.dtype != input.dtype:
            words = [_C_WORDS.get(x.dtype.name, x.dtype.name) for x in (input, a)]
            raise RuntimeError(f"expected dtype {words[0]} for `{name}` but got dtype {words[1]}")


_C_WORDS = {"float32": "float", "float64": "double", "float16": "c10::Half", "int64": "long int"}


_C_WORDS |= {"complex64": "c10::complex<float>", "complex128": "c10::complex<double>", "int32": "int"}


@elementwise(
    "lerp",
    input=lambda weight: 1 - weight,
    end=lambda weight: weight,
    weight=lambda input, end: end - input,
    inplace=True,
    node={"": "LerpBackward1", "TTS": "LerpBackward0"},
    check=_check_lerp,
    tex="{input} + {weight} ({end} - {input})",
)
def lerp(input: Array, end: Array, weight: Array | float) -> Any:
    """`input + weight * (end - input)`, computed from the nearer end."""
    if np.ndim(weight) == 0:
        return input + weight * (end - input) if abs(weight) < 0.5 else end - (end - input) * (1 - weight)
    return np.where(np.abs(weight) < 0.5, input + weight * (end - input), end - (end - input) * (1 - weight))


@elementwise(
    "hypot",
    input=lambda input, out: input / out,
    other=lambda other, out: other / out,
    inplace=True,
    check=not_of_integers("hypot_cpu"),
)
def hypot(input: Array, other: Array) -> Any:
    """`sqrt(input**2 + other**2)` without overflow."""
    return np.hypot(input, other)


copysign = elementwise(
    "copysign",
    np.copysign,
    promote="float",
    numbers="other",
    node={"": "CopysignBackward0", "TS": "CopysignBackward1"},
    input=lambda input, out: where(input == 0, 0, out / input),
    other=0,
    inplace=True,
    domain="at 0 the derivative is taken as 0",
)
