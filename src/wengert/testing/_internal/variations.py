"""One test function, many tests: `parametrize`, `subtest`, and how the tests made from it are named.

A decorator leaves on the function how it varies (`Variation`s: a piece of the name, arguments, decorators); the class decorator
`instantiate_parametrized_tests`, or that of the devices, then puts the tests themselves into the class.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ...core import dtypes
from ...core.device import device as device_type

_VARIES = "_wengert_varies"
Decorator = Callable[[Any], Any]


@dataclass(frozen=True)
class Variation:
    """One test of several: the piece of its name, what it is given, what decorates it."""

    name: str = ""
    kwargs: dict[str, Any] = field(default_factory=dict)
    decorators: tuple[Decorator, ...] = ()

    def __and__(self, inner: Variation) -> Variation:
        return Variation(
            "_".join(filter(None, (self.name, inner.name))),
            {**inner.kwargs, **self.kwargs},
            (*inner.decorators, *self.decorators),
        )


class subtest:
    """One value of `parametrize`, with a name and decorators of its own."""

    def __init__(self, arg_values: Any, name: str | None = None, decorators: Iterable[Decorator] | None = None) -> None:
        self.arg_values = arg_values
        self.name = name
        self.decorators = tuple(decorators or ())


class parametrize:
    """Makes one test for each value: `@parametrize("x,y", [(1, 2), (3, 4)])` names them `test_x_1_y_2`, `test_x_3_y_4`.

    Decorators are stacked; the outer one's names come first. `name_fn(*values)` gives the piece of the name.
    """

    def __init__(self, arg_str: str, arg_values: Iterable[Any], name_fn: Callable[..., str] | None = None) -> None:
        self.names = [s.strip() for s in arg_str.split(",") if s.strip()]
        self.arg_values = arg_values
        self.name_fn = name_fn

    def __call__(self, fn: Any) -> Any:
        return varies(fn, self.variations)

    def variations(self, fn: Any, place: Any) -> Iterator[Variation]:
        values = list(self.arg_values)
        if not self.names or not values:
            empty = "arg_values" if self.names else "arg_str"
            raise ValueError(
                f"{fn}: An empty {empty} was passed to @parametrize. Note that this may result from reuse of a generator."
            )
        for i, given in enumerate(values):
            one = given if isinstance(given, subtest) else subtest(given)
            inner = [one.arg_values] if len(self.names) == 1 else list(one.arg_values)
            if len(inner) != len(self.names):
                raise RuntimeError(
                    f"Expected # values == # arg names, but got: {len(inner)} values and {len(self.names)} names for "
                    f"test '{fn.__name__}'"
                )
            if one.name is not None:
                name = one.name
            elif self.name_fn is not None:
                name = self.name_fn(*inner)
            else:
                name = "_".join(_piece(i, n, v) for n, v in zip(self.names, inner, strict=True))
            yield Variation(name, dict(zip(self.names, inner, strict=True)), one.decorators)


def _piece(i: int, name: str, value: Any) -> str:
    if isinstance(value, dtypes.dtype):
        return dtype_name(value)
    if isinstance(value, device_type):
        return str(value)
    if isinstance(value, (int, float, str)):
        return f"{name}_{str(value).replace('.', '_')}"
    return f"{name}{i}"


def dtype_name(dtype: Any) -> str:
    """`float32` of `torch.float32`."""
    return str(dtype).split(".")[-1]


def varies(fn: Any, variations: Callable[[Any, Any], Iterable[Variation]]) -> Any:
    """States that this test varies so; a decorator further out varies first."""
    setattr(fn, _VARIES, (variations, *getattr(fn, _VARIES, ())))
    return fn


def all_variations(fn: Any, place: Any) -> list[Variation]:
    """Every combination of what the decorators of a test stated. `place` is the class of the device, or None."""
    found = [Variation()]
    for one in getattr(fn, _VARIES, ()):
        inner = list(one(fn, place))
        found = [outer & v for outer in found for v in inner]
    return found


def put(cls: type, name: str, fn: Any, variation: Variation, **more: Any) -> None:
    """Puts one test into the class, with its arguments filled in. RuntimeError if it has a test of that name."""
    if name in cls.__dict__:
        raise RuntimeError(f"Redefinition of test {name}")
    given = {**variation.kwargs, **more}

    @functools.wraps(fn)
    def test(self: Any, *args: Any, **kwargs: Any) -> Any:
        return fn(self, *args, **{**given, **kwargs})

    found: Any = test
    for decorate in variation.decorators:
        found = decorate(found)
    found.__name__ = name
    found.__dict__.pop(_VARIES, None)
    # pytest would ask for the arguments as fixtures
    found.__dict__.pop("__wrapped__", None)
    setattr(cls, name, found)


def instantiate_parametrized_tests(cls: Any) -> Any:
    """Class decorator: each test with `parametrize` becomes the tests it stands for. Returns the class."""
    for name, fn in list(vars(cls).items()):
        if not getattr(fn, _VARIES, None):
            continue
        delattr(cls, name)
        for variation in all_variations(fn, None):
            put(cls, "_".join(filter(None, (name, variation.name))), fn, variation)
    return cls
