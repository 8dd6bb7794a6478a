"""`run_tests`, and the wrappers that tests call for a check: `gradcheck` with the options of PyTorch's test-suite."""

from __future__ import annotations

import functools
import itertools
import sys
import time
import unittest
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ...autograd.gradcheck import gradcheck as _gradcheck
from ...autograd.gradcheck import gradgradcheck as _gradgradcheck
from ...core import dtypes
from ...core.tensor import Tensor
from .conditions import TEST_WITH_SLOW_GRADCHECK


def run_tests(argv: list[str] | None = None) -> None:
    """Runs the tests of the program, and exits with 1 if one fails."""
    unittest.main(argv=sys.argv if argv is None else argv)


def load_tests(loader: Any, tests: Any, pattern: Any) -> Any:
    """unittest's protocol: the tests of a module, without those of `TestCase` itself, which has none."""
    suite = unittest.TestSuite()
    for group in tests:
        suite.addTests(group)
    return suite


def _options(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {"check_batched_grad": True, "fast_mode": not TEST_WITH_SLOW_GRADCHECK, **kwargs}


def gradcheck(fn: Any, inputs: Any, **kwargs: Any) -> bool:
    """`torch.autograd.gradcheck` of one random projection, with the gradients of a batch checked too."""
    return _gradcheck(fn, inputs, **_options(kwargs))


def gradgradcheck(fn: Any, inputs: Any, grad_outputs: Any = None, **kwargs: Any) -> bool:
    """`torch.autograd.gradgradcheck`, likewise."""
    return _gradgradcheck(fn, inputs, grad_outputs, **_options(kwargs))


def is_iterable(obj: Any) -> bool:
    """It can be iterated over."""
    try:
        iter(obj)
    except TypeError:
        return False
    return True


def is_iterable_of_tensors(iterable: Any, include_empty: bool = False) -> bool:
    """Tensors and nothing else; no tensor itself."""
    if isinstance(iterable, Tensor):
        return False
    try:
        found = list(iterable)
    except TypeError:
        return False
    return include_empty if not found else all(isinstance(x, Tensor) for x in found)


def iter_indices(tensor: Tensor) -> Iterable[Any]:
    """Every index of a tensor: numbers for one dimension, tuples for more."""
    if tensor.dim() == 0:
        return range(0)
    if tensor.dim() == 1:
        return range(tensor.size(0))
    return itertools.product(*map(range, tensor.size()))


def retry(error: Any, tries: int = 3, delay: float = 3, skip_after_retries: bool = False) -> Callable[[Any], Any]:
    """Decorator: calls again after such an error, each time after twice the delay."""

    def decorate(fn: Any) -> Any:
        @functools.wraps(fn)
        def run(*args: Any, **kwargs: Any) -> Any:
            for i in range(tries - 1):
                try:
                    return fn(*args, **kwargs)
                except error:
                    time.sleep(delay * 2**i)
            try:
                return fn(*args, **kwargs)
            except error:
                if skip_after_retries:
                    raise unittest.SkipTest(f"Skipping after {tries} consecutive errors") from None
                raise

        return run

    return decorate


def scoped_load_inline(fn: Any) -> Any:
    """Decorator of tests that compile C++ against PyTorch: their `load_inline` raises NotImplementedError."""

    def load_inline(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            "load_inline: C++ extensions are built against PyTorch's C++ library; Wengert is Python. Write the operation as a "
            "torch.autograd.Function"
        )

    @functools.wraps(fn)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        return fn(self, load_inline, *args, **kwargs)

    return run


numpy_to_torch_dtype_dict = {d.np.type: d for d in dtypes.ALL}
torch_to_numpy_dtype_dict = {d: d.np.type for d in dtypes.ALL}


def numpy_to_torch_dtype(np_dtype: Any) -> Any:
    """The dtype of NumPy's."""
    return numpy_to_torch_dtype_dict[np.dtype(np_dtype).type]
