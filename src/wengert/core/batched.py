"""Batched arrays: the array that `vmap` computes with.

Note [Batched arrays]
    Inside `vmap` a tensor's `_array` may be a `Batched`: an array with one more axis in front, the batch, which nobody sees.
    Its shape, dtype and operators are those of one example. Because a Batched is an array to everyone else, the engine
    needs nothing more: an operation on it is recorded, saved and walked back like any other, and rules of derivation
    compute on it. Levels nest (`level` grows inwards): the value of a Batched may be a Batched of a lower level.

    `map_forward` is where an operation's forward meets one. How each operation is mapped is `op.batch`: by its kind
    (elementwise), by a rule stated with it or in `func.batching`, or else by a loop over the batch.

    A gradient that arrives, batched, at a tensor which is not is the gradient of each example. While its level is open that
    is what is wanted (per-sample gradients); once it is closed the examples are summed: `settle`, at the latest where
    another gradient is added. A node knows where its output was batched by its `shape`, an `ExampleShape`.
"""

from __future__ import annotations

import operator
import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np

from .modes import LOCAL
from .op import COMPOSITES, TABLE, Op

FALLBACK = SimpleNamespace(warns=False)  # does the loop over a batch say so?
SELF = object()  # as `op.batch`: the forward itself knows batched arrays


class ExampleShape(tuple[int, ...]):
    """The shape of one example. `levels`: where there is a batch of them."""

    levels: tuple[int, ...]


class Batched:
    """`value` with its first axis hidden. Behaves as an array of one example."""

    __slots__ = ("level", "levels", "value")

    __array_ufunc__ = None  # NumPy must leave its operators to ours
    __wengert_priority__ = 1

    def __array__(self, *_: Any, **__: Any) -> Any:
        # NumPy would make an array of one object. A fast road that runs into this takes the careful one, which knows better.
        raise TypeError("a batch inside vmap is no array; operations map over it")

    def __init__(self, value: Any, level: int) -> None:
        self.value = value
        self.level = level
        self.levels: tuple[int, ...] = (level, *value.levels) if value.__class__ is Batched else (level,)

    # -- what arrays have --------------------------------------------------------------------------------------
    @property
    def shape(self) -> tuple[int, ...]:
        shape = ExampleShape(self.value.shape[1:])
        shape.levels = self.levels
        return shape

    @property
    def ndim(self) -> int:
        return self.value.ndim - 1

    @property
    def dtype(self) -> Any:
        return self.value.dtype

    @property
    def size(self) -> int:
        return int(np.prod(self.value.shape[1:], dtype=np.int64))

    @property
    def itemsize(self) -> int:
        return self.value.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.value.itemsize

    @property
    def strides(self) -> tuple[int, ...]:
        return self.value.strides[1:]

    @property
    def flags(self) -> Any:
        return self.value.flags

    @property
    def c_contiguous(self) -> bool:
        """Do the elements of one example lie in row-major order without gaps?"""
        step = self.itemsize
        for n, s in zip(self.shape[::-1], self.strides[::-1], strict=True):
            if n != 1 and s != step:
                return self.size == 0
            step *= n
        return True

    @property
    def batch_size(self) -> int:
        return self.value.shape[0]

    def astype(self, dtype: Any, copy: bool = True) -> Batched:
        return Batched(self.value.astype(dtype, copy=copy), self.level)

    def copy(self, order: str = "C") -> Batched:
        return Batched(self.value.copy(), self.level)

    def conjugate(self) -> Batched:
        return Batched(self.value.conjugate(), self.level)

    conj = conjugate

    @property
    def mT(self) -> Any:
        if self.value.__class__ is np.ndarray and self.value.ndim > 2:
            return Batched(self.value.swapaxes(-1, -2), self.level)
        return TABLE["transpose"].function(self, -2, -1)

    @property
    def T(self) -> Any:
        if self.value.__class__ is np.ndarray:
            return Batched(self.value.transpose(0, *range(self.value.ndim - 1, 0, -1)), self.level)
        return TABLE["permute"].function(self, tuple(range(self.ndim))[::-1])

    @property
    def real(self) -> Batched:
        return Batched(self.value.real, self.level)

    @property
    def imag(self) -> Batched:
        return Batched(self.value.imag, self.level)

    def reshape(self, *shape: Any) -> Any:
        if len(shape) == 1 and isinstance(shape[0], tuple):
            (shape,) = shape
        return Batched(self.value.reshape((self.value.shape[0], *shape)), self.level)

    def item(self) -> Any:
        raise RuntimeError(
            "vmap: It looks like you're calling .item() on a Tensor. We don't support vmap over calling .item() on a "
            "Tensor, please try to rewrite what you're doing with other operations. If error is occurring somewhere "
            "inside PyTorch internals, please file a bug report."
        )

    def tolist(self) -> Any:
        return self.item()

    def __bool__(self) -> bool:
        raise RuntimeError(
            "vmap: It looks like you're attempting to use a Tensor in some data-dependent control flow. We don't support "
            "that yet, please shout over at https://github.com/pytorch/functorch/issues/257 ."
        )

    def __repr__(self) -> str:
        text = repr(self.value).replace("\n", "\n    ")
        return f"BatchedTensor(lvl={self.level}, bdim=0, value=\n    {text}\n)"

    def __getitem__(self, index: Any) -> Any:
        if index == () or index is Ellipsis:
            return self
        return TABLE["getitem"].function(self, index) if "getitem" in TABLE else NotImplemented

    # -- as an argument of operations --------------------------------------------------------------------------
    def __wengert_op__(self, op: Op, vals: list[Any]) -> Any:
        from .record import forward

        results = forward(op, vals)
        if op.variadic:
            return tuple(results)
        return results[0] if len(op.outputs) == 1 else tuple(results[: len(op.outputs)])


