"""What PyTorch checks before it pools, in its words. No operation is stated here.

Every check raises or returns; sizes come as tuples of one int for each spatial dimension.
"""

from __future__ import annotations

from typing import Any

from ..core.batched import plain
from ..kernels.pooling import result_size
from .shared import integers

Ints = tuple[int, ...]
_COUNT = {1: "one", 2: "two", 3: "three"}
_AXES = {1: ("",), 2: ("H", "W"), 3: ("T", "H", "W")}


def pool_ints(function: str, value: Any, name: str, position: int, rank: int) -> Ints:
    """An int, or one for each spatial dimension, as a tuple."""
    values = integers(value, function, name, position)
    if len(values) == 1:
        return values * rank
    if len(values) != rank:
        if rank == 1:
            raise RuntimeError(f"{function}() argument '{name}' should contain one int (got {len(values)})")
        omitted = "be omitted, a single int" if name == "stride" else "be a single int"
        raise RuntimeError(f"{function}: {name} must either {omitted}, or a tuple of {_COUNT[rank]} ints")
    return values


def windows(function: str, kernel_size: Any, stride: Any, padding: Any, dilation: Any, rank: int) -> tuple[Ints, ...]:
    """Kernel size, stride, padding and dilation as tuples; the stride is the kernel's size unless given."""
    k = pool_ints(function, kernel_size, "kernel_size", 2, rank)
    given = not (stride is None or (isinstance(stride, (tuple, list)) and not len(stride)))
    s = pool_ints(function, stride, "stride", 3, rank) if given else k
    return k, s, pool_ints(function, padding, "padding", 4, rank), pool_ints(function, dilation, "dilation", 5, rank)


def _check_windows(k: Ints, s: Ints, p: Ints, d: Ints) -> None:
    if 0 in s:
        raise RuntimeError("stride should not be zero")
    for a, b, c in zip(p, k, d, strict=True):
        if a < 0:
            raise RuntimeError(f"pad must be non-negative, but got pad: {a}")
        if a > ((b - 1) * c + 1) // 2:
            raise RuntimeError(
                f"pad should be at most half of effective kernel size, but got pad={a}, kernel_size={b} and dilation={c}"
            )
    axes = _AXES[len(k)]
    for words, values in (("kernel size", k), ("stride", s), ("dilation", d)):
        if min(values) <= 0:
            short = {"kernel size": "k", "stride": "d", "dilation": "dilation"}[words]
            got = " ".join(f"{short}{a}: {v}" for a, v in zip(axes, values, strict=True))
            raise RuntimeError(f"{words} should be greater than zero, but got {got}")


def _check_result(input: Any, k: Ints, s: Ints, p: Ints, d: Ints, ceil_mode: bool, rank: int) -> None:
    shape = tuple(input.shape)
    out = result_size(shape[-rank:], k, s, p, d, ceil_mode)
    if min(out) < 1:
        before = "x".join(map(str, shape[-rank - 1 :]))
        after = "x".join(map(str, (shape[-rank - 1], *out)))
        raise RuntimeError(f"Given input size: ({before}). Calculated output size: ({after}). Output size is too small")


def check_max(input: Any, k: Ints, s: Ints, p: Ints, d: Ints, ceil_mode: bool, rank: int) -> None:
    """Raise unless a max pool of these windows exists."""
    shape = list(input.shape)
    if rank == 1:
        for name, (value,) in (("kernel_size", k), ("stride", s), ("dilation", d)):
            if value <= 0:
                raise RuntimeError(f"max_pool1d() {name} must be greater than zero, but got {value}")
        if len(shape) not in (2, 3) or 0 in shape[-2:]:
            raise RuntimeError(
                "max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but got:"
                f"{shape}"
            )
        _check_windows(k, s, p, d)
        (n,) = result_size(tuple(shape[-1:]), k, s, p, d, ceil_mode)
        if n < 1:
            raise RuntimeError(f"max_pool1d() Invalid computed output size: {n}")
        return
    if len(shape) not in (rank + 1, rank + 2):
        raise RuntimeError(f"non-empty {rank + 1}D or {rank + 2}D (batch mode) tensor expected for input")
    _check_windows(k, s, p, d)
    if 0 in shape[-rank - 1 :]:
        if rank == 2:
            raise RuntimeError(
                f"Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got:{shape}"
            )
        dim = next(i for i in range(len(shape) - 4, len(shape)) if shape[i] == 0)
        raise RuntimeError(
            "max_pool3d_with_indices_out_cpu_template(): Expected input's non-batch dimensions to have positive length, but "
            f"input has a shape of {shape} and non-batch dimension {dim} has length zero!"
        )
    _check_result(input, k, s, p, d, ceil_mode, rank)


def check_avg(input: Any, k: Ints, s: Ints, p: Ints, ceil_mode: bool, rank: int) -> None:
    """Raise unless an average pool of these windows exists."""
    shape, ones = list(input.shape), (1,) * rank
    if rank == 1:
        check_argument(input, "avg_pool1d", 1)
    elif rank == 2 and len(shape) < 3:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-len(shape)}, {len(shape) - 1}], but got -3)"
        )
    elif rank == 3 and (len(shape) not in (4, 5)):
        raise RuntimeError("non-empty 4D or 5D (batch mode) tensor expected for input")
    _check_windows(k, s, p, ones)
    if len(shape) not in (rank + 1, rank + 2) or 0 in shape[-rank - 1 :]:
        raise RuntimeError(
            f"Expected {rank + 1}D or {rank + 2}D (batch mode) tensor with optional 0 dim batch size for input, but got:"
            f"{shape}"
        )
    _check_result(input, k, s, p, ones, ceil_mode, rank)


