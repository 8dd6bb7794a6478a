"""Methods, in-place forms and `out=` of every operator in PyTorch's database, against PyTorch itself."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import numpy as np
import pytest

import wengert

pytestmark = pytest.mark.conformance

theirs = pytest.importorskip("torch")

# In another order, or up to sign.
RANDOM = {
    "cauchy_",
    "exponential_",
    "geometric_",
    "log_normal_",
    "normal_",
    "uniform_",
    "new_empty",
    "new_empty_strided",
}
APART = {"svd": "vectors are defined up to sign", "chalf": "NumPy has no such numbers", "to_sparse": "declined"}


def _database() -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
    return list(op_db)


def _ours(x: Any) -> Any:
    if isinstance(x, theirs.Tensor):
        return wengert.tensor(np.array(x.detach().numpy(), copy=True))
    if isinstance(x, (theirs.dtype, theirs.memory_format)):
        return getattr(wengert, str(x).removeprefix("torch."))
    if isinstance(x, slice):
        return slice(_ours(x.start), _ours(x.stop), _ours(x.step))
    return type(x)(_ours(y) for y in x) if type(x) in (list, tuple) else x


def _numbers(x: Any) -> Any:
    if x.dtype in (theirs.bfloat16, wengert.bfloat16):
        x = x.float()
    x = x.detach()
    return (x.resolve_conj().resolve_neg() if isinstance(x, theirs.Tensor) else x).numpy()


def _compare(a: Any, b: Any, where: str) -> None:
    if isinstance(a, theirs.Tensor):
        x, y = _numbers(a), _numbers(b)
        assert x.shape == y.shape, where
        assert x.dtype == y.dtype, where
        np.testing.assert_allclose(y, x, rtol=1e-6, atol=1e-8, equal_nan=True, err_msg=where)
    elif isinstance(a, (tuple, list)) and not isinstance(a, theirs.Size):
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            _compare(x, y, f"{where}[{i}]")


def _samples(op: Any, count: int) -> list[Any]:
    dtypes = (theirs.float64, theirs.float32, theirs.complex128, theirs.int64, theirs.bool)
    dtype = next((d for d in dtypes if d in op.dtypes), None)
    if dtype is None:
        return []
    try:
        found = [s for s in op.sample_inputs("cpu", dtype) if isinstance(s.input, theirs.Tensor)]
    except Exception:  # an operator that the CPU does not have
        return []
    return [s for s in found if s.input.layout == theirs.strided][:: max(1, len(found) // count)][:count]


@pytest.mark.parametrize("form", ["method", "inplace"])
def test_methods(form: str) -> None:
    calls = 0
    wrong = []
    for op in _database():
        variant = getattr(op, form + "_variant")
        name = getattr(variant, "__name__", None)
        if not name or not hasattr(theirs.Tensor, name) or name in APART:
            continue
        for sample in _samples(op, 5):
            x = sample.input.detach().clone()
            try:
                y, args, options = _ours(x), _ours(tuple(sample.args)), {k: _ours(v) for k, v in sample.kwargs.items()}
                expected = variant(x, *sample.args, **sample.kwargs)
            except Exception:  # a sample of a sparse tensor, say
                continue
            try:
                found = getattr(y, name)(*args, **options)
                if name not in RANDOM:
                    _compare(expected, found, f"{op.name} {args}")
                assert form == "method" or found is y, f"{name} returns another tensor"
            except Exception as error:
                wrong.append(f"{name}{args}: {error}")
                break
            calls += 1
    assert not wrong, "\n".join(wrong)
    assert calls > 300


def test_out_where_pytorch_has_it() -> None:
    """By PyTorch's own schemas, those apart that are generated for its compiler."""
    without = []
    for prefix in ("", "special", "linalg", "fft"):
        theirs_, ours = (getattr(t, prefix) if prefix else t for t in (theirs, wengert))
        for name in dir(theirs_):
            packet = getattr(theirs.ops.aten, f"{prefix}_{name}" if prefix else name, None)
            function = getattr(ours, name, None)
            if name.startswith("_") or not callable(function) or not hasattr(packet, "overloads"):
                continue
            overloads = [getattr(packet, o) for o in packet.overloads()]
            has_out = any(
                a.is_out for o in overloads if theirs.Tag.generated not in o.tags for a in o._schema.arguments
            )
            parameters = inspect.signature(function).parameters
            if has_out and "out" not in parameters and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
                without.append(f"{prefix}.{name}")
    assert not set(without) - {".native_batch_norm"}


def test_tensor_has_every_method() -> None:
    missing = {n for n in dir(theirs.Tensor) if not n.startswith("_") and not hasattr(wengert.Tensor, n)}
    assert missing <= {"index", "slice_inverse"}, missing