_F32, _F64 = np.dtype(np.float32), np.dtype(np.float64)


def _beside(batch: Batched, other: Any, most: int | None = None) -> Any:
    """`other` as NumPy may compute it with `batch.value`, or None: numbers, examples of as many dimensions, one array (of
    `most` dimensions).
    """
    v, kind = batch.value, other.__class__
    if v.__class__ is not np.ndarray or (v.dtype is not _F32 and v.dtype is not _F64):
        return None
    if kind is Batched:
        w = other.value
        alike = other.level == batch.level and w.__class__ is np.ndarray and w.ndim == v.ndim and w.dtype is v.dtype
        return w if alike else None
    if kind is np.ndarray:
        return other if other.dtype is v.dtype and other.ndim <= (v.ndim - 1 if most is None else most) else None
    return other if kind is float or kind is int else None


def _operator(name: str, reflected: bool = False, ufunc: Any = None) -> Any:
    """A Python operator on batches: what the operation `name` gives, by `ufunc` at once where nothing has to be arranged."""

    def run(self: Batched, other: Any) -> Any:
        if ufunc is not None:
            w = _beside(self, other)
            if w is not None:
                return Batched(ufunc(w, self.value) if reflected else ufunc(self.value, w), self.level)
        return _stated(name)(other, self) if reflected else _stated(name)(self, other)

    return run


def _product(reflected: bool) -> Any:
    """`@` on batches; matrices are multiplied at once, and columns with rows as the outer products they are."""

    def run(self: Batched, other: Any) -> Any:
        w = _beside(self, other, 2)
        if w.__class__ is np.ndarray and self.value.ndim == 3 and w.ndim > 1:
            a, b = (w, self.value) if reflected else (self.value, w)
            if a.shape[-1] == b.shape[-2]:
                return Batched(a * b if a.shape[-1] == 1 else np.matmul(a, b), self.level)
        elif w is other and w.__class__ is np.ndarray and w.shape[:-1] == self.value.shape[1:] and not reflected:
            return Batched(np.matmul(self.value, w), self.level)  # vectors, and one matrix for all of them
        return _stated("matmul")(other, self) if reflected else _stated("matmul")(self, other)

    return run


def _stated(name: str) -> Any:
    return (TABLE.get(name) or COMPOSITES[name]).function


for _symbol, _name, _ufunc in (
    ("add", "add", np.add), ("sub", "sub", np.subtract), ("mul", "mul", np.multiply), ("truediv", "div", np.true_divide),
    ("floordiv", "floor_divide", None), ("mod", "remainder", None),
    ("and", "bitwise_and", None), ("or", "bitwise_or", None), ("xor", "bitwise_xor", None),
):  # fmt: skip
    setattr(Batched, f"__{_symbol}__", _operator(_name, False, _ufunc))
    setattr(Batched, f"__r{_symbol}__", _operator(_name, True, _ufunc))
