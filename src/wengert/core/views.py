"""Views and changes in place.

Note [Views and in-place]
    A view shares its base's memory (NumPy does that) and its version counter `_vc`; `_extra.base` is the tensor that
    is no view itself, never a chain. A change in place of any of them raises the shared version by one, and so a node
    that saved one of them notices.

    Changing `v` in place when `v` is a view of `base`: the operation's node `fn` maps the gradient of the *new* `v` to
    that of the old one. The base gets a `CopySlices` node: it copies its gradient, runs `fn` on the part where `v` lies
    and writes the result back there. Every live view of the base, `v` too, then gets a new `grad_fn` that reads its
    place out of the new base (`AsStridedBackward0`). PyTorch does this lazily when a view is next used; here it is
    done at once, for the views that are alive, so that the fast road need not ask.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from ..kernels.memory import owner
from . import dtypes
from .batched import Batched, geometry, plain
from .counters import DataCounter
from .modes import LOCAL, MODES
from .node import NO_EDGE, SEQUENCE, Node, leaf_edge
from .op import TABLE, Op
from .tensor import Tensor, TensorExtra, mark_inference, wrap

_new = object.__new__


def mark_view(t: Tensor, x: Tensor, maybe: bool = False, multi: bool = False) -> None:
    """Note that `t` shares memory with `x` (if it does, where that is open)."""
    if maybe:
        a, b = t._array, x._array
        # NumPy hangs a view on the array at the end of the chain, mostly: then it is one.
        if a.__class__ is not np.ndarray or a.base is None or (a.base is not b and a.base is not b.base):
            a, b = plain(a), plain(b)
            if not np.may_share_memory(a, b) and (a.size or owner(a) is not owner(b)):
                return
    extra = t._extra = TensorExtra()
    source = x._extra
    if source is not None and source.inference and not LOCAL.inference:
        t._vc = x._vc
        mark_inference(t)  # of a tensor that nothing is ever recorded for: no view either
        return
    extra.base = x if source is None or source.base is None else source.base
    counter = x._vc
    if counter is None:
        counter = x._vc = [0, None]
        if extra.base is not x:
            extra.base._vc = counter
    t._vc = counter
    # What forbids changing it, the nearest reason first: where it was made, then what its source was.
    if not LOCAL.grad:
        extra.creation = "inference_mode" if LOCAL.inference else "no_grad"
        if LOCAL.inference and not (source is not None and source.inference):
            t._rg = x._rg  # it requires grad if what it shows does; its place in the graph nobody knows
        extra.made = counter[0]
    elif multi:
        extra.multi_view = True
    elif source is not None:
        extra.multi_view = source.multi_view
        extra.creation = source.creation
    register_view(t, counter)


def note_rebuild(op: Op, vals: list[Any], outputs: list[Tensor]) -> None:
    """Let each view know how it is made from its base: as its source is, then by `op` with the same arguments."""
    x, rest = vals[0], vals[1:]
    if isinstance(x, tuple):
        return  # a view of each of a list: such cannot be changed in place
    before = None if x._extra is None else x._extra.rebuild
    if before is None and x._base is not None:
        return  # its source is a view that was made while they were not rebuilt
    for k, t in enumerate(outputs):
        if t._extra is not None and t._extra.base is not None:
            t._extra.rebuild = Rebuild(before, op, tuple(rest), k)


class Rebuild:
    """How a view is made from its base: as its source is, then by `op` with the arguments `rest`; result number `k`."""

    __slots__ = ("before", "k", "op", "rest")

    def __init__(self, before: Rebuild | None, op: Op, rest: tuple[Any, ...], k: int) -> None:
        self.before, self.op, self.rest, self.k = before, op, rest, k

    def __call__(self, base: Tensor, changed: Any = None) -> Tensor:
        """The same view of another base. `changed(parameter, value)` may put other arguments in place of those noted."""
        source = base if self.before is None else self.before(base, changed)
        rest = self.rest
        if changed is not None:
            rest = tuple(changed(p, v) for p, v in zip(self.op.params[1:], rest, strict=True))
        made = self.op.function(source, *rest)
        return made[self.k] if isinstance(made, tuple) else made


def register_view(t: Tensor, counter: list[Any]) -> None:
    """Let a change in place find this view while it lives."""
    views = counter[1]
    if views is None:
        counter[1] = [weakref.ref(t)]
        return
    views.append(weakref.ref(t))
    n = len(views)
    if n >= 64 and n & (n - 1) == 0:
        views[:] = [r for r in views if r() is not None]


def forget_view(t: Tensor) -> None:
    """Of a view that nobody else has, made last and used once: a change in place need not find it."""
    views = None if t._vc is None else t._vc[1]
    if views and views[-1]() is t:
        views.pop()


def bump(t: Tensor) -> None:
    """The memory of `t` has changed."""
    if t._vc is None:
        t._vc = [1, None]
    else:
        t._vc[0] += 1
        if t._vc.__class__ is DataCounter:
            t._vc.tell()
    if MODES.active:
        if LOCAL.anomaly is not None:
            LOCAL.anomaly.changed(t)
        for observer in LOCAL.observers:
            observer.written(t)


# -- what may not be changed in place --------------------------------------------------------------------------


def check_inplace(t: Tensor, records: bool) -> None:
    """Raise PyTorch's error if `t` may not be changed in place. `records`: the change would be recorded."""
    extra = t._extra
    if extra is not None and extra.inference and not LOCAL.inference:
        raise RuntimeError(
            "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone to get a "
            "normal tensor before doing inplace update.See https://github.com/pytorch/rfcs/pull/17 for more details."
        )
    if not LOCAL.grad:
        return
    base = extra.base if extra is not None else None
    if base is None:
        if t._rg and t._edge is None:
            raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
        return
    if base._edge is None and (
        base._rg or t._rg
    ):  # the base is a leaf, and its view, or what is written, requires grad
        check_creation(t)  # what is said first, as in PyTorch
        raise RuntimeError("a view of a leaf Variable that requires grad is being used in an in-place operation.")
    if records or t._rg or base._rg:
        check_creation(t)