def check_argument(input: Any, function: str, rank: int) -> None:
    """Raise unless the input has `rank` + 1 or + 2 dimensions."""
    n = len(input.shape)
    if n not in (rank + 1, rank + 2):
        raise RuntimeError(
            f"Expected {rank + 1} to {rank + 2} dimensions, but got {n}-dimensional tensor for argument #1 'self' (while "
            f"checking arguments for {function})"
        )


def check_adaptive(input: Any, function: str, rank: int) -> None:
    """Raise unless the input fits an adaptive pool."""
    shape = list(input.shape)
    if rank == 1:
        check_argument(input, function, 1)
    elif len(shape) <= rank:
        raise ValueError(f"Input dimension should be at least {rank + 1}")
    elif len(shape) > rank + 2:
        raise RuntimeError(f"{function}(): Expected {rank + 1}D or {rank + 2}D tensor, but got {shape}")
    for d in range(len(shape) - rank, len(shape)):
        if shape[d] == 0:
            raise RuntimeError(
                f"{function}(): Expected input to have non-zero size for non-batch dimensions, but input has sizes {shape} "
                f"with dimension {d} being empty"
            )


def adaptive_sizes(function: str, output_size: Any, size: Ints, rank: int) -> Ints:
    """The output size with None filled in by the input's."""
    wanted = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,) * rank
    if len(wanted) != rank:
        if rank == 1:
            raise RuntimeError(f"{function}() argument 'output_size' should contain one int (got {len(wanted)})")
        if "max" in function:
            raise RuntimeError(f"{function}(): internal error: output_size.size() must be {rank}")
        raise RuntimeError(f"{function}: output_size must be {rank}")
    found = tuple(
        n if w is None else integers(w, function, "output_size", 2)[0] for w, n in zip(wanted, size, strict=True)
    )
    if min(found) < 0:
        if "max" in function:
            raise RuntimeError(f"Trying to create tensor with negative dimension {min(found)}: {list(found)}")
        raise RuntimeError(
            f"{function}: elements of output_size must be greater than or equal to 0 but received "
            "{" + ", ".join(map(str, found)) + "}"
        )
    return found


def unpool_size(input: Any, k: Ints, s: Ints, p: Ints, output_size: Any, rank: int) -> Ints:
    """The size before pooling: by default the smallest, or `output_size` if that could have been it."""
    default = tuple((n - 1) * b - 2 * c + a for n, a, b, c in zip(tuple(input.shape)[-rank:], k, s, p, strict=True))
    if output_size is None:
        return default
    size = tuple(int(n) for n in output_size)
    if len(size) == rank + 2:
        size = size[-rank:]
    if len(size) != rank:
        raise ValueError(
            f"output_size should be a sequence containing {rank} or {rank + 2} elements, but it has a length of "
            f"'{len(size)}'"
        )
    for d in range(rank):
        low, high = default[d] - s[d], default[d] + s[d]
        if not low < size[d] < high:
            raise ValueError(f'invalid output_size "{size}" (dim {d} must be between {low} and {high})')
    return size


def check_unpool(input: Any, indices: Any, size: Ints, rank: int) -> None:
    """Raise unless every value has a place."""
    if indices.dtype.name != "int64":
        raise RuntimeError(f"elements in indices should be type int64 but got: {indices.dtype.tensor_type}")
    if len(input.shape) not in (rank + 1, rank + 2):
        raise RuntimeError(
            f"Input to max_unpooling{rank}d should be a {rank + 1}d or {rank + 2}d Tensor, but got a tensor with "
            f"{len(input.shape)} dimensions."
        )
    if tuple(input.shape) != tuple(indices.shape):
        raise RuntimeError(
            f"Expected shape of indices to be same as that of the input tensor ({list(input.shape)}) but got indices tensor "
            f"with shape: {list(indices.shape)}"
        )
    area = 1
    for n in size:
        area *= n
    places = plain(getattr(indices, "_array", indices))
    if places.size and (places.max() >= area or places.min() < 0):
        worst = int(places.max()) if places.max() >= area else int(places.min())
        raise RuntimeError(
            f"Found an invalid max index: {worst} (output volumes are of size {'x'.join(map(str, size))})"
        )


def check_fractional(input: Any, k: Ints, sizes: Ints, rank: int) -> None:
    """Raise unless windows of `k` fit so many times."""
    shape = list(input.shape)
    function = f"fractional_max_pool{rank}d"
    if len(shape) < rank + 1:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-len(shape)}, {len(shape) - 1}], but got {-rank - 1})"
        )
    where = function + ("()" if rank == 2 else "_out()")
    if len(shape) > rank + 2 or 0 in shape[-rank - 1 :]:
        raise RuntimeError(f"{where}: Expected {rank + 1}D or {rank + 2}D tensor, but got: {shape}")
    for word, n, m, w in zip(("time", "height", "width")[3 - rank :], shape[-rank:], sizes, k, strict=True):
        if m + w - 1 > n:
            raise RuntimeError(f"{where}: pool {word} {w} too large relative to input {word} {n}")
