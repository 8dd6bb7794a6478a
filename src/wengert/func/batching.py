"""How operations are mapped over a batch, where their kind does not say.

An elementwise operation needs nothing, and any other is mapped by a loop over the examples until a rule here says better.
A rule is `rule(op, args, level, size)`: `args` in the order of the operation's parameters, some of them batched at `level`;
it returns the forward's results with the batch as axis 0, or NotImplemented to leave it to the loop.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.batched import Batched, is_at, layered, layers, move_out, run_forward
from ..core.op import LIST, TABLE, Op
from ..kernels.memory import strided as view_at


def _position(op: Op, name: str) -> int:
    return next(i for i, p in enumerate(op.params) if p.name == name)


def _shift(d: Any, ndim: int) -> Any:
    """A dimension, or several, of an example as those of the batch."""
    if isinstance(d, (tuple, list)):
        return tuple(_shift(x, ndim) for x in d)
    return int(d) % ndim + 1


def along(*names: str, none: str = "all") -> Any:
    """The options `names` are dimensions of the first argument: they move by one.

    `none` says what None (or nothing) means: "all" dimensions, "no" dimension, or "loop" to do those calls one by one.
    """

    def rule(op: Op, args: list[Any], level: int, size: int) -> Any:
        x = args[0]
        others = [a for p, a in zip(op.params[1:], args[1:], strict=True) if p.is_tensor]
        if not is_at(x, level) or x.ndim == 0 or any(is_at(a, level) for a in others if a is not None):
            return NotImplemented
        new = list(args)
        new[0] = x.value
        for name in names:
            i = _position(op, name)
            if args[i] is None or args[i] == ():
                if none == "loop":
                    return NotImplemented
                new[i] = tuple(range(1, x.ndim + 1)) if none == "all" else ()
            else:
                new[i] = _shift(args[i], x.ndim)
        return run_forward(op, new)

    return rule


def both_along(name: str) -> Any:
    """Like `along`, for operations whose tensor arguments all have the same number of dimensions (gather, scatter)."""

    def rule(op: Op, args: list[Any], level: int, size: int) -> Any:
        tensors = [i for i, p in enumerate(op.params) if p.is_tensor and args[i] is not None]
        ndim = args[tensors[0]].ndim
        if ndim == 0 or any(np.ndim(_visible(args[i])) != ndim and not is_at(args[i], level) for i in tensors):
            return NotImplemented
        new = list(args)
        for i in tensors:
            a = args[i]
            if is_at(a, level):
                if a.ndim != ndim:
                    return NotImplemented
                new[i] = a.value
            else:
                new[i] = _repeat(a, size)
        i = _position(op, name)
        new[i] = _shift(args[i], ndim)
        return run_forward(op, new)

    return rule


def _visible(a: Any) -> Any:
    return a


def _repeat(a: Any, size: int) -> Any:
    """What all examples share, once for each (without copying)."""
    return move_out(a, 0, -1, size)


def shaped(name: str) -> Any:
    """The option `name` is the shape of the result: the batch goes in front."""

    def rule(op: Op, args: list[Any], level: int, size: int) -> Any:
        x = args[0]
        if not is_at(x, level):
            return NotImplemented
        new = list(args)
        new[0] = x.value
        i = _position(op, name)
        new[i] = (size, *(int(n) for n in args[i]))
        return run_forward(op, new)

    return rule


def expanded(op: Op, args: list[Any], level: int, size: int) -> Any:
    """`expand` lines dimensions up from the right."""
    x, shape = args[0], tuple(args[1])
    lead = len(shape) - x.ndim
    v = x.value
    if lead > 0:
        v = v.reshape((v.shape[0], *(1,) * lead, *v.shape[1:]))
        shape = tuple(shape)
    return run_forward(op, [v, (size, *shape)])


def summed(op: Op, args: list[Any], level: int, size: int) -> Any:
    """`sum_to_shape`: dimensions in front that the shape lacks are summed away."""
    x, shape = args[0], tuple(args[1])
    lead = x.ndim - len(shape)
    kept = run_forward(op, [x.value, (size, *(1,) * lead, *shape)])
    return kept.reshape((size, *shape)) if lead else kept


def whole(op: Op, args: list[Any], level: int, size: int) -> Any:
    """Nothing to move: the operation works on every dimension alike, or on the last ones only."""
    x = args[0]
    others = [a for p, a in zip(op.params[1:], args[1:], strict=True) if p.is_tensor and a is not None]
    if not is_at(x, level) or others:
        return NotImplemented
    return run_forward(op, [x.value, *args[1:]])


def cloned(op: Op, args: list[Any], level: int, size: int) -> Any:
    """A copy, of examples whose order in memory has no name."""
    if args[1] is not None and args[1].name.startswith("channels_last"):
        raise RuntimeError(
            "NYI: Tensor.clone(memory_format) inside vmap is only supported with memory_format torch.preserve_format or "
            f"torch.contiguous_format (got {'ChannelsLast3d' if args[1].name.endswith('3d') else 'ChannelsLast'})"
        )
    return whole(op, args, level, size)


def joined(op: Op, args: list[Any], level: int, size: int) -> Any:
    """`cat`, `stack`: a list of tensors and a dimension."""
    tensors, dim = args[0], args[1]
    ndim = len(np.shape(tensors[0])) + (1 if op.name == "stack" else 0)
    if ndim == 0 or any(len(np.shape(t)) != len(np.shape(tensors[0])) for t in tensors):
        return NotImplemented
    values = tuple(t.value if is_at(t, level) else _repeat(t, size) for t in tensors)
    return run_forward(op, [values, int(dim) % ndim + 1, *args[2:]])


def over_all(name: str) -> Any:
    """All elements of each example are reduced: what `name` does over every dimension but the batch."""

    def rule(op: Op, args: list[Any], level: int, size: int) -> Any:
        x, dtype = args[0], args[1]
        if dtype is not None or x.ndim == 0:
            return NotImplemented
        return TABLE[name].function(x.value, tuple(range(1, x.ndim + 1)))

    return rule


def squeezed(op: Op, args: list[Any], level: int, size: int) -> Any:
    """`squeeze`: a batch of one stays."""
    x = args[0]
    return run_forward(TABLE["squeeze_dims"], [x.value, tuple(i + 1 for i, n in enumerate(x.shape) if n == 1)])


def part(op: Op, args: list[Any], level: int, size: int) -> Any:
    """`x[...]` with numbers, slices and None: a view, also of the batch."""
    return run_forward(op, [args[0].value, (slice(None), *args[1])])


def part_back(op: Op, args: list[Any], level: int, size: int) -> Any:
    return run_forward(op, [args[0].value, (size, *args[1]), (slice(None), *args[2])])


def permuted(op: Op, args: list[Any], level: int, size: int) -> Any:
    x, dims = args
    return run_forward(op, [x.value, (0, *_shift(tuple(dims), x.ndim))])


def transposed(op: Op, args: list[Any], level: int, size: int) -> Any:
    x = args[0]
    return x.value if x.ndim < 2 else x.value.swapaxes(1, 2) if hasattr(x.value, "swapaxes") else NotImplemented


def grown(op: Op, args: list[Any], level: int, size: int) -> Any:
    """`unsqueeze`: the dimension is one of the result."""
    x, d = args
    count = len(d) if isinstance(d, (tuple, list)) else 1
    return run_forward(op, [x.value, _shift(d, x.ndim + count)])


def placed_back(*names: str) -> Any:
    """The transposes of views: `shape` is the result's, the other options are dimensions of it."""

    def rule(op: Op, args: list[Any], level: int, size: int) -> Any:
        x = args[0]
        new = list(args)
        new[0] = x.value
        at = _position(op, "shape")
        ndim = len(args[at])
        new[at] = (size, *args[at])
        for name in names:
            i = _position(op, name)
            new[i] = _shift(args[i], ndim)
        return run_forward(op, new)

    return rule