def check_creation(t: Tensor) -> None:
    """Raise PyTorch's error if the way in which a view was made forbids changing it in place."""
    extra = t._extra
    if extra is None:
        return
    if extra.multi_view:
        node, nr = t._edge if t._edge is not None else (None, 0)
        name = "a view function" if node is None else node.operation()
        raise RuntimeError(
            f"Output {nr} of {name} is a view and is being modified inplace. This view is the output of a function that "
            "returns multiple views. Such functions do not allow the output views to be modified inplace. You should "
            "replace the inplace operation by an out-of-place one."
        )
    if extra.creation in ("no_grad", "inference_mode"):
        where = "no_grad" if extra.creation == "no_grad" else "inference_mode"
        made, now = (
            ("no_grad mode", "with grad mode enabled") if where == "no_grad" else ("inference mode", "in normal mode")
        )
        view = "A view was"
        if t._edge is not None:  # the view it is a view of was made there
            view = f"Output {t._edge[1]} of {t._edge[0].operation()} is a view of a view which was"
        raise RuntimeError(f"{view} created in {made} and is being modified inplace {now}. {_forbidden(where)}")
    if extra.creation == "custom_function":
        node, nr = t._edge if t._edge is not None else (None, 0)
        name = node.operation() if node is not None else "a custom Function"
        raise RuntimeError(
            f"Output {nr} of {name} is a view and is being modified inplace. This view was created inside a custom "
            "Function (or because an input was returned as-is) and the autograd logic to handle view+inplace would "
            "override the custom backward associated with the custom Function, leading to incorrect gradients. This "
            "behavior is forbidden. You can fix this by cloning the output of the custom Function."
        )


def _forbidden(where: str) -> str:
    return (
        "Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your code by moving both the "
        f"view and the inplace either both inside the {where} block (if you don't want the inplace to be tracked) or both "
        "outside (if you want the inplace to be tracked)."
    )


