"""`vmap`: a function of one example becomes a function of a batch. The arrays behind it: Note [Batched arrays]."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

from ..core.batched import SELF, is_at, levels_of, move_in, move_out, sum_level
from ..core.modes import LOCAL, MODES, set_mode
from ..core.op import Array, linear
from ..core.pytree import broadcast_to, describe, flatten, unflatten
from ..core.tensor import Tensor, wrap
from ..core.views import became, mark_view
from . import batching as batching  # states how operations are mapped
from .opened import OpenedMap

_NUMBERS = itertools.count()


class Level:
    """One open `vmap`."""

    __slots__ = ("entered", "number", "randomness", "size")

    def __init__(self, size: int, randomness: str) -> None:
        # Arguments: as the function sees them, as they were given, where the batch was, and the version and array on entry.
        self.entered: list[tuple[Tensor, Tensor, int, int, Any]] = []
        self.number = next(_NUMBERS)
        MODES.batches = True
        self.size = size
        self.randomness = randomness

    def enter(self, inside: Tensor, given: Tensor, dim: int) -> None:
        """`inside` shares the memory of `given`: a change in place of one is a change of the other."""
        if given._vc is None:
            given._vc = [0, None]
        inside._vc = given._vc
        self.entered.append((inside, given, dim, given._vc[0], inside._array))

    def hand_back(self) -> None:
        """What the function did to an argument in place becomes part of the history of what was given."""
        for i, (inside, given, dim, version, array) in enumerate(self.entered):
            if inside._array is not array:
                self._reshaped(i)
            elif inside._vc is not None and inside._vc[0] != version and inside._rg:
                became(given, from_examples(inside, dim, self.number, self.size))

    def _reshaped(self, i: int) -> None:
        """`x.squeeze_()` and the like: so is what was given. A batch that came last stays last."""
        inside, given, dim, version, _ = self.entered[i]
        if inside._rg:
            raise NotImplementedError(
                "vmap: an argument that requires grad was changed in place into another view of itself (squeeze_, transpose_ "
                "...); use the operation that returns the view"
            )
        ndim = inside._array.ndim
        dim = ndim if dim and dim == given._array.ndim - 1 else min(dim, ndim)
        given._array = move_out(inside._array, dim, self.number, self.size)
        self.entered[i] = (inside, given, dim, version, inside._array)

    def given_for(self, inside: Tensor) -> tuple[Tensor, int] | None:
        """The argument, and the place of its batch, that the function sees as `inside`."""
        return next(((given, dim) for x, given, dim, *_ in self.entered if x is inside), None)


@linear("to_examples", input=lambda g, dim, level, size: from_examples(g, dim, level, size), method=False, batch=SELF)
def to_examples(input: Array, dim: int, level: int, size: int) -> Any:
    """Hide dimension `dim`: it is the batch of vmap level `level`."""
    return move_in(input, dim, level)


@linear("from_examples", input=lambda g, dim, level, size: to_examples(g, dim, level, size), method=False, batch=SELF)
def from_examples(input: Array, dim: int, level: int, size: int) -> Any:
    """Show the batch of vmap level `level` again, as dimension `dim`."""
    return move_out(input, dim, level, size)


@linear("sum_examples", input=lambda g: g, method=False, batch=SELF)
def sum_examples(input: Array, level: int) -> Any:
    """Sum the batch of vmap level `level`."""
    return sum_level(input, level)


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """`func` mapped over a dimension of its arguments.

    `in_dims` says which dimension of each argument is the batch (None: the argument is shared, as are those given by
    name), `out_dims` where it goes in each result. `randomness`: whether random operations draw the 'same' numbers for
    each example, 'different' ones, or raise ('error'). With `chunk_size` the batch is worked through in pieces, which
    bounds the memory.
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")
    if chunk_size is not None and not (chunk_size > 0):
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")
    name = getattr(func, "__name__", repr(func))

    @functools.wraps(func)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        leaves, spec, dims, size = _arguments(name, in_dims, args)
        keyword, keyword_spec = flatten(kwargs)
        keyword_dims = [None] * len(keyword)  # what is given by name is shared by the examples
        if chunk_size is not None and chunk_size < size:
            return _in_chunks(
                func,
                name,
                (leaves, spec, dims),
                (keyword, keyword_spec, keyword_dims),
                size,
                out_dims,
                randomness,
                chunk_size,
            )
        return _run(func, name, (leaves, spec, dims), (keyword, keyword_spec, keyword_dims), size, out_dims, randomness)

    return mapped


