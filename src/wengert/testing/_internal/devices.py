"""Tests for each device and dtype: `instantiate_device_type_tests` makes the class `...CPU`, with tests `..._cpu_float32`.

The CPU is the one device, so tests of others are skipped, and it is no failure that they would fail there.
"""

from __future__ import annotations

import functools
import unittest
from collections.abc import Iterable
from enum import Enum
from typing import Any, NamedTuple

from .variations import Variation, all_variations, dtype_name, put, varies

_KIND, _SKIP = "_wengert_dtypes", "_wengert_devices"


class CPUTestBase:
    """What the tests of a device know of it."""

    device_type = "cpu"

    @classmethod
    def get_primary_device(cls) -> str:
        return "cpu"

    @classmethod
    def get_all_devices(cls) -> list[str]:
        return ["cpu"]


DeviceTypeTestBase = CPUTestBase


def get_all_device_types() -> list[str]:
    """The devices of this machine that tests run on."""
    return ["cpu"]


def get_device_type_test_bases() -> list[Any]:
    """The base class for each."""
    return [CPUTestBase]


def instantiate_device_type_tests(
    generic_test_class: Any, scope: dict[str, Any], except_for: Any = None, only_for: Any = None, **options: Any
) -> None:
    """Replaces the class in `scope` by one of the same tests on the CPU, unless it is meant for other devices only."""
    only, but = (None if x is None else {x} if isinstance(x, str) else set(x) for x in (only_for, except_for))
    generic = generic_test_class.__name__
    scope.pop(generic, None)
    if (only is not None and "cpu" not in only) or (but is not None and "cpu" in but):
        return
    kept = {n: v for n, v in vars(generic_test_class).items() if n.startswith("test")}
    # The tests move; everything else is inherited, so that `super(Generic, self)` in it still means what it says.
    for name in kept:
        delattr(generic_test_class, name)
    generic_test_class.__test__ = False
    made = type(generic + "CPU", (CPUTestBase, generic_test_class), {"__module__": scope["__name__"], "__test__": True})
    for name, fn in kept.items():
        if not callable(fn):
            setattr(made, name, fn)
            continue
        for variation in all_variations(fn, made):
            for one in _with_dtypes(fn, variation):
                _put(made, name, fn, one)
    scope[made.__name__] = made


def _with_dtypes(fn: Any, variation: Variation) -> Iterable[Variation]:
    """The variation for each dtype that the test names; one that `ops` chose already stays."""
    stated = getattr(fn, _KIND, {})
    chosen = stated.get("cpu", stated.get("all"))
    if chosen is None or "dtype" in variation.kwargs:
        return (variation,)
    return [
        Variation(
            variation.name,
            {**variation.kwargs, **({"dtypes": d} if isinstance(d, (tuple, list)) else {"dtype": d})},
            variation.decorators,
        )
        for d in chosen
    ]


def _put(cls: Any, name: str, fn: Any, one: Variation) -> None:
    kind = one.kwargs.get("dtypes", one.kwargs.get("dtype"))
    chosen = kind if isinstance(kind, (tuple, list)) else [] if kind is None else [kind]
    full = "_".join(filter(None, (name, one.name, "cpu", *map(dtype_name, chosen))))
    count = getattr(fn, "_wengert_device_count", None)
    arguments = {"devices": ["cpu"]} if count else {"device": "cpu"}
    if not _takes(fn, next(iter(arguments))):
        arguments = {}
    tolerances = getattr(fn, "_wengert_tolerances", {}).get(kind if not isinstance(kind, (tuple, list)) else None)
    if tolerances is not None:
        one = Variation(one.name, one.kwargs, (*one.decorators, _tolerant(*tolerances)))
    put(cls, full, fn, one, **arguments)
    if count and count > 1:
        setattr(cls, full, unittest.skip(f"fewer than {count} devices detected")(getattr(cls, full)))


def _takes(fn: Any, name: str) -> bool:
    import inspect

    found = inspect.signature(fn).parameters
    return name in found or any(p.kind is p.VAR_KEYWORD for p in found.values())