def repeated(op: Op, args: list[Any], level: int, size: int) -> Any:
    """`repeat`: one count for each dimension, new ones in front."""
    x, repeats = args
    lead = len(repeats) - x.ndim
    v = x.value
    if lead > 0:
        v = v.reshape((size, *(1,) * lead, *x.shape))
    return run_forward(op, [v, (1, *repeats)])


def product(op: Op, args: list[Any], level: int, size: int) -> Any:
    """Matrix products: one broadcast product over the batch."""
    a, b = args[0], args[1]
    if len(args) > 2 and any(x is not None for x in args[2:]):
        return NotImplemented
    na, nb = len(np.shape(a)), len(np.shape(b))
    va, vb = (x.value if is_at(x, level) else x for x in (a, b))
    if is_at(a, level) and is_at(b, level):
        if na == 1 and nb == 1:
            return _sum_last(TABLE["mul"].function(va, vb))
        if na == 1:
            return _matmul(_row(va), vb, drop=-2)
        if nb == 1:
            return _matmul(va, _column(vb), drop=-1)
        if na == nb:
            return _matmul(va, vb)
        return NotImplemented
    if is_at(a, level):
        # The right factor is shared: the batch is more rows of the left one.
        if nb > 2 or (na > 2 and nb == 1):
            return NotImplemented
        if na == 1:
            return _matmul(va, vb)
        return _matmul(va, vb)
    if na == 1 and nb == 1:
        return _matmul(vb, va)
    if na == 2 and nb == 1:
        return _matmul(vb, TABLE["transpose"].function(va, 0, 1))
    if na == nb or na == 2:
        return _matmul(va, vb)
    return NotImplemented