def batch_size(func: Callable[..., Any], in_dims: Any, args: tuple[Any, ...]) -> int:
    """How many examples `vmap(func, in_dims)(*args)` maps over."""
    return _arguments(getattr(func, "__name__", repr(func)), in_dims, args)[3]


def _arguments(name: str, in_dims: Any, args: tuple[Any, ...]) -> tuple[list[Any], Any, list[Any], int]:
    """The leaves of the arguments, each with its batch dimension, and the batch size."""
    where = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>)"
    if not isinstance(in_dims, (int, tuple)):
        raise ValueError(
            f"{where}: expected `in_dims` to be int or a (potentially nested) tuple matching the structure of inputs, "
            f"got: {type(in_dims)}."
        )
    if not args:
        raise ValueError(
            f"vmap({name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are trying to vmap over a "
            "function with no inputs. The latter is unsupported."
        )
    leaves, spec = flatten(args)
    dims = broadcast_to(in_dims, spec)
    if dims is None:
        raise ValueError(
            f"{where}: in_dims is not compatible with the structure of `inputs`. in_dims has structure "
            f"{describe(flatten(in_dims)[1])} but inputs has structure {describe(spec)}."
        )
    sizes = []
    for i, (x, d) in enumerate(zip(leaves, dims, strict=True)):
        if d is None:
            continue
        if not isinstance(d, int):
            raise ValueError(
                f"{where}: Got in_dim={d} for an input but in_dim must be either an integer dimension or None."
            )
        if not isinstance(x, Tensor):
            raise ValueError(
                f"{where}: Got in_dim={d} for an input but the input is of type {type(x)}. We cannot vmap over non-Tensor "
                "arguments, please use None as the respective in_dim"
            )
        n = x._array.ndim
        if not -n <= d < n:
            raise ValueError(
                f"{where}: Got in_dim={d} for some input, but that input is a Tensor of dimensionality {n} so expected "
                f"in_dim to satisfy -{n} <= in_dim < {n}."
            )
        dims[i] = d % n
        sizes.append(x._array.shape[d])
    if not sizes:
        raise ValueError(f"{where}: Expected at least one Tensor to be vmapped over")
    if any(s != sizes[0] for s in sizes):
        raise ValueError(
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{sizes} for the mapped dimension"
        )
    return leaves, spec, dims, sizes[0]


def _run(func: Any, name: str, positional: Any, keyword: Any, size: int, out_dims: Any, randomness: str) -> Any:
    level = Level(size, randomness)
    before = set_mode("vmap_levels", (*LOCAL.vmap_levels, level))
    opened = OpenedMap(None, (), level.number).__enter__()
    try:

        def enter(group: Any) -> Any:
            leaves, spec, dims = group
            inside = [x if d is None else _told(to_examples, x, d, level) for x, d in zip(leaves, dims, strict=True)]
            for x, given, d in zip(inside, leaves, dims, strict=True):
                if d is not None:
                    level.enter(x, given, d)
                    opened.entered.append((x, given))
            return unflatten(inside, spec)

        result = func(*enter(positional), **enter(keyword))
        outputs, spec = flatten(result)
        if any(d is not None and not isinstance(d, int) for d in flatten(out_dims)[0]):
            raise ValueError(
                f"vmap({name}, ..., out_dims={out_dims}): `out_dims` must be an int, None or a python collection of ints "
                "representing where in the outputs the vmapped dimension should appear."
            )
        single = isinstance(result, Tensor) and isinstance(out_dims, tuple) and len(out_dims) == 1
        places = broadcast_to(out_dims[0] if single else out_dims, spec)
        level.hand_back()
        if places is None or any(isinstance(p, (tuple, list)) for p in places):
            raise ValueError(
                f"vmap({name}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible with the structure of "
                f"`outputs`. out_dims has structure {describe(flatten(out_dims)[1])} but outputs has structure {describe(spec)}."
            )
        return unflatten(_leave_all(outputs, places, level, name, out_dims), spec)
    finally:
        opened.__exit__()
        set_mode("vmap_levels", before)