setattr(Batched, "__matmul__", _product(False))  # noqa: B010
setattr(Batched, "__rmatmul__", _product(True))  # noqa: B010


def _power(base: Any, exponent: Any) -> Any:
    name = "pow" if hasattr(exponent, "shape") else "pow_number"
    return TABLE[name if hasattr(base, "shape") else "pow_base"].function(base, exponent)


setattr(Batched, "__pow__", _power)  # noqa: B010
setattr(Batched, "__rpow__", lambda self, other: _power(other, self))  # noqa: B010
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Batched, f"__{_name}__", _operator(_name))
for _name, _function in (("neg", operator.neg), ("invert", operator.invert), ("abs", operator.abs)):
    setattr(Batched, f"__{_name}__", lambda self, f=_function: Batched(f(self.value), self.level))
Batched.__hash__ = object.__hash__  # type: ignore[method-assign]


# -- mapping a forward over the batch --------------------------------------------------------------------------


def top_level(args: list[Any]) -> int:
    """The innermost level at which an argument is batched, or -1."""
    level = -1
    for a in args:
        if a.__class__ is Batched:
            level = max(level, a.level)
        elif a.__class__ is tuple or a.__class__ is list:
            for x in a:
                if x.__class__ is Batched:
                    level = max(level, x.level)
    return level


def run_forward(op: Op, args: list[Any], level: int | None = None) -> Any:
    """`op.forward` on arguments in the order of `op.params`, batched or not; `level` is their `top_level`."""
    if level is None:
        level = top_level(args)
    if level >= 0 and op.batch is not SELF:
        return map_forward(op, args, level)
    split = op.positional
    if split == len(args):
        return op.forward(*args)
    kwargs = {p.name: a for a, p in zip(args[split:], op.params[split:], strict=True)}
    return op.forward(*args[:split], **kwargs)


def map_forward(op: Op, args: list[Any], level: int) -> Any:
    """Map `op` over the batch of `level`; the results are batched there."""
    if op.kind == "elementwise" and op.batch is None:
        results = _map_elementwise(op, args, level)
        return Batched(results, level) if results.__class__ is not tuple else tuple(Batched(r, level) for r in results)
    size = next(
        x.value.shape[0]
        for a in args
        for x in (a if isinstance(a, (tuple, list)) else (a,))
        if x.__class__ is Batched and x.level == level
    )
    if callable(op.batch):
        results = op.batch(op, args, level, size)
        if results is NotImplemented:
            results = _map_loop(op, args, level, size)
    else:
        results = _map_loop(op, args, level, size)
    if isinstance(results, tuple):
        return tuple(Batched(np.asarray(r) if isinstance(r, np.generic) else r, level) for r in results)
    return Batched(results, level)


def first_example(a: Any) -> Any:
    """A plain array in the place of a batched one: its shape and dtype, and the values of one example."""
    if isinstance(a, (tuple, list)):
        return type(a)(first_example(x) for x in a)
    hidden = 0
    while a.__class__ is Batched:
        a, hidden = a.value, hidden + 1
    if not hidden:
        return a
    return np.zeros(a.shape[hidden:], a.dtype) if 0 in a.shape[:hidden] else np.asarray(a[(0,) * hidden])


# -- memory: changes in place, and draws -------------------------------------------------------------------------


def store(target: Any, result: Any) -> None:
    """Overwrite the memory of `target`, batched or not, with `result`, which broadcasts to it."""
    if target.__class__ is not Batched or (result.__class__ is Batched and result.level > target.level):
        if result.__class__ is Batched:
            raise RuntimeError(
                "vmap: inplace arithmetic(self, *extra_args) is not possible because there exists a Tensor `other` in "
                "extra_args that has more elements than `self`. This happened due to `other` being vmapped over but `self` "
                "not being vmapped over in a vmap. Please try to use out-of-place operators instead of inplace arithmetic. "
                "If said operator is being called inside the PyTorch framework, please file a bug report instead."
            )
        target[...] = result
    elif is_at(result, target.level):
        missing = target.ndim - result.ndim
        v = result.value
        store(target.value, v.reshape((v.shape[0], *(1,) * missing, *v.shape[1:])) if missing else v)
    elif result.__class__ is Batched:
        store(target.value, result.reshape((1,) * (target.ndim + 1 - result.ndim) + tuple(result.shape)))
    else:
        store(target.value, result)