def check_current(t: Tensor) -> None:
    """Raise PyTorch's error if what a view shows, which was made while nothing was recorded, has been changed since."""
    extra = t._extra
    assert extra is not None
    if extra.base is None or not extra.base._rg or t._vc is None or t._vc[0] == extra.made:
        return
    where, made, now = (
        ("no_grad", "no_grad mode", "with grad mode enabled")
        if extra.creation == "no_grad"
        else ("inference_mode", "inference mode", "in normal mode")
    )
    raise RuntimeError(
        f"A view was created in {made} and its base or another view of its base has been modified inplace {now}. "
        + _forbidden(where)
    )


def check_overlap(array: Any) -> None:
    """An expanded tensor cannot be written to: several elements are one place in memory."""
    if not array.size:
        return  # NumPy gives dimensions beside an empty one stride 0
    for n, s in zip(array.shape, array.strides, strict=True):
        if s == 0 and n > 1:
            raise RuntimeError(
                "unsupported operation: more than one element of the written-to tensor refers to a single memory "
                "location. Please clone() the tensor before performing the operation."
            )


def check_partial_overlap(array: Any, other: Any, whole: bool = False) -> None:
    """A change in place must not read, elsewhere, what it writes (`whole`: nor the same elements). Checked, as in
    PyTorch, for dense tensors only.
    """
    if not (_dense(array) and _dense(other)):
        return
    a, b = array.__array_interface__["data"][0], other.__array_interface__["data"][0]
    if a == b and array.nbytes == other.nbytes:
        if array.strides == other.strides and not whole:
            return
    elif a + array.nbytes <= b or b + other.nbytes <= a:
        return
    raise RuntimeError(
        "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory "
        "location. Please clone() the tensor before performing the operation."
    )


def _dense(array: Any) -> bool:
    """Do the elements fill a stretch of memory, each place once?"""
    if array.flags.c_contiguous or array.flags.f_contiguous:
        return True
    step = array.itemsize
    for stride, n in sorted((s, n) for s, n in zip(array.strides, array.shape, strict=True) if n > 1):
        if stride != step:
            return False
        step *= n
    return True


def check_fits(array: Any, result: Any) -> None:
    """Can `result` be stored in `array`? PyTorch's words if not."""
    if result.shape != array.shape:
        try:
            fits = np.broadcast_shapes(result.shape, array.shape) == array.shape
        except ValueError:
            fits = False
        if not fits:
            raise RuntimeError(
                f"output with shape {list(array.shape)} doesn't match the broadcast shape {list(result.shape)}"
            )
    have, want = dtypes.of(result.dtype), dtypes.of(array.dtype)
    if have.category > want.category:
        raise RuntimeError(
            f"result type {have.tensor_type} can't be cast to the desired output type {want.tensor_type}"
        )


# -- what a change in place does to the graph ------------------------------------------------------------------


def rebase(target: Tensor, node: Node, nr: int = 0) -> None:
    """`target` was changed in place by `node` (its output `nr`): hang it, and its views, on the changed graph."""
    extra = target._extra
    moved = _take_retained(target)
    if extra is None or extra.base is None:
        target._rg, target._edge = True, (node, nr)
        base = target
    else:
        base = extra.base
        if target._array.dtype != base._array.dtype and reread(base._array, target._array) is None:
            raise NotImplementedError(
                "in-place change of a view that reinterprets the dtype of its base (view(dtype)). Change the base, or clone "
                "the view first."
            )
        copy = CopySlices(base, target, node)
        base_moved = _take_retained(base)
        base._rg, base._edge = True, (copy, 0)
        if base_moved:
            base.retain_grad()
    regenerate(base)
    if moved:
        target.retain_grad()


