"""Bad arguments of every row: the fast road refuses what the careful road refuses, with the same error.

A row's `check` puts PyTorch's words to an error; the fast road asks it only where the forward would not raise by itself
(`core.op.asked_always`). Here the arguments of every test row are spoilt, one at a time, and both roads are taken.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import rows
from rows.sample import ROWS, arguments
from wengert.core.op import TABLE, Op
from wengert.core.record import careful
from wengert.core.tensor import Tensor, wrap

for module in pkgutil.iter_modules(rows.__path__):
    importlib.import_module(f"rows.{module.name}")

_DTYPES = (np.int64, np.bool_, np.complex128, np.float32, np.float16, np.uint8)


def _spoilt_array(a: Any) -> Iterator[tuple[str, Any]]:
    for d in _DTYPES:
        if a.dtype != d:
            yield np.dtype(d).name, (a.real if a.dtype.kind == "c" and d != np.complex128 else a).astype(d)
    if a.ndim and len(a):
        yield "a dimension less", np.asarray(a[0])
    yield "a dimension more", a[None]
    if a.ndim and a.shape[-1]:
        yield "shorter rows", a[..., :-1]
    if a.ndim > 1 and a.shape[0]:
        yield "fewer rows", a[:-1]
    yield "empty", a[:0] if a.ndim else a.reshape(1)[:0]
    yield "longer", np.concatenate([a, a], -1) if a.ndim else np.stack([a, a])
    if a.dtype.kind in "iu":
        yield "negative", -1 - a
        yield "too large", a + 100


def _spoilt(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Tensor):
        for how, array in _spoilt_array(value._array):
            yield how, wrap(array)
    elif isinstance(value, str):
        yield "an unknown word", "bad"
    elif isinstance(value, float):
        yield from ((str(v), v) for v in (-1.5, 0.0))
    elif isinstance(value, int) and not isinstance(value, bool):
        yield from ((str(v), v) for v in (-7, -1, 0, 3, 9) if v != value)
    elif isinstance(value, tuple) and value and all(isinstance(v, int) for v in value):
        yield "negative", tuple(-1 - v for v in value)
        yield "too few", value[:-1]
        yield "zeros", (0,) * len(value)


def _outcome(call: Callable[[], Any]) -> Any:
    try:
        found = call()
    except Exception as error:
        return type(error), str(error)
    return [(t.shape, t.dtype) for t in (found if isinstance(found, tuple) else (found,)) if isinstance(t, Tensor)]


def _calls(op: Op) -> Iterator[tuple[str, list[Any]]]:
    for sample in ROWS[op.name]:
        given, options = arguments(sample)
        values = dict(zip((p.name for p in op.params), given, strict=False)) | options
        values = {k: v.detach() if isinstance(v, Tensor) else v for k, v in values.items()}
        full = {p.name: values.get(p.name, p.default) for p in op.params}
        if inspect.Parameter.empty in [v for v in full.values() if isinstance(v, type)]:
            continue
        for name, value in values.items():
            for how, bad in _spoilt(value):
                yield f"{name}: {how}", list((full | {name: bad}).values())


@pytest.mark.parametrize("name", sorted(n for n in ROWS if n in TABLE and TABLE[n].check is not None))
def test_both_roads_refuse_the_same(name: str) -> None:
    op = TABLE[name]
    calls = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for what, values in _calls(op):
            by_place = [v for p, v in zip(op.params, values, strict=True) if not p.keyword_only]
            by_name = {p.name: v for p, v in zip(op.params, values, strict=True) if p.keyword_only}
            fast = _outcome(lambda by_place=by_place, by_name=by_name: op.function(*by_place, **by_name))  # type: ignore[misc]
            slow = _outcome(lambda values=values: careful(op, tuple(values)))  # type: ignore[misc]
            assert fast == slow, what
            calls += 1
    assert calls