def product_nt(op: Op, args: list[Any], level: int, size: int) -> Any:
    """`a @ b.T` of matrices."""
    a, b = args
    return product(op, [a, _turned(b, level)], level, size)


def product_tn(op: Op, args: list[Any], level: int, size: int) -> Any:
    """`a.T @ b` of matrices."""
    a, b = args
    return product(op, [_turned(a, level), b], level, size)


def _turned(x: Any, level: int) -> Any:
    """The transposed matrix, or matrices."""
    transpose = TABLE["transpose"].function
    return Batched(transpose(x.value, 1, 2), level) if is_at(x, level) else transpose(x, 0, 1)


def _matmul(a: Any, b: Any, drop: int | None = None) -> Any:
    r = a @ b
    return r if drop is None else r.reshape(tuple(n for i, n in enumerate(r.shape) if i != r.ndim + drop))


def _row(v: Any) -> Any:
    return v.reshape((v.shape[0], 1, *v.shape[1:]))


def _column(v: Any) -> Any:
    return v.reshape((*v.shape, 1))


def _sum_last(v: Any) -> Any:
    return TABLE["sum"].function(v, -1)


def affine(op: Op, args: list[Any], level: int, size: int) -> Any:
    """`linear(input, weight, bias)`."""
    x, w, b = args
    if not is_at(w, level) and not is_at(b, level):
        return run_forward(op, [x.value, w, b])
    if is_at(w, level):
        wt = w.value
        swapped = TABLE["transpose"].function(wt, 1, 2)
        if is_at(x, level):
            y = _matmul(_row(x.value), swapped, drop=-2) if x.ndim == 1 else _wide(x.value, swapped)
        elif len(np.shape(x)) <= 2:
            y = x @ swapped
        else:
            return NotImplemented
    else:
        y = (x.value if is_at(x, level) else x) @ TABLE["transpose"].function(w, 0, 1)
        if not is_at(x, level):
            y = _repeat(y, size)
    if b is None:
        return y
    bias = b.value if is_at(b, level) else b
    if is_at(b, level):
        bias = bias.reshape((size, *(1,) * (y.ndim - 2), bias.shape[-1]))
    return TABLE["add"].function(y, bias)


def _wide(x: Any, w: Any) -> Any:
    """(B, ..., n) @ (B, n, m): the examples' leading dimensions folded into rows."""
    if x.ndim == 3:
        return x @ w
    rows = x.reshape((x.shape[0], -1, x.shape[-1]))
    r = rows @ w
    return r.reshape((*x.shape[:-1], w.shape[-1]))


def over_first(op: Op, args: list[Any], level: int, size: int) -> Any:
    """`fill`, `copy`, `masked_fill`: the last argument is written into the first, whose shape the result has.

    (Of `masked_fill` the shape is that of the first argument and the mask together.)
    """
    x, value = args[0], args[-1]
    masked = op.name == "masked_fill"
    shape = np.broadcast_shapes(tuple(x.shape), tuple(args[1].shape)) if masked else tuple(x.shape)
    full = x.value if is_at(x, level) else _repeat(x, size)
    if hasattr(value, "shape"):
        inner = value.value if is_at(value, level) else value
        if is_at(value, level):
            inner = inner.reshape((size, *(1,) * (len(shape) - value.ndim), *value.shape))
        spread = TABLE["expand"].function(inner, (size, *shape))
        spread = spread if spread.dtype == full.dtype else spread.astype(full.dtype)
        if not masked:
            return spread.copy()
    elif not masked:
        return NotImplemented
    else:
        spread = full.dtype.type(value)
    if x.ndim < len(shape):
        full = full.reshape((size, *(1,) * (len(shape) - x.ndim), *x.shape))
    return TABLE["where"].function(_mask(args[1], len(shape), level, size), spread, full)


def _mask(m: Any, ndim: int, level: int, size: int) -> Any:
    if not is_at(m, level):
        return m
    return m.value.reshape((size, *(1,) * (ndim - m.ndim), *m.shape))