def became(target: Tensor, new: Tensor) -> None:
    """`target` was changed in place into what `new` was computed as, from the old value and by several operations."""
    base = target if target._extra is None or target._extra.base is None else target._extra.base
    if base is not target:
        old = wrap(base._array)
        old._rg, old._edge = base._rg, base._edge
        new = Place(base._array, target._array).write(old, new)
    base._rg, base._edge = True, new._edge
    regenerate(base)


def _take_retained(t: Tensor) -> bool:
    """retain_grad follows a tensor through changes in place: stop keeping the old value's gradient."""
    if t._edge is None or t._edge[0].extra is None:
        return False
    retained = t._edge[0].extra.retained
    keeper = retained.get(t._edge[1])
    if keeper is not None and keeper() is t:
        del retained[t._edge[1]]
        return True
    return False


def live_views(base: Tensor) -> list[Tensor]:
    """The views of `base` that are alive."""
    counter = base._vc
    if counter is None or counter[1] is None:
        return []
    views = [ref() for ref in counter[1]]
    return [v for v in views if v is not None and v._extra is not None and v._extra.base is base]


def regenerate(base: Tensor) -> None:
    """Give every live view of `base` a grad_fn that reads it out of the base as it is now."""
    if not base._rg:
        return
    for v in live_views(base):
        extra = v._extra
        assert extra is not None
        if extra.creation is not None:
            continue
        made = extra.rebuild(base) if extra.rebuild is not None else _reread(base, v)
        if made is not None and made._edge is not None:
            moved = _take_retained(v)
            v._rg, v._edge = True, made._edge
            if moved:
                v.retain_grad()


def _reread(base: Tensor, v: Tensor) -> Tensor | None:
    """The view as read out of the base by place; None if the two are of dtypes that do not go together."""
    from .record import record

    how = reread(base._array, v._array)
    if how is None and v._array.dtype != base._array.dtype:
        return None
    made = wrap(v._array)
    if LOCAL.grad:
        source = TABLE["view_as_real"].function(base) if how == "parts" else base
        op, values = TABLE["as_strided_at"], [source, Place(base._array, v._array).positions]
        if how == "pairs":
            op, values = TABLE["view_as_complex"], [op.function(*values)]
        record(op, values, [made], [v._array])
    return made


def reread(base: Any, view: Any) -> str | None:
    """Does the view show the real and imaginary "parts" of its base, or "pairs" of its elements as complex numbers?"""
    if base.dtype.kind == "c" and view.dtype.kind == "f" and base.itemsize == 2 * view.itemsize:
        return "parts"
    if base.dtype.kind == "f" and view.dtype.kind == "c" and view.itemsize == 2 * base.itemsize:
        return "pairs"
    return None