def _tolerant(atol: float, rtol: float) -> Any:
    def decorate(test: Any) -> Any:
        @functools.wraps(test)
        def run(self: Any, *args: Any, **kwargs: Any) -> Any:
            before = self.precision, self.rel_tol
            self.precision, self.rel_tol = max(atol, before[0]), max(rtol, before[1])
            try:
                return test(self, *args, **kwargs)
            finally:
                self.precision, self.rel_tol = before

        return run

    return decorate


class dtypes:
    """Runs the test for each of these dtypes, or tuples of them."""

    device_type = "all"

    def __init__(self, *args: Any, device_type: str = "all") -> None:
        if args and isinstance(args[0], (list, tuple)):
            for arg in args:
                if not isinstance(arg, (list, tuple)):
                    raise AssertionError("When one dtype variant is a tuple or list, all dtype variants must be.")
        self.args, self.device_type = args, device_type

    def __call__(self, fn: Any) -> Any:
        stated = dict(getattr(fn, _KIND, {}))
        if self.device_type in stated:
            raise RuntimeError(f"dtypes redefinition for {self.device_type}")
        stated[self.device_type] = self.args
        setattr(fn, _KIND, stated)
        return fn


def _dtypes_if(device: str) -> Any:
    def decorator(*args: Any) -> Any:
        return dtypes(*args, device_type=device)

    decorator.__doc__ = f"The dtypes of a test on the device {device!r}."
    return decorator


dtypesIfCPU = _dtypes_if("cpu")
dtypesIfCUDA = _dtypes_if("cuda")
dtypesIfMPS = _dtypes_if("mps")
dtypesIfXPU = _dtypes_if("xpu")
dtypesIfHPU = _dtypes_if("hpu")
dtypesIfPRIVATEUSE1 = _dtypes_if("privateuse1")


class tol(NamedTuple):
    """Tolerances of a dtype."""

    atol: float
    rtol: float


class toleranceOverride:
    """The least tolerances of a test, for each dtype: `{torch.float32: tol(atol=1e-4, rtol=1e-4)}`."""

    def __init__(self, d: dict[Any, Any]) -> None:
        if not isinstance(d, dict) or not all(isinstance(t, tol) for t in d.values()):
            raise AssertionError("toleranceOverride not given a dtype : tol dict!")
        self.d = d

    def __call__(self, fn: Any) -> Any:
        fn._wengert_tolerances = self.d
        return fn


class precisionOverride:
    """The least absolute tolerance of a test, for each dtype."""

    def __init__(self, d: dict[Any, Any]) -> None:
        if not isinstance(d, dict):
            raise AssertionError("precisionOverride not given a dtype : precision dict!")
        self.d = {k: tol(v, 0.0) for k, v in d.items()}

    def __call__(self, fn: Any) -> Any:
        fn._wengert_tolerances = self.d
        return fn


class deviceCountAtLeast:
    """The test takes `devices`, and is skipped where there are fewer."""

    def __init__(self, num_required_devices: int) -> None:
        self.count = num_required_devices

    def __call__(self, fn: Any) -> Any:
        if hasattr(fn, "_wengert_device_count"):
            raise RuntimeError(f"deviceCountAtLeast redefinition for {fn.__name__}")
        fn._wengert_device_count = self.count
        return fn


class OpDTypes(Enum):
    """Which dtypes of an operation `ops` tests."""

    supported, unsupported, supported_backward, unsupported_backward = range(4)
    any_one, none, any_common_cpu_cuda_one, any_common_cpu_cuda = range(4, 8)


class ops:
    """One test for each operation of PyTorch's database of operations. That is not part of Wengert, so `op_db` is empty, and of
    a test over it one skipped test is left, which says so. NotImplementedError for a list that is not empty.
    """

    def __init__(self, op_list: Iterable[Any], *, dtypes: Any = OpDTypes.supported, **options: Any) -> None:
        self.op_list = list(op_list)
        if self.op_list:
            raise NotImplementedError(
                "ops(): Wengert runs no OpInfo tests; its own table of operations is tested in tests/test_table.py"
            )

    def __call__(self, fn: Any) -> Any:
        reason = "the database of operations (op_db) is PyTorch's; Wengert has none"
        return varies(fn, lambda test, place: [Variation("", {}, (unittest.skip(reason),))])


modules = ops