def geometry(a: Any) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """Where one example lies: its address, strides and shape."""
    hidden = 0
    while a.__class__ is Batched:
        a, hidden = a.value, hidden + 1
    return a.__array_interface__["data"][0], a.strides[hidden:], a.shape[hidden:]


def refuse_random() -> None:
    """Raise where an open vmap does not allow random operations."""
    if any(level.randomness == "error" for level in LOCAL.vmap_levels):
        raise RuntimeError(
            "vmap: called random operation while in randomness error mode. Please either use the 'same' or 'different' "
            "randomness flags on vmap or perform the randomness operation out of vmap"
        )


def drawn(make: Any, shape: tuple[int, ...]) -> Any:
    """`make(shape)`, an array of random numbers: others for each example where an open vmap wants them different."""
    different = [level for level in LOCAL.vmap_levels if level.randomness == "different"]
    array = make((*(level.size for level in different), *shape))
    for level in different:
        array = Batched(array, level.number)
    return array


def draw_each(draw: Any, *arrays: Any) -> Any:
    """`draw(*arrays)`, random numbers that depend on arrays: drawn at once for all examples that want different ones.

    What the examples share is repeated for each. The same numbers for parameters of their own are refused, as in PyTorch.
    """
    different: list[int] = []
    same: list[int] = []
    for level in LOCAL.vmap_levels:
        (different if level.randomness == "different" else same).append(level.number)
    if any(not levels_of(a).isdisjoint(same) for a in arrays):
        raise RuntimeError(
            "Vmap does not currently support same randomness with a batched tensor input. Please file an issue with functorch"
        )
    if not different:
        return draw(*arrays)
    shape = np.broadcast_shapes(*(tuple(a.shape) for a in arrays if hasattr(a, "shape")))
    result = draw(*(for_all_examples(a, shape) if hasattr(a, "shape") else a for a in arrays))
    for number in different:
        result = Batched(result, number)
    return result


def for_all_examples(a: Any, shape: tuple[int, ...]) -> Any:
    """The examples of `a`, broadcast to `shape`, with an axis in front for each open vmap that wants different numbers."""
    a = a.reshape((*(1,) * (len(shape) - a.ndim), *a.shape)) if a.ndim < len(shape) else a
    different = [level for level in LOCAL.vmap_levels if level.randomness == "different"]
    for level in reversed(different):
        a = move_out(a, 0, level.number, level.size)
    a = first_example(a)  # where the numbers are to be the same
    return np.broadcast_to(a, (*(level.size for level in different), *shape))


def made_like(make: Any, shape: tuple[int, ...], like: Any) -> Any:
    """`make(shape)`, an array for each example where `like` is batched."""
    sizes, levels = [], []
    while like.__class__ is Batched:
        sizes.append(like.batch_size)
        levels.append(like.level)
        like = like.value
    array = make((*reversed(sizes), *shape))
    for level in reversed(levels):
        array = Batched(array, level)
    return array


def is_at(x: Any, level: int) -> bool:
    return x.__class__ is Batched and x.level == level


def _map_elementwise(op: Op, args: list[Any], level: int) -> Any:
    """Line the examples' dimensions up from the right; broadcasting does the rest."""
    ndim = max([args[i].ndim for i, _ in op.tensor_places if hasattr(args[i], "ndim")])
    aligned = list(args)
    for i, _ in op.tensor_places:
        a = args[i]
        if a.__class__ is Batched and a.level == level:
            v = aligned[i] = a.value
            missing = ndim + 1 - v.ndim
            if missing:
                aligned[i] = v.reshape((v.shape[0], *(1,) * missing, *v.shape[1:]))
    return run_forward(op, aligned)


def _map_loop(op: Op, args: list[Any], level: int, size: int) -> Any:
    """The last resort: each example by itself, results stacked."""
    looped(op.name)
    rows = [run_forward(op, [example(a, b, level) for a in args]) for b in range(size)]
    if not rows:
        raise ValueError(f"vmap: {op.name} over a batch of size 0 is not supported")
    if isinstance(rows[0], tuple):
        return tuple(stack_examples([r[k] for r in rows]) for k in range(len(rows[0])))
    return stack_examples(rows)


def looped(name: str) -> None:
    """Say, where it is wanted, that an operation is computed for each example by itself."""
    if FALLBACK.warns:
        warnings.warn(
            "There is a performance drop because we have not yet implemented the batching rule for "
            f"aten::{name}: it is computed for each example by itself.",
            stacklevel=3,
        )


