"""Every test row against PyTorch itself: the same call, the same numbers, the same gradients, in float64 and float32.

Operations that PyTorch has no public name for (transposes that only rules use) are covered by `test_table.py` alone.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import numpy as np
import pytest

import rows
import wengert
from rows.sample import ROWS, arguments
from wengert.core.op import TABLE
from wengert.core.tensor import Tensor, wrap

pytestmark = pytest.mark.conformance

for module in pkgutil.iter_modules(rows.__path__):
    importlib.import_module(f"rows.{module.name}")

# Rows whose public function of the same name is a composite over them, with other arguments.
SAMPLES = [(name, i) for name, samples in sorted(ROWS.items()) for i in range(len(samples))]
# Samples that cannot be compared, and why.
PHASE = "vectors are defined up to sign or phase"
APART = {
    **dict.fromkeys(("linalg.eig", "linalg.eigh", "linalg.svd"), PHASE),
    "floor_divide": "PyTorch's result requires grad, but has no backward; here it is a constant",
    "remainder-2": "PyTorch has no derivative for a number by a tensor",
    "scatter_add-0": "PyTorch has no derivative where src is larger than the index",
    "sgn-0": "PyTorch's gradient is a tensor without memory",
    "xlogy-1": "PyTorch rounds the logarithm of a number to float32 on the way back",
    "special.xlog1py-1": "likewise",
}
# Same name, other function: ours is the row behind PyTorch's public one.
PRIVATE = {"expand", "view", "reshape"}


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch")


def find(torch: Any, name: str) -> Any:
    """PyTorch's function of this name, or None."""
    if name in PRIVATE or (not TABLE[name].method and "." not in name and not hasattr(wengert, name)):
        return None
    place: Any = torch
    for part in name.split("."):
        place = getattr(place, part, None)
        if place is None:
            return None
    return place


def to_torch(torch: Any, x: Any, dtype: Any) -> Any:
    if isinstance(x, Tensor):
        a = x.detach().numpy()
        if a.dtype.kind == "f":
            a = a.astype(dtype)
        return torch.tensor(a, requires_grad=x.requires_grad)
    if isinstance(x, (list, tuple)) and not isinstance(x, str):
        return type(x)([to_torch(torch, y, dtype) for y in x])
    if isinstance(x, wengert.dtype):
        return getattr(torch, x.name)
    return x


def to_dtype(x: Any, dtype: Any) -> Any:
    if isinstance(x, Tensor):
        a = x.detach().numpy()
        return wrap(a.astype(dtype) if a.dtype.kind == "f" else a.copy(), x.requires_grad)
    if isinstance(x, (list, tuple)) and not isinstance(x, str):
        return type(x)([to_dtype(y, dtype) for y in x])
    return x


def tensors(x: Any) -> list[Any]:
    if isinstance(x, (list, tuple)):
        return [t for y in x for t in tensors(y)]
    return [x] if hasattr(x, "requires_grad") else []


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize(("name", "i"), SAMPLES, ids=[f"{n}-{i}" for n, i in SAMPLES])
def test_same_as_pytorch(torch: Any, name: str, i: int, dtype: Any) -> None:
    theirs = find(torch, name)
    if name in APART or f"{name}-{i}" in APART:
        pytest.skip(APART.get(name) or APART[f"{name}-{i}"])
    if theirs is None:
        pytest.skip("no public name in PyTorch")
    args, kwargs = arguments(ROWS[name][i])
    ours = TABLE[name].function
    a, k = to_dtype(args, dtype), {n: to_dtype(v, dtype) for n, v in kwargs.items()}
    b, c = to_torch(torch, args, dtype), {n: to_torch(torch, v, dtype) for n, v in kwargs.items()}
    try:
        expected = theirs(*b, **c)
    except TypeError:
        pytest.skip("PyTorch's function of this name takes other arguments")
    found = ours(*a, **k)
    outs, wanted = tensors(found), tensors(expected)
    assert len(outs) == len(wanted)
    tolerance = {"rtol": 1e-9, "atol": 1e-10} if dtype is np.float64 else {"rtol": 2e-5, "atol": 2e-6}
    for o, w in zip(outs, wanted, strict=True):
        assert str(o.dtype) == str(w.dtype)
        assert tuple(o.shape) == tuple(w.shape)
        np.testing.assert_allclose(o.detach().numpy(), w.detach().resolve_conj().numpy(), **tolerance)
    pairs = [(o, w) for o, w in zip(outs, wanted, strict=True) if w.requires_grad]
    assert [o.requires_grad for o in outs] == [w.requires_grad for w in wanted]
    if not pairs:
        return
    inputs = [t for t in tensors([a, list(k.values())]) if t.requires_grad]
    theirs_in = [t for t in tensors([b, list(c.values())]) if t.requires_grad]
    rng = np.random.default_rng(3)
    starts = [
        np.asarray(rng.standard_normal(tuple(w.shape)).astype(w.detach().resolve_conj().numpy().dtype))
        for _, w in pairs
    ]
    mine = wengert.autograd.grad([o for o, _ in pairs], inputs, [wrap(s) for s in starts], allow_unused=True)
    want = torch.autograd.grad([w for _, w in pairs], theirs_in, [torch.tensor(s) for s in starts], allow_unused=True)
    for g, w in zip(mine, want, strict=True):
        if w is None or g is None:
            assert g is None or not g.detach().numpy().any()
            assert w is None or not w.numpy().any()
            continue
        np.testing.assert_allclose(g.numpy(), w.resolve_conj().numpy(), **{k: 10 * v for k, v in tolerance.items()})