def strided(op: Op, args: list[Any], level: int, size: int) -> Any:
    """`as_strided` of each example's own memory."""
    x, shape, strides, offset, (own_strides, own) = args
    if len(shape) != len(strides):
        raise RuntimeError(
            "Tensor.as_strided(size, stride, ...): size and stride must have the same length! "
            f"Got size {list(shape)} and stride {list(strides)}"
        )
    if 0 not in shape:
        last = offset + _reach(shape, strides)
        room = own + _reach(x.shape, own_strides)
        why = ""
        if 0 in x.shape:
            why = "`tensor` has no storage but the passed-in (size, stride, storage_offset) imply a result with some storage"
        elif offset < own or last > room:
            why = (
                f"`result` can access some memory in range [{offset}, {last}], but `tensor` can only access some memory in "
                f"range [{own}, {room}]"
            )
        if why:
            raise RuntimeError(
                f"result = tensor.as_strided({list(shape)}, {list(strides)}, {offset}) can access memory outside of `tensor`. "
                f"{why}. This is not supported inside of vmap, please try to rewrite the `as_strided` call as a sequence of "
                "PyTorch view operations"
            )
    levels, v = layers(x)
    k, hidden = v.itemsize, len(levels)
    steps = (*v.strides[:hidden], *(s * k for s in strides))
    return layered(levels[1:], view_at(v, (*v.shape[:hidden], *shape), steps, (offset - own) * k))


def _reach(shape: Any, strides: Any) -> int:
    """How far the last element lies behind the first."""
    return sum((n - 1) * s for n, s in zip(shape, strides, strict=True))


_DIMENSIONS = ("dim", "dims", "dim0", "dim1", "dim2", "dimension", "axis")


def selected(op: Op, args: list[Any], level: int, size: int) -> Any:
    """`masked_select`: one mask for all examples selects as many of each."""
    if is_at(args[1], level):
        raise RuntimeError(
            "vmap: Attempted to vmap over `mask` in torch.masked_select(self, mask) We cannot support this because for "
            "each batch this would return a differently shaped Tensor. Please file an issue at "
            "https://github.com/pytorch/pytorch/issues if you need this feature."
        )
    return NotImplemented


_RULES: dict[str, Any] = {
    "masked_select": selected,
    "view": shaped("shape"),
    "reshape": shaped("shape"),
    "fft_resized": shaped("shape"),
    "expand": expanded,
    "sum_to_shape": summed,
    **dict.fromkeys(("argmax", "argmin", "prod"), along("dim", none="loop")),
    "permute": permuted,
    "t": transposed,
    "unsqueeze": grown,
    "unsqueeze_dims": grown,
    "select_back": placed_back("dim"),
    "slice_back": placed_back("dim"),
    "diagonal_back": placed_back("dim1", "dim2"),
    "unfold_back": placed_back("dimension"),
    "repeat": repeated,
    "cat": joined,
    "stack": joined,
    **dict.fromkeys(("affine", "nn.functional.linear"), affine),
    "sum_all": over_all("sum"),
    "mean_all": over_all("mean"),
    "squeeze_all": squeezed,
    "squeeze_dims": along("dim", none="no"),
    **dict.fromkeys(("getitem", "getitem_select", "getitem_unsqueeze"), part),
    "getitem_back": part_back,
    **dict.fromkeys(("split", "split_with_sizes"), along("dim")),
    **dict.fromkeys(("matmul", "mm", "mv", "dot", "bmm"), product),
    "mm_nt": product_nt,
    "mm_tn": product_tn,
    "as_strided": strided,
    **dict.fromkeys(("fill", "copy", "masked_fill"), over_first),
    **dict.fromkeys(("gather", "scatter_add", "softmax_back", "log_softmax_back"), both_along("dim")),
    "clone": cloned,
    **dict.fromkeys(("to_dtype", "view_as", "alias", "tril", "triu", "conj", "real", "imag"), whole),
    **dict.fromkeys(("view_dtype", "view_as_real", "view_as_complex"), whole),
}
# Options that are dimensions, but not of the argument as it stands: these are left to the loop.
_OTHERWISE = frozenset(
    ["diag_embed", "roll", "squeeze_all", "to_examples", "from_examples", "tensordot", "cross", "linalg.cross", "rot90"]
)


def _automatic(op: Op) -> Any:
    """An operation of one tensor whose only other positions are dimensions needs no rule of its own."""
    if op.kind == "elementwise" or op.name in _OTHERWISE or op.name.startswith("linalg."):
        return None
    names = [p.name for p in op.params]
    first = op.params[0]
    if not first.is_tensor or first.kind == LIST or sum(p.is_tensor for p in op.params) != 1:
        return None
    dims = [n for n in names if n in _DIMENSIONS]
    if not dims or (
        any("shape" in n or "size" in n for n in names if n not in _DIMENSIONS) and op.name not in ("unfold",)
    ):
        return None
    return along(*dims)


def install() -> None:
    """Give the operations their rules. Called once, when all tables are there."""
    for name, op in TABLE.items():
        if op.batch is None:
            op.batch = _RULES.get(name) or _automatic(op)