def example(a: Any, b: int, level: int) -> Any:
    """Example `b` of what is batched at `level`."""
    if isinstance(a, (tuple, list)):
        return type(a)([example(x, b, level) for x in a])
    if not is_at(a, level):
        return a
    levels, array = layers(a.value)
    return layered(levels, array[(slice(None),) * len(levels) + (b,)])


def stack_examples(rows: list[Any], axis: int = 0) -> Any:
    """Results of single examples as one array with the batch in front (of the axes seen, but for `axis` of them)."""
    inner = max((r.level for r in rows if r.__class__ is Batched), default=None)
    if inner is None:
        return np.stack(rows, axis=axis)
    size = next(r.value.shape[0] for r in rows if is_at(r, inner))
    return Batched(stack_examples([move_out(r, 0, inner, size) for r in rows], axis + 1), inner)


def plain(a: Any) -> Any:
    """The array that holds all examples."""
    while a.__class__ is Batched:
        a = a.value
    return a


def layers(a: Any) -> tuple[list[int], Any]:
    """The levels of a batched array, innermost first, and the plain array: the batch of levels[i] is its axis -i-1 among the
    hidden ones, which come first.
    """
    levels = []
    while a.__class__ is Batched:
        levels.append(a.level)
        a = a.value
    return levels, a


def layered(levels: list[int], array: Any) -> Any:
    for level in reversed(levels):
        array = Batched(array, level)
    return array


def move_in(value: Any, axis: int, level: int) -> Any:
    """An array with its batch at `axis` becomes batched at `level`."""
    levels, array = layers(value)
    return Batched(layered(levels, _moved(array, len(levels) + axis, len(levels))), level)


def _moved(array: Any, source: int, target: int) -> Any:
    return array if source == target else np.moveaxis(array, source, target)


def move_out(a: Any, axis: int, level: int, size: int) -> Any:
    """The batch of `level` becomes an ordinary axis; what is not batched there is repeated."""
    levels, array = layers(a)
    if level in levels:
        at = len(levels) - 1 - levels.index(level)
        levels.remove(level)
        return layered(levels, _moved(array, at, len(levels) + axis))
    shape = list(array.shape)
    shape.insert(len(levels) + axis, size)
    return layered(levels, np.broadcast_to(np.expand_dims(array, len(levels) + axis), shape))


def refuse_dynamic(name: str, *arrays: Any) -> None:
    """Raise if an array is batched: results of other shapes for each example are no array."""
    if any(a.__class__ is Batched for a in arrays):
        raise RuntimeError(
            "vmap: We do not support batching operators that can output dynamic shape. Attempted to vmap over "
            f"aten::{name}. Please file an issue at https://github.com/pytorch/pytorch/issues if you need this feature."
        )


def levels_of(a: Any) -> set[int]:
    """The levels at which an array is batched."""
    found = set()
    while a.__class__ is Batched:
        found.add(a.level)
        a = a.value
    return found


def closed_levels(a: Any) -> list[int]:
    """The levels of a batched array that are no longer open in this thread."""
    found = []
    while a.__class__ is Batched:
        if not any(level.number == a.level for level in LOCAL.vmap_levels):
            found.append(a.level)
        a = a.value
    return found


def refuse_escaped(name: str, *arrays: Any) -> None:
    """Raise if an array is batched where no vmap is open: an argument was kept after its vmap had returned."""
    if LOCAL.walk is None and any(closed_levels(a) for a in arrays):
        raise RuntimeError(
            f"{name}: either your tensor may have escaped from inside a function being vmapped and this is a user error (see "
            "https://pytorch.org/functorch/stable/ux_limitations.html), or there is an internal error here"
        )


def settle(g: Any, shape: Any = ()) -> Any:
    """A gradient as it arrives at its tensor: the examples of levels that are closed are summed.

    `shape` is the tensor's: where it is batched itself, so is its gradient.
    """
    array = getattr(g, "_array", g)
    if array.__class__ is Batched:
        own = getattr(shape, "levels", ())
        for level in closed_levels(array):
            if level not in own:
                g = TABLE["sum_examples"].function(g, level)
    return g


def sum_level(a: Any, level: int) -> Any:
    """Sum the examples of one level."""
    levels, array = layers(a)
    at = len(levels) - 1 - levels.index(level)
    levels.remove(level)
    return layered(levels, array.sum(axis=at))
