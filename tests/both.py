"""Running the same program in both libraries: `compare(program)` calls `program(torch)` with each and compares what it returns.

Tensors are compared by shape, dtype and numbers, exceptions by type and message, everything else exactly.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import wengert


def _plain(x: Any) -> Any:
    if hasattr(x, "detach"):
        return x.detach().resolve_conj().numpy()
    if isinstance(x, dict):
        return {k: _plain(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [_plain(v) for v in x]
    if isinstance(x, str):
        return x.replace("wengert.", "").replace("torch.", "")
    if isinstance(x, (bool, int, float, type(None))):
        return x
    return _plain(str(x))


def run(program: Callable[[Any], Any], library: Any, seed: int = 3, unheard: tuple[str, ...] = ()) -> Any:
    """What the program returns, or which error it raises, and its warnings except those `unheard`."""
    library.manual_seed(seed)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = program(library)
        except Exception as error:
            result = [type(error).__name__, str(error)]
    return _plain([result, sorted({str(w.message) for w in caught} - set(unheard))])


def _short(x: Any) -> str:
    text = str(x)
    return text if len(text) < 300 else text[:300] + " ..."


def same(a: Any, b: Any, path: str, rtol: float, atol: float) -> None:
    """Raise if PyTorch's `a` and our `b` differ."""
    if isinstance(a, np.ndarray):
        assert isinstance(b, np.ndarray), f"{path}: {a} {b}"
        assert (a.shape, a.dtype) == (b.shape, b.dtype), path
        np.testing.assert_allclose(b, a, rtol=rtol, atol=atol, err_msg=path)
    elif isinstance(a, dict):
        assert list(a) == list(b), path
        for k in a:
            same(a[k], b[k], f"{path}.{k}", rtol, atol)
    elif isinstance(a, list):
        assert isinstance(b, list), f"{path}: {_short(a)} {_short(b)}"
        assert len(a) == len(b), f"{path}: {_short(a)} {_short(b)}"
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            same(x, y, f"{path}[{i}]", rtol, atol)
    elif isinstance(a, float):
        assert b == pytest.approx(a, rel=rtol, abs=atol, nan_ok=True), path
    else:
        assert a == b, path


def compare(
    program: Callable[[Any], Any], rtol: float = 2e-4, atol: float = 2e-5, unheard: tuple[str, ...] = ()
) -> None:
    torch = pytest.importorskip("torch")
    theirs, ours = (run(program, library, unheard=unheard) for library in (torch, wengert))
    same(theirs, ours, "", rtol, atol)
