"""Every binary operator of PyTorch's database on every pair of dtypes, of tensors, 0-dim tensors and Python numbers:
the same values, dtypes and types of exception as in PyTorch."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import pytest

import wengert

pytestmark = pytest.mark.conformance

theirs = pytest.importorskip("torch")
pytest.importorskip("ml_dtypes")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.testing._internal.common_methods_invocations import op_db
    from torch.testing._internal.opinfo.core import BinaryUfuncInfo

NAMES = sorted(
    {
        op.name
        for op in op_db
        if isinstance(op, BinaryUfuncInfo) and op.name[0] != "_" and not op.name.startswith("jiterator")
    }
)
DTYPES = [
    *("bool", "uint8", "int8", "int16", "int32", "int64"),
    *("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
]
SAMPLES = {"bool": True, "int64": 2, "float32": 2.5, "complex64": 2 + 1j}
TOLERANCE = {"float16": 2e-3, "bfloat16": 2e-2, "float32": 1.3e-5, "complex64": 1.3e-5}


def _operands(a: str, b: str) -> list[tuple[Any, Any]]:
    def tensor(name: str, dims: int) -> Any:
        values = theirs.tensor([3, 1] if dims else 3)
        return values.to(getattr(theirs, name))

    found = [(tensor(a, i), tensor(b, j)) for i, j in ((1, 1), (1, 0), (0, 1))]
    if b in SAMPLES:
        found += [(tensor(a, 1), SAMPLES[b]), (SAMPLES[b], tensor(a, 1))]
    return found


def _ours(x: Any) -> Any:
    if not isinstance(x, theirs.Tensor):
        return x
    if x.dtype is theirs.bfloat16:
        return wengert.tensor(x.float().numpy()).to(wengert.bfloat16)
    return wengert.tensor(x.numpy())


def _result(function: Any, arguments: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return function(*arguments)
        except Exception as error:
            return type(error)


def _numbers(x: Any) -> Any:
    return (x.float() if str(x.dtype) == "torch.bfloat16" else x).numpy()


def _lookup(package: Any, name: str) -> Any:
    for part in name.split("."):
        package = getattr(package, part)
    return package


def _without_half_complex(expected: Any, pair: tuple[Any, Any]) -> bool:
    """PyTorch computes in half-precision complex numbers here, or refuses to: NumPy has none."""
    dtypes = {str(x.dtype) for x in pair if isinstance(x, theirs.Tensor)}
    kinds = {d.rstrip("0123456789") for d in dtypes} | {type(x).__name__ for x in pair}
    half = "torch.float16" in dtypes and ("torch.complex" in kinds or "complex" in kinds)
    return half or str(getattr(expected, "dtype", "")) == "torch.complex32"


@pytest.mark.parametrize("name", NAMES)
def test_every_pair_of_dtypes(name: str) -> None:
    f, g = _lookup(theirs, name), _lookup(wengert, name)
    wrong, calls = [], 0
    for a, b in itertools.product(DTYPES, DTYPES):
        for pair in _operands(a, b):
            expected, found = _result(f, pair), _result(g, tuple(map(_ours, pair)))
            calls += 1
            if _without_half_complex(expected, pair):
                continue
            if isinstance(expected, type):
                # Where PyTorch has no kernel for a dtype and NumPy has, there is a result.
                if isinstance(found, type) and found is not expected and name != "polar":
                    wrong.append(f"{pair}: {expected.__name__}, not {found.__name__}")
            elif isinstance(found, type):
                wrong.append(f"{pair}: {found.__name__}")
            elif str(expected.dtype) != str(found.dtype):
                wrong.append(f"{pair}: {expected.dtype}, not {found.dtype}")
            elif not np.allclose(
                _numbers(found), _numbers(expected), TOLERANCE.get(found.dtype.name, 1e-7), 1e-6, equal_nan=True
            ):
                wrong.append(f"{pair}: {expected}, not {found}")
    assert calls == 528
    assert not wrong, "\n".join(wrong[:5])