class Place:
    """Where a view lies in its base: reads what stands there out of the base, or writes it, by operations."""

    __slots__ = ("_base", "_positions", "_view", "direct", "how", "view_dtype")

    def __init__(self, base: Any, view: Any) -> None:
        self.how = reread(base, view)
        self.view_dtype = view.dtype
        self._base, self._view = (*geometry(base), base.itemsize), (*geometry(view), view.itemsize)
        self._positions: np.ndarray[Any, Any] | None = None
        # May it be read straight out of a row-major copy of the base?
        self.direct = (
            base.__class__ is np.ndarray
            and base.flags.c_contiguous
            and view.__class__ is np.ndarray
            and view.dtype is base.dtype
            and view.size > 0
        )

    def slot(self, whole: Any) -> Any:
        """The place itself, in a row-major copy of the base (where it lies `direct`)."""
        (start, *_), (at, strides, shape, _) = self._base, self._view
        return np.ndarray(shape, whole.dtype, whole, at - start, strides)

    @property
    def positions(self) -> np.ndarray[Any, Any]:
        """For each element of the view, the row-major index in its base of the element it is. Where one of them is complex
        and the other real, the complex numbers count as pairs.
        """
        if self._positions is None:
            self._positions = self._find()
        return self._positions

    def _find(self) -> np.ndarray[Any, Any]:
        (start, strides, shape, base_size), (at, view_strides, view_shape, view_size) = self._base, self._view
        size = min(base_size, view_size)
        if self.how == "parts":
            shape, strides = (*shape, 2), (*strides, size)
        elif self.how == "pairs":
            view_shape, view_strides = (*view_shape, 2), (*view_strides, size)
        low = sum(min(0, s // size * (n - 1)) for s, n in zip(strides, shape, strict=True))
        high = sum(max(0, s // size * (n - 1)) for s, n in zip(strides, shape, strict=True))
        memory = np.full(high - low + 1, -1, np.int64)
        strided = np.lib.stride_tricks.as_strided
        count = int(np.prod(shape, dtype=np.int64))
        strided(memory[-low:], shape, [s // size * 8 for s in strides])[...] = np.arange(count).reshape(shape)
        offset = (at - start) // size - low
        return strided(memory[offset:], view_shape, [s // size * 8 for s in view_strides]).copy()

    def read(self, whole: Any) -> Any:
        """What stands there, in the view's shape and dtype."""
        if self.how == "parts":
            whole = TABLE["view_as_real"].function(whole)
        part = TABLE["as_strided_at"].function(whole, self.positions)
        return TABLE["view_as_complex"].function(part) if self.how == "pairs" else part

    def write(self, whole: Any, part: Any) -> Any:
        """A copy of the base with that there; zeros if it is None."""
        if self.how == "parts":
            whole = TABLE["view_as_real"].function(whole)
        if part is None:
            whole = TABLE["clear_at"].function(whole, self.positions)
        else:
            part = TABLE["view_as_real"].function(part) if self.how == "pairs" else part
            whole = TABLE["put_at"].function(whole, part, self.positions)
        return TABLE["view_as_complex"].function(whole) if self.how == "parts" else whole


class CopySlices(Node):
    """The base's grad_fn after one of its views was changed in place by `fn`."""

    __slots__ = ("fn", "place")

    def __init__(self, base: Tensor, view: Tensor, fn: Node) -> None:
        self.seq = next(SEQUENCE)
        self.extra = None
        self.freed = False
        self.shape = base._array.shape
        self.dtype = base._array.dtype
        self.fn = fn
        self.place = Place(base._array, view._array)
        base_edge = (base._edge or leaf_edge(base)) if base._rg else NO_EDGE
        self.next = (base_edge, *fn.next[1:])

    def run(self, g: Any, keep: bool) -> tuple[Any, ...]:
        if g.__class__ is Batched:
            return self._by_operations(g, self.fn.run, keep)
        whole, place = np.array(g, order="C"), self.place
        if place.direct and whole.dtype == place.view_dtype and whole.shape == self.shape:
            slot = place.slot(whole)
            grads = self.fn.run(slot.copy()[()], keep)
            slot[...] = 0 if grads[0] is None else _fit(grads[0], slot.shape)
            return (whole, *grads[1:])
        flat = whole.reshape(-1)
        if place.how == "parts":
            flat = flat.view(flat.real.dtype)
        part = flat[place.positions]
        if place.how == "pairs":
            part = part.view(place.view_dtype)[..., 0]
        grads = self.fn.run(part, keep)
        old: Any = 0 if grads[0] is None else _fit(grads[0], part.shape)
        if place.how == "pairs":
            old = np.ascontiguousarray(np.broadcast_to(old, part.shape), place.view_dtype)[..., None].view(flat.dtype)
        flat[place.positions] = old
        return (whole, *grads[1:])

    def run_recorded(self, g: Any, keep: bool) -> tuple[Any, ...]:
        return self._by_operations(g, self.fn.run_recorded, keep)

    def _by_operations(self, g: Any, run: Any, keep: bool) -> tuple[Any, ...]:
        grads = run(self.place.read(g), keep)
        return (self.place.write(g, grads[0]), *grads[1:])

    def release(self) -> None:
        self.fn.release()


def _fit(g: Any, shape: tuple[int, ...]) -> Any:
    from .fitting import sum_to

    return g if g.shape == shape else sum_to(g, shape)
