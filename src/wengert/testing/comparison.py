"""`assert_close`: are two results equal up to rounding? In nested containers, too; the message says where they differ most.

Two numbers are close if |actual - expected| <= atol + rtol |expected|. The tolerances depend on the dtype; integers and
booleans must be equal.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.tensor import Tensor

_TOLERANCES = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
}
Message = str | Callable[[str], str] | None
Found = tuple[str, tuple[Any, ...]] | None  # the message, and where in the containers


@dataclass(frozen=True)
class _Rules:
    """What counts as equal."""

    rtol: float | None
    atol: float | None
    equal_nan: bool
    check_dtype: bool
    check_stride: bool
    allow_subclasses: bool
    least: tuple[float, float] = (0.0, 0.0)  # of (rtol, atol), where they follow from the dtypes
    first: Callable[[Any, Any, Any], Any] | None = None  # asked before the pairs below; Ellipsis: not one of its own

    def tolerances(self, *found: dtypes.dtype) -> tuple[float, float]:
        """(rtol, atol), the wider ones of the dtypes unless given."""
        if self.rtol is not None and self.atol is not None:
            return self.rtol, self.atol
        pairs = [_TOLERANCES.get(d.name, (0.0, 0.0)) for d in found]
        pairs.append(self.least)
        return max(r for r, _ in pairs), max(a for _, a in pairs)


def assert_close(
    actual: Any, expected: Any, *, allow_subclasses: bool = True, rtol: float | None = None, atol: float | None = None,
    equal_nan: bool = False, check_device: bool = True, check_dtype: bool = True, check_layout: bool = True,
    check_stride: bool = False, msg: Message = None,
) -> None:  # fmt: skip
    """AssertionError, in PyTorch's words, unless `actual` and `expected` are close: tensors, arrays, numbers, or sequences and
    mappings of them. `msg` replaces the message, or makes one of it. TypeError for other things.
    """
    __tracebackhide__ = True  # pytest shows the caller's line
    if (rtol is None) != (atol is None):
        raise ValueError(
            "Both 'rtol' and 'atol' must be either specified or omitted, but got no "
            f"{'rtol' if rtol is None else 'atol'}."
        )
    _raise(
        _difference(actual, expected, _Rules(rtol, atol, equal_nan, check_dtype, check_stride, allow_subclasses)), msg
    )


def _raise(found: Found, msg: Message) -> None:
    __tracebackhide__ = True
    if found is None:
        return
    text, path = found
    if path:
        text += f"\n\nThe failure occurred for item {''.join(f'[{p!r}]' for p in path)}"
    raise AssertionError(msg(text) if callable(msg) else text if msg is None else msg)


def assert_allclose(
    actual: Any,
    expected: Any,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = True,
    msg: str = "",
) -> None:
    """The older `assert_close`: arrays and numbers become tensors first, and dtypes may differ."""
    warnings.warn(
        "`torch.testing.assert_allclose()` is deprecated since 1.12 and will be removed in a future release. "
        "Please use `torch.testing.assert_close()` instead.",
        FutureWarning,
        stacklevel=2,
    )
    from ..ops.creation import tensor

    actual, expected = (x if isinstance(x, Tensor) else tensor(x) for x in (actual, expected))
    assert_close(
        actual, expected, rtol=rtol, atol=atol, equal_nan=equal_nan, check_dtype=False, msg=msg or None
    )  # fmt: skip


def _difference(a: Any, b: Any, rules: _Rules) -> Found:
    if rules.first is not None and (found := rules.first(a, b, rules)) is not ...:
        return found
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        if not rules.allow_subclasses and type(a) is not type(b):
            raise _cannot(a, b)
        return _tensors(a, b, rules)
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        from ..ops.creation import from_numpy

        return _tensors(from_numpy(a), from_numpy(b), rules)
    booleans = (bool, np.bool_)
    if isinstance(a, booleans) and isinstance(b, booleans):
        return None if bool(a) == bool(b) else (f"Booleans mismatch: {bool(a)} is not {bool(b)}", ())
    numbers = (int, float, complex, np.number)
    if isinstance(a, numbers) and isinstance(b, numbers):
        return _numbers(a, b, rules)
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return _mappings(a, b, rules)
    plain = not isinstance(a, str) and not isinstance(b, str)
    if isinstance(a, Sequence) and isinstance(b, Sequence) and plain:
        if len(a) != len(b):
            return f"The length of the sequences mismatch: {len(a)} != {len(b)}", ()
        return _first(((i, x, y) for i, (x, y) in enumerate(zip(a, b, strict=True))), rules)
    if a is None and b is None:
        return None
    if a is None or b is None:
        return f"None mismatch: {a} is not {b}", ()
    raise _cannot(a, b)


def _cannot(a: Any, b: Any) -> TypeError:
    return TypeError(f"No comparison pair was able to handle inputs of type {type(a)} and {type(b)}.")


def _first(items: Any, rules: _Rules) -> Found:
    for key, x, y in items:
        found = _difference(x, y, rules)
        if found is not None:
            return found[0], (key, *found[1])
    return None


def _mappings(a: Mapping[Any, Any], b: Mapping[Any, Any], rules: _Rules) -> Found:
    missing, more = [k for k in b if k not in a], [k for k in a if k not in b]
    if missing or more:
        text = "The keys of the mappings do not match:"
        if missing:
            text += f"\nMissing keys in the actual mapping: {sorted(missing)}"
        if more:
            text += f"\nAdditional keys in the actual mapping: {sorted(more)}"
        return text, ()
    return _first(((k, a[k], b[k]) for k in b), rules)


def _numbers(a: Any, b: Any, rules: _Rules) -> Found:
    kinds = [dtypes.complex128 if isinstance(x, (complex, np.complexfloating)) else
             dtypes.float64 if isinstance(x, (float, np.floating)) else dtypes.int64 for x in (a, b)]  # fmt: skip
    if rules.check_dtype and kinds[0] is not kinds[1]:
        return f"The (d)types do not match: {type(a)} != {type(b)}.", ()
    if kinds[0] is not kinds[1]:
        a, b = a * 1.0, b * 1.0
    rtol, atol = rules.tolerances(*kinds)
    if _close(np.asarray(a), np.asarray(b), rtol, atol, rules.equal_nan).all():
        return None
    return _scalars(a, b, rtol, atol), ()


def _scalars(a: Any, b: Any, rtol: float, atol: float) -> str:
    exact = rtol == atol == 0
    far = abs(a - b)
    relative = far / abs(b) if b != 0 else float("inf")
    text = f"Scalars are not {'equal' if exact else 'close'}!\n\nExpected {b} but got {a}.\nAbsolute difference: {far}"
    text += "" if exact else f" (up to {atol} allowed)"
    return text + f"\nRelative difference: {relative}" + ("" if exact else f" (up to {rtol} allowed)")


def _tensors(a: Tensor, b: Tensor, rules: _Rules) -> Found:
    for name, x, y in (("shape", a.shape, b.shape), ("dtype", a.dtype, b.dtype)):
        if x != y and (name == "shape" or rules.check_dtype):
            return f"The values for attribute '{name}' do not match: {x} != {y}.", ()
    if rules.check_stride and a.stride() != b.stride():
        return f"The values for attribute 'stride()' do not match: {a.stride()} != {b.stride()}.", ()
    rtol, atol = rules.tolerances(a.dtype, b.dtype)
    if a.dtype is not b.dtype:
        common = dtypes.promote_types(a.dtype, b.dtype)
        a, b = a.to(common), b.to(common)
    x, y = a.detach()._array, b.detach()._array
    if x.dtype.kind in "bu" or x.dtype.kind == "i":
        x, y = x.astype(np.int64), y.astype(np.int64)
    elif a.dtype is dtypes.bfloat16:
        x, y = x.astype(np.float32), y.astype(np.float32)
    close = _close(x, y, rtol, atol, rules.equal_nan)
    if close.all():
        return None
    if x.ndim == 0:
        return _scalars(x.item(), y.item(), rtol, atol), ()
    exact = rtol == atol == 0
    wrong = int((~close).sum())
    far = np.where(close, 0, np.abs(x - y))
    relative = np.where(close, 0, np.abs((far / np.abs(y)).astype(np.float32 if exact else far.dtype)))
    text = f"Tensor-likes are not {'equal' if exact else 'close'}!\n\n"
    text += f"Mismatched elements: {wrong} / {x.size} ({wrong / x.size:.1%})"
    for what, values, limit in (("absolute", far, atol), ("relative", relative, rtol)):
        at = np.unravel_index(int(np.argmax(values)), values.shape)
        text += f"\nGreatest {what} difference: {values[at].item()} at index {tuple(map(int, at))}"
        text += "" if exact else f" (up to {limit} allowed)"
    return text, ()


def _close(a: Any, b: Any, rtol: float, atol: float, equal_nan: bool) -> Any:
    """Which elements are close. An infinity is close to itself only."""
    with np.errstate(all="ignore"):
        close = (a == b) | (np.isfinite(b) & (np.abs(a - b) <= atol + rtol * np.abs(b)))
        return close | (np.isnan(a) & np.isnan(b)) if equal_nan else close
