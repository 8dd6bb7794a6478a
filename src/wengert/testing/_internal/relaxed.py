"""Which things `TestCase.assertEqual` takes for equal: more pairs than `assert_close`, in the same containers.

A number and a tensor of one element, an array and a tensor, strings, sets, types, storages; anything else by `==`. Numbers are
compared as float32 would be.
"""

from __future__ import annotations

import unittest
from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np

from ...core.storage import TypedStorage, UntypedStorage
from ...core.tensor import Tensor
from ..comparison import _TOLERANCES, Found, _close, _difference, _Rules, _scalars, _tensors

_ASSERTIONS = unittest.TestCase()
_ASSERTIONS.maxDiff = None
_NUMBERS = (int, float, complex, np.number)
_BOOLEANS = (bool, np.bool_)
_ARRAYS = (Tensor, np.ndarray)


def difference(a: Any, b: Any, rules: _Rules) -> Found:
    """None if equal; else the message, and where in the containers. A sequence is compared with a tensor as a tensor."""
    from ...ops.creation import tensor

    if isinstance(a, Tensor) and isinstance(b, Sequence):
        b = tensor(b, dtype=a.dtype)
    elif isinstance(a, Sequence) and isinstance(b, Tensor):
        a = tensor(a, dtype=b.dtype)
    return _difference(a, b, rules)


def pairs(a: Any, b: Any, rules: _Rules) -> Any:
    """The difference of two things that `assert_close` would not compare, or not so; Ellipsis for what it would."""
    if a is None or b is None:
        text = a if not isinstance(a, Tensor) or a.numel() != 1 else a.item()
        return None if a is b else (f"None mismatch: {text} is not {b}", ())
    if isinstance(a, str) and isinstance(b, str):
        return _by_unittest("String", a, b)
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return ...
    if isinstance(a, Sequence) and isinstance(b, Sequence) and not isinstance(a, str) and not isinstance(b, str):
        return ...
    if _either(a, b, _BOOLEANS):
        x, y = _alone(a, "boolean"), _alone(b, "boolean")
        return None if bool(x) == bool(y) else (f"Booleans mismatch: {bool(x)} is not {bool(y)}", ())
    if _either(a, b, (*_NUMBERS, *_BOOLEANS)):
        return _numbers(_alone(a, "number"), _alone(b, "number"), rules)
    if isinstance(a, _ARRAYS) and isinstance(b, _ARRAYS):
        return _tensors(_tensor(a), _tensor(b), rules)
    if isinstance(a, (TypedStorage, UntypedStorage)) and isinstance(b, (TypedStorage, UntypedStorage)):
        return _difference(a.tolist(), b.tolist(), rules)
    if isinstance(a, Set) and isinstance(b, Set):
        return _by_unittest("Set", a, b)
    if isinstance(a, type) and isinstance(b, type):
        return None if a == b else (f"Type comparison failed: {a} != {b}", ())
    return None if a == b else (f"Object comparison failed: {a!r} != {b!r}", ())


def _either(a: Any, b: Any, kinds: tuple[Any, ...]) -> bool:
    """One of them is of these kinds, and the other too, or an array of some element."""
    return (isinstance(a, kinds) and isinstance(b, (*kinds, *_ARRAYS))) or (
        isinstance(b, kinds) and isinstance(a, _ARRAYS)
    )


def _alone(x: Any, what: str) -> Any:
    if not isinstance(x, _ARRAYS):
        return x
    count = x.numel() if isinstance(x, Tensor) else x.size
    if count != 1:
        raise ValueError(
            f"Only single element tensor-likes can be compared against a {what}. Got {count} elements instead."
        )
    return x.item()


def _tensor(x: Any) -> Tensor:
    if isinstance(x, Tensor):
        return x
    from ...ops.creation import from_numpy

    # Copied if it must be: these are numbers to look at, in whatever order they lie.
    return from_numpy(x if x.flags.writeable and all(s >= 0 for s in x.strides) else x.copy())


def _numbers(a: Any, b: Any, rules: _Rules) -> Found:
    names = ["complex64" if isinstance(x, (complex, np.complexfloating)) else
             "float32" if isinstance(x, (float, np.floating)) else "int64" for x in (a, b)]  # fmt: skip
    if rules.rtol is not None and rules.atol is not None:
        rtol, atol = rules.rtol, rules.atol
    else:
        found = [_TOLERANCES.get(name, (0.0, 0.0)) for name in names]
        rtol, atol = (max(kept, *values) for kept, values in zip(rules.least, zip(*found, strict=True), strict=True))
    if names[0] != names[1]:
        a, b = a * 1.0, b * 1.0
    return None if _close(np.asarray(a), np.asarray(b), rtol, atol, rules.equal_nan).all() else (
        _scalars(a, b, rtol, atol), ())  # fmt: skip


def _by_unittest(what: str, a: Any, b: Any) -> Found:
    try:
        (_ASSERTIONS.assertMultiLineEqual if what == "String" else _ASSERTIONS.assertSetEqual)(a, b)
    except AssertionError as error:
        return f"{what} comparison failed: {error}", ()
    return None
