"""The largest, the smallest, and where they are; whether all or any are true, and how many."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.op import Array, composite, general
from ..core.returned import named_result
from .reductions import axes_for, spread, sum
from .shape import unsqueeze_dims
from .shared import wrap_dim, wrap_dims

__all__ = ["all", "amax", "amin", "aminmax", "any", "argmax", "argmin", "count_nonzero", "max", "min"]


# -- extrema -----------------------------------------------------------------------------------------------------


def _share(g: Any, input: Any, out: Any, dim: Any, keepdim: bool) -> Any:
    """The gradient of an extremum, split evenly among the elements that attain it."""
    shape = tuple(input.shape)
    out = spread(out, shape, dim, keepdim)
    attained = (input == out) | ((input != input) & (out != out))  # of NaN, every NaN
    return spread(g, shape, dim, keepdim) * attained / sum(attained, dim, True)


def _empty_check(name: str, input: Any, dim: Any) -> None:
    if input.size == 0:
        dims = wrap_dims(dim, input.ndim)
        if dims is None or dims == ():
            raise RuntimeError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim "
                "with the 'dim' argument."
            )
        for d in dims:
            if input.shape[d] == 0:
                raise IndexError(f"{name}(): Expected reduction dim {d} to have non-zero size.")


@general(
    "amax",
    input=lambda g, input, out, dim, keepdim: _share(g, input, out, dim, keepdim),
    out=True,
    tex=r"\max_{{{dim}}} {input}",
    domain="ties share evenly",
)
def amax(input: Array, dim: Any = (), keepdim: bool = False) -> Any:
    """Maxima over dimensions (all of them for `()`)."""
    _empty_check("amax", input, dim)
    return np.maximum.reduce(input, axis=axes_for(dim, input.ndim), keepdims=keepdim)


@general(
    "amin",
    input=lambda g, input, out, dim, keepdim: _share(g, input, out, dim, keepdim),
    out=True,
    tex=r"\min_{{{dim}}} {input}",
    domain="ties share evenly",
)
def amin(input: Array, dim: Any = (), keepdim: bool = False) -> Any:
    """Minima over dimensions (all of them for `()`)."""
    _empty_check("amin", input, dim)
    return np.minimum.reduce(input, axis=axes_for(dim, input.ndim), keepdims=keepdim)


@composite("aminmax", out=True)
def aminmax(input: Any, *, dim: Any = None, keepdim: bool = False) -> Any:
    """`(min, max)` over all elements or along one dimension."""
    dims = () if dim is None else dim
    if not input.numel():
        if dim is None:
            raise RuntimeError(
                "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity."
            )
        if input.shape and not input.shape[wrap_dim(dim, input.ndim)]:
            raise IndexError(f"aminmax: Expected reduction dim {wrap_dim(dim, input.ndim)} to have non-zero size.")
    return _MinMax(amin(input, dims, keepdim), amax(input, dims, keepdim))


def _pick_back(g: Any, shape: tuple[int, ...], dim: int, keepdim: bool, indices: Any) -> Any:
    """Put the gradient where the extremum was found."""
    from .gathering import gather_back

    if not shape:
        return g
    if not keepdim:
        g, indices = unsqueeze_dims(g, (dim % len(shape),)), unsqueeze_dims(indices, (dim % len(shape),))
    return gather_back(g, indices, shape, dim)


def _pick(t: Any, dim: int, keepdim: bool, indices: Any) -> Any:
    from .gathering import gather

    if t.ndim == 0:
        return t
    if keepdim:
        return gather(t, dim, indices)
    return gather(t, dim, indices.unsqueeze(dim)).squeeze(dim)


def _extremum(input: Any, dim: int, keepdim: bool, arg: Any, name: str) -> tuple[Any, Any]:
    d = wrap_dim(dim, input.ndim)
    if input.ndim == 0:
        return input.copy(), np.zeros((), np.int64)
    if input.shape[d] == 0:
        raise IndexError(f"{name}(): Expected reduction dim {d} to have non-zero size.")
    indices = np.asarray(arg(input, axis=d, keepdims=True))
    values = np.take_along_axis(input, indices, d)
    if not keepdim:
        values, indices = values.squeeze(d), indices.squeeze(d)
    return values, indices


def _extremum_row(name: str, arg: Any) -> Any:
    """`max(input, dim)` and `min(input, dim)`: values and the index of the first that attains them."""

    def row(input: Array, dim: int, keepdim: bool = False) -> Any:
        return _extremum(input, dim, keepdim, arg, name)

    row.__doc__ = f"The {name}imum along `dim`, and the index of the first element that attains it."
    return general(
        f"{name}_dim",
        row,
        outputs="values, indices*",
        input=lambda g, input_shape, dim, keepdim, indices: _pick_back(g, input_shape, dim, keepdim, indices),
        jvp=lambda t_input, dim, keepdim, indices: _pick(t_input, dim, keepdim, indices),
        node=f"{name.capitalize()}Backward0",
        method=False,
        domain="at ties the first",
    )


_max_dim = _extremum_row("max", np.argmax)


_min_dim = _extremum_row("min", np.argmin)


def _extremum_all(name: str, ufunc: Any) -> Any:
    def row(input: Array) -> Any:
        if input.size == 0:
            raise RuntimeError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim "
                "with the 'dim' argument."
            )
        return ufunc.reduce(input, axis=None)

    row.__doc__ = f"The {name}imum of all elements."
    return general(
        f"{name}_all",
        row,
        input=lambda g, input, out: _share(g, input, out, None, False),
        node=f"{name.capitalize()}Backward1",
        method=False,
        domain="ties share evenly",
    )


_max_all = _extremum_all("max", np.maximum)


_min_all = _extremum_all("min", np.minimum)


def _overloads(name: str, whole: Any, along: Any, pair: str) -> Any:
    def extremum(input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
        from . import choosing

        if hasattr(dim, "ndim") and not isinstance(dim, int):
            other, dim = dim, None
        if isinstance(dim, bool):
            raise TypeError(f"{name}() received an invalid combination of arguments - got (Tensor, bool)")
        if other is not None:
            return getattr(choosing, pair)(input, other)
        return whole(input) if dim is None else along(input, dim, keepdim)

    extremum.__name__ = extremum.__qualname__ = name
    extremum.__doc__ = (
        f"The {name}imum of all elements; with `dim`, `(values, indices)` along it; with a second tensor, elementwise."
    )
    return composite(name, out=True)(extremum)


max = _overloads("max", _max_all, _max_dim, "maximum")


min = _overloads("min", _min_all, _min_dim, "minimum")


_MinMax = named_result("aminmax", ["min", "max"])


def _arg(name: str, find: Any) -> Any:
    def row(input: Array, dim: Any = None, keepdim: bool = False) -> Any:
        if input.size == 0 and dim is None:
            raise IndexError(f"{name}(): Expected reduction dim to be specified for input.numel() == 0.")
        if dim is None or input.ndim == 0:
            if dim is not None:
                wrap_dim(dim, input.ndim)
            flat = np.asarray(find(input))
            return flat.reshape((1,) * input.ndim) if keepdim else flat
        d = wrap_dim(dim, input.ndim)
        if input.shape[d] == 0:
            raise IndexError(f"{name}(): Expected reduction dim {d} to have non-zero size.")
        return find(input, axis=d, keepdims=keepdim)

    row.__doc__ = f"Index of the first {name[3:]}imum, in the flattened tensor or along `dim`."
    return general(name, row, outputs="out*", out=True)


argmax = _arg("argmax", np.argmax)


argmin = _arg("argmin", np.argmin)


def _truth(name: str, ufunc: Any) -> Any:
    def row(input: Array, dim: Any = None, keepdim: bool = False) -> Any:
        kind = np.uint8 if input.dtype == np.uint8 else np.bool_
        return np.asarray(
            ufunc.reduce(input.astype(np.bool_), axis=axes_for(dim, input.ndim), keepdims=keepdim)
        ).astype(kind)

    row.__doc__ = f"Whether {name} element is true (not zero), over everything or along dimensions."
    return general(name, row, outputs="out*", out=True)


any = _truth("any", np.logical_or)


all = _truth("all", np.logical_and)


@general("count_nonzero", outputs="out*")
def count_nonzero(input: Array, dim: Any = None) -> Any:
    """How many elements are not zero."""
    return np.asarray(np.count_nonzero(input, axis=axes_for(dim, input.ndim)))
