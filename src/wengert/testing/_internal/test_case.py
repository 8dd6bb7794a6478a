"""`TestCase`: unittest's, whose `assertEqual` compares tensors; every test starts from the same random numbers.

`precision` and `rel_tol` are the least tolerances of a test, as `precisionOverride` and `toleranceOverride` set them.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import random
import re
import unittest
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...core.tensor import Tensor
from ..comparison import Message, _raise, _Rules
from .relaxed import difference, pairs

SEED = 1234


def set_rng_seed(seed: int | None = None) -> None:
    """Seeds Python's, NumPy's and Wengert's random numbers."""
    from ...ops.random import manual_seed

    seed = SEED if seed is None else seed
    manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)


class TestCase(unittest.TestCase):
    """unittest's, for code of tensors."""

    __test__ = False  # it has no tests, though its name begins so; a class made from it is told apart below
    maxDiff = None
    exact_dtype = True
    precision: float = 0
    rel_tol: float = 0

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__test__" not in cls.__dict__:
            cls.__test__ = True

    def setUp(self) -> None:
        super().setUp()
        set_rng_seed()

    def assertEqual(
        self, x: Any, y: Any, msg: Message = None, *, atol: float | None = None, rtol: float | None = None,
        equal_nan: bool = True, exact_dtype: bool = True, exact_device: bool = False, exact_layout: bool = False,
        exact_stride: bool = False, exact_is_coalesced: bool = False,
    ) -> None:  # fmt: skip
        """AssertionError unless both are equal up to rounding: tensors, arrays, numbers, and what else; also in containers.

        `msg` follows what is said anyhow, or is a function of it. Source: as `torch.testing.assert_close`, with NaN equal to
        itself, and numbers and tensors of one element compared by value.
        """
        __tracebackhide__ = True
        if (rtol is None) != (atol is None):
            raise ValueError(
                "Both 'rtol' and 'atol' must be either specified or omitted, but got no "
                f"{'rtol' if rtol is None else 'atol'}."
            )
        rules = _Rules(
            rtol, atol, equal_nan, exact_dtype, exact_stride, True, least=(self.rel_tol, self.precision), first=pairs
        )
        if exact_device and isinstance(x, Tensor) and isinstance(y, Tensor) and x.device != y.device:
            raise AssertionError(f"The values for attribute 'device' do not match: {x.device} != {y.device}.")
        _raise(difference(x, y, rules), (lambda text: f"{text}\n{msg}") if isinstance(msg, str) else msg)

    def assertNotEqual(self, x: Any, y: Any, msg: Any = None, **options: Any) -> None:  # type: ignore[override]
        """AssertionError if `assertEqual` would have passed."""
        with self.assertRaises(AssertionError, msg=msg):
            self.assertEqual(x, y, **options)

    def assertEqualIgnoreType(self, x: Any, y: Any, **options: Any) -> None:
        """`assertEqual`, whatever the dtypes."""
        self.assertEqual(x, y, **{"exact_dtype": False, **options})

    def assertEqualBroadcasting(self, x: Any, y: Any, **options: Any) -> None:
        """`assertEqual` with y expanded to the shape of x."""
        from ...ops.creation import tensor

        y = y if isinstance(y, Tensor) else tensor(y, dtype=x.dtype)
        self.assertEqual(x, y.expand(x.shape), **options)

    def assertEqualTypeString(self, x: Tensor, y: Tensor) -> None:
        """Equal device, dtype and type."""
        for a, b in ((x.device, y.device), (x.dtype, y.dtype), (x.is_sparse, y.is_sparse)):
            self.assertEqual(a, b)

    def assertObjectIn(self, obj: Any, iterable: Any) -> None:
        """This very object is one of them."""
        if not any(x is obj for x in iterable):
            raise AssertionError("object not found in iterable")

    def assertGreaterAlmostEqual(
        self, first: Any, second: Any, places: int | None = None, msg: Any = None, delta: Any = None
    ) -> None:
        """first >= second, up to rounding."""
        if first < second:
            try:
                self.assertAlmostEqual(first, second, places, msg, delta)
            except AssertionError:
                within = f"{delta} delta" if delta is not None else f"{7 if places is None else places} places"
                message = f"{first} not greater than or equal to {second} within {within}"
                raise self.failureException(self._formatMessage(msg, message)) from None

    def assertNotWarn(self, callable: Callable[[], Any], msg: str = "") -> None:
        """No warning when it is called."""
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            callable()
        self.assertTrue(len(seen) == 0, msg)

    @contextlib.contextmanager
    def assertWarnsOnceRegex(self, category: type[Warning], regex: str = "") -> Iterator[None]:
        """The block warns exactly once, in these words. What PyTorch says once a process is said each time here."""
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            yield
        if len(seen) != 1:
            self.fail("\n".join(["Multiple warnings raised" if seen else "No warning raised", *map(str, seen)]))
        self.assertTrue(issubclass(seen[0].category, category), f"{seen[0]}")
        self.assertTrue(re.search(regex, str(seen[0].message)), f"{seen[0].message} does not match {regex}")

    def assertExpectedInline(self, actual: Any, expect: str, skip: int = 0, **options: Any) -> None:
        """The text is as stated."""
        text = actual if isinstance(actual, str) else str(actual)
        if options.get("ignore_comments"):
            text = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
        if options.get("ignore_empty_lines"):
            text = "\n".join(line for line in text.splitlines() if line.strip())
        self.assertMultiLineEqual(expect, text)

    def assertExpectedRaisesInline(
        self, exc_type: Any, callable: Callable[..., Any], expect: str, *args: Any, **kwargs: Any
    ) -> None:
        """It raises, with this message."""
        try:
            callable(*args, **kwargs)
        except exc_type as error:
            self.assertExpectedInline(str(error), expect)
            return
        self.fail(f"Did not raise when expected to raise {exc_type}")

    def assertExpected(self, s: Any, subname: str | None = None) -> None:
        """The text is the one kept in the file `expect/CLASS.TEST[-SUBNAME].expect` beside the tests.

        The variable EXPECTTEST_ACCEPT=1 writes that file.
        """
        if not isinstance(s, str):
            raise TypeError("assertExpected is strings only")
        name = f"{type(self).__name__}.{self._testMethodName}" + (f"-{subname}" if subname else "")
        path = Path(inspect.getfile(type(self))).resolve().parent / "expect" / f"{name}.expect"
        if os.environ.get("EXPECTTEST_ACCEPT") == "1":
            path.parent.mkdir(exist_ok=True)
            path.write_text(s, encoding="utf-8")
        elif not path.exists():
            raise RuntimeError(
                f"I got this output for {name}:\n\n{s}\n\nNo expect file exists; to accept the current output, set the "
                "variable EXPECTTEST_ACCEPT=1"
            )
        else:
            self.assertMultiLineEqual(path.read_text(encoding="utf-8").rstrip("\n"), s.rstrip("\n"))

    def assertExpectedRaises(self, exc_type: Any, callable: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """It raises, with the message kept in a file (`assertExpected`)."""
        subname = kwargs.pop("subname", None)
        with self.assertRaises(exc_type) as caught:
            callable(*args, **kwargs)
        self.assertExpected(str(caught.exception), subname)

    def compare_with_numpy(
        self, torch_fn: Any, np_fn: Any, tensor_like: Any, device: Any = None, dtype: Any = None, **options: Any
    ) -> None:
        """The same numbers as NumPy's function of the same array."""
        from ...ops.creation import tensor

        given = tensor_like if isinstance(tensor_like, Tensor) else tensor(tensor_like, dtype=dtype)
        self.compare_with_reference(torch_fn, lambda t: np_fn(t.detach().cpu().numpy()), given, **options)

    def compare_with_reference(self, torch_fn: Any, ref_fn: Any, sample_input: Any, **options: Any) -> None:
        """The same results as the reference."""
        given = (sample_input,) if isinstance(sample_input, Tensor) else sample_input
        actual, expected = torch_fn(*given), ref_fn(*given)
        if isinstance(expected, np.generic):
            expected = np.asarray(expected)
        self.assertEqual(actual, expected, **{"exact_dtype": False, **options})