def _leave_all(outputs: list[Any], places: list[Any], level: Level, name: str, out_dims: Any) -> list[Any]:
    """Results with their batch shown. One that is returned twice stays one, and a view of another stays its view."""
    left: dict[tuple[int, Any], Any] = {}
    for x, d in zip(outputs, places, strict=True):
        if (id(x), d) not in left:
            left[id(x), d] = _leave(x, d, level, name, out_dims)
    for x, d in zip(outputs, places, strict=True):
        base = left.get((id(x._base), d)) if isinstance(x, Tensor) and x._is_view() else None
        if base is not None and not left[id(x), d]._is_view():
            mark_view(left[id(x), d], base, maybe=True)
    return [left[id(x), d] for x, d in zip(outputs, places, strict=True)]


def _told(row: Any, x: Tensor, dim: int, level: Level) -> Tensor:
    """The row's result; where there is nobody to tell of it, by its forward alone."""
    if x.__class__ is Tensor and not (x._rg or LOCAL.observers or LOCAL.inference or LOCAL.dual_level >= 0):
        return wrap(row.op.forward(x._array, dim, level.number, level.size))
    result: Tensor = row(x, dim, level.number, level.size)
    return result


def _leave(x: Any, d: Any, level: Level, name: str, out_dims: Any) -> Any:
    if not isinstance(x, Tensor):
        if d is None:
            return x
        raise ValueError(
            f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(x)}. Did you mean to set out_dims= to "
            "None for output?"
        )
    if d is None:
        if is_at(x._array, level.number):
            raise ValueError(
                f"vmap({name}, ..., out_dims={out_dims}): `{name}` can not return a BatchedTensor when out_dim is None"
            )
        return x
    n = x._array.ndim + 1
    if not -n <= d < n:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {d})")
    if level.number not in levels_of(x._array):  # what the examples share, shown once for each
        shape = tuple(x.shape)
        return x.unsqueeze(d % n).expand(*shape[: d % n], level.size, *shape[d % n :])
    base = x if x._extra is None or x._extra.base is None else x._extra.base
    source = level.given_for(base)
    if source is not None and base is x and source[1] == d % n:
        return source[0]  # an argument, as it came or changed in place
    result = _told(from_examples, x, d % n, level)
    if source is not None:
        mark_view(result, source[0])
    return result


def _in_chunks(
    func: Any, name: str, positional: Any, keyword: Any, size: int, out_dims: Any, randomness: str, chunk: int
) -> Any:
    """The batch in pieces of at most `chunk`, results joined."""
    from ..ops.joining import cat
    from ..ops.random import get_rng_state, set_rng_state

    pieces = []
    state = get_rng_state() if randomness == "same" else None
    for start in range(0, size, chunk):
        if state is not None and start:
            set_rng_state(state)  # the same for the examples of all pieces
        count = min(chunk, size - start)

        def cut(group: Any, start: int = start, count: int = count) -> Any:
            leaves, spec, dims = group
            return (
                [x if d is None else x.narrow(d, start, count) for x, d in zip(leaves, dims, strict=True)],
                spec,
                dims,
            )

        pieces.append(_run(func, name, cut(positional), cut(keyword), count, out_dims, randomness))
    flat = [flatten(p)[0] for p in pieces]
    spec = flatten(pieces[0])[1]
    places = broadcast_to(out_dims, spec)
    assert places is not None
    joined = [
        column[0] if d is None else cat(list(column), d)
        for column, d in zip(zip(*flat, strict=True), places, strict=True)
    ]
    return unflatten(joined, spec)
