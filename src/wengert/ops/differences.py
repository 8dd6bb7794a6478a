"""Differences and areas: `diff`, `gradient`, the trapezoidal rule. All are composites."""

from __future__ import annotations

from typing import Any

from ..core.op import composite
from ..core.tensor import Tensor
from .comparison import logical_xor
from .joining import cat
from .parts import narrow
from .reductions import sum
from .scans import cumsum
from .shape import reshape
from .shared import wrap_dim, wrap_dims

__all__ = ["cumulative_trapezoid", "diff", "gradient", "trapezoid", "trapz"]


@composite("diff", out=True)
def diff(input: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """Differences of neighbours along `dim`, `n` times over, of `input` between `prepend` and `append`."""
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    if input.ndim == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    d = wrap_dim(dim, input.ndim)
    for name, x in (("prepend", prepend), ("append", append)):
        if x is None:
            continue
        if x.ndim != input.ndim:
            raise RuntimeError("diff expects prepend or append to be the same dimension as input")
        for i in range(input.ndim):
            if i != d and x.shape[i] != input.shape[i]:
                raise RuntimeError(
                    f"diff expects the shape of tensor to prepend or append to match that of input except along the differencing "
                    f"dimension; input.size({i}) = {input.shape[i]}, but got tensor.size({i}) = {x.shape[i]}"
                )
        del name
    parts = [x for x in (prepend, input, append) if x is not None]
    if len(parts) > 1 and n:
        input = cat(parts, d)
    for _ in range(min(n, input.shape[d])):
        count = max(input.shape[d] - 1, 0)
        later, earlier = narrow(input, d, min(1, input.shape[d]), count), narrow(input, d, 0, count)
        input = logical_xor(later, earlier) if str(input.dtype) == "torch.bool" else later - earlier
    return input


# -- the trapezoidal rule ----------------------------------------------------------------------------------------


def _panels(name: str, y: Any, x: Any, dx: Any, dim: int) -> tuple[Any, int]:
    """The area of each panel, and the dimension along which they lie."""
    d = wrap_dim(dim, y.ndim)
    n = y.shape[d] if y.ndim else 1
    if x is not None and not isinstance(x, Tensor):
        raise TypeError(f"{name}(): argument 'x' must be Tensor, not {type(x).__name__}")
    if not n:
        return narrow(y, d, 0, 0), d
    pairs = narrow(y, d, 1, n - 1) + narrow(y, d, 0, n - 1)
    if x is None:
        return pairs * (dx / 2), d
    if x.ndim == 0 or x.shape[wrap_dim(dim, x.ndim) if x.ndim == y.ndim else -1] != n:
        raise RuntimeError(
            f"{name}(): There must be one `x` value for each sample point"
            if x.ndim == 1
            else f"{name}(): x and y must have the same size along the dimension {d}"
        )
    if x.ndim == 1:
        steps = reshape(diff(x), (n - 1,) + (1,) * (y.ndim - 1 - d))
    else:
        steps = diff(x, dim=d if x.ndim == y.ndim else d - y.ndim)
    return pairs * steps / 2.0, d


def _check(name: str, y: Any, x: Any, dx: Any) -> None:
    if x is not None and dx is not None:
        raise TypeError(f"{name}() received an invalid combination of arguments: give `x` or `dx`, not both")
    if str(y.dtype) == "torch.bool" or (x is not None and str(x.dtype) == "torch.bool"):
        raise RuntimeError(f"{name}: received a bool input for `x` or `y`, but bool is not supported")


@composite("trapezoid", method=False)
def trapezoid(y: Any, x: Any = None, *, dx: Any = None, dim: int = -1) -> Any:
    """The area under `y` along `dim` by the trapezoidal rule, at points `x` or in steps `dx`."""
    _check("trapezoid", y, x, dx)
    panels, d = _panels("trapezoid", y, x, 1 if dx is None else dx, dim)
    return sum(panels, d)


@composite("trapz", method=False)
def trapz(y: Any, x: Any = None, *, dx: Any = None, dim: int = -1) -> Any:
    """The same as `trapezoid`."""
    return trapezoid(y, x, dx=dx, dim=dim)


@composite("cumulative_trapezoid", method=False)
def cumulative_trapezoid(y: Any, x: Any = None, *, dx: Any = None, dim: int = -1) -> Any:
    """The area under `y` up to each point but the first."""
    _check("cumulative_trapezoid", y, x, dx)
    panels, d = _panels("cumulative_trapezoid", y, x, 1 if dx is None else dx, dim)
    return cumsum(panels, d)


# -- derivatives from samples ------------------------------------------------------------------------------------


@composite("gradient", method=False)
def gradient(input: Any, *, spacing: Any = 1, dim: Any = None, edge_order: int = 1) -> Any:
    """Second-order central differences along each dimension; at the edges one-sided ones of order `edge_order`.

    `spacing` is a step, a list of one for each dimension, or a list of coordinate vectors.
    """
    dims = list(range(input.ndim)) if dim is None else list(wrap_dims(dim, input.ndim) or ())
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    spacing = 1 if spacing is None else spacing
    one = isinstance(spacing, (int, float, complex))
    steps = [spacing] * len(dims) if one else list(spacing)
    if len(steps) == 1 and not one and len(dims) != 1 and dim is None:
        raise RuntimeError(
            "torch.gradient expected spacing to be unspecified, a scalar, or a list of length equal to "
            f"'self.dim() = {input.ndim}', since dim argument was not given, but got a list of length {len(steps)}"
        )
    if len(steps) != len(dims):
        if dim is None:
            raise RuntimeError(
                "torch.gradient expected spacing to be unspecified, a scalar, or a list of length equal to "
                f"'self.dim() = {input.ndim}', since dim argument was not given, but got a list of length {len(steps)}"
            )
        raise RuntimeError(
            "torch.gradient expected spacing to be unspecified, a scalar or it's spacing and dim arguments to have the same "
            f"length, but got a spacing argument of length {len(steps)} and a dim argument of length {len(dims)}."
        )
    for d in dims:
        if input.shape[d] < edge_order + 1:
            raise RuntimeError("torch.gradient expected each dimension size to be at least edge_order+1")
    return tuple(_slope(input, h, d, edge_order) for h, d in zip(steps, dims, strict=True))


def _slope(y: Any, h: Any, d: int, edge_order: int) -> Any:
    n = y.shape[d]

    def at(start: int, count: int) -> Any:
        return narrow(y, d, start, count)

    def along(x: Any) -> Any:
        return reshape(x, (-1,) + (1,) * (y.ndim - 1 - d))

    if not isinstance(h, Tensor):
        inner = (at(2, n - 2) - at(0, n - 2)) / (2 * h)
        if edge_order == 1:
            first, last = (at(1, 1) - at(0, 1)) / h, (at(n - 1, 1) - at(n - 2, 1)) / h
        else:
            first = (-1.5 * at(0, 1) + 2.0 * at(1, 1) - 0.5 * at(2, 1)) / h
            last = (1.5 * at(n - 1, 1) - 2.0 * at(n - 2, 1) + 0.5 * at(n - 3, 1)) / h
        return cat([first, inner, last], d)
    if h.ndim != 1 or h.shape[0] != n:
        raise RuntimeError(
            "torch.gradient expected each element of spacing to have one dimension, and as many elements as the dimension "
            f"{d} of the input has, but got {tuple(h.shape)}"
        )
    gap = diff(h)
    before, after = along(narrow(gap, 0, 0, n - 2)), along(narrow(gap, 0, 1, n - 2))
    inner = (
        -after / (before * (before + after)) * at(0, n - 2)
        + (after - before) / (before * after) * at(1, n - 2)
        + before / (after * (before + after)) * at(2, n - 2)
    )
    if edge_order == 1:
        first = (at(1, 1) - at(0, 1)) / along(narrow(gap, 0, 0, 1))
        last = (at(n - 1, 1) - at(n - 2, 1)) / along(narrow(gap, 0, n - 2, 1))
    else:
        a, b = along(narrow(gap, 0, 0, 1)), along(narrow(gap, 0, 1, 1))
        first = -(2.0 * a + b) / (a * (a + b)) * at(0, 1) + (a + b) / (a * b) * at(1, 1) - a / (b * (a + b)) * at(2, 1)
        a, b = along(narrow(gap, 0, n - 3, 1)), along(narrow(gap, 0, n - 2, 1))
        last = (
            b / (a * (a + b)) * at(n - 3, 1)
            - (a + b) / (a * b) * at(n - 2, 1)
            + (2.0 * b + a) / (b * (a + b)) * at(n - 1, 1)
        )
    return cat([first, inner, last], d)
