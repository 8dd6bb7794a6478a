"""Resampling to another size: interpolation in every mode, and averages over adaptive windows.

Each row is linear, separable over the dimensions, and has its transpose beside it. The weights are `kernels.resampling`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.op import Array, composite, linear
from ..kernels.resampling import resample
from .shared import integers

__all__: list[str] = []

F = "nn.functional."


def _state(name: str, mode: str, rank: int, node: str) -> Callable[..., Any]:
    """The row `name` that resamples the last `rank` dimensions by `mode`, and its transpose `name`_back."""

    def forward(input: Array, size: Any, align_corners: bool, scales: Any) -> Any:
        return resample(np.asarray(input), mode, tuple(size), align_corners, scales)

    def backward(input: Array, size: Any, align_corners: bool, scales: Any) -> Any:
        a = np.asarray(input)
        return resample(a, mode, a.shape[a.ndim - rank :], align_corners, scales, tuple(size))

    forward.__doc__ = f"(N, C, *S) to (N, C, *size) by {mode}. `scales` override the ratio of the sizes."
    backward.__doc__ = f"The transpose of {name}, whose input had `size`."
    there: Callable[..., Any] = linear(
        name,
        forward,
        input=lambda g, input_shape, align_corners, scales: back(
            g, input_shape[len(input_shape) - rank :], align_corners, scales
        ),
        node=f"{node}Backward0",
        method=False,
    )
    back = linear(
        f"{name}_back",
        backward,
        input=lambda g, input_shape, align_corners, scales: there(
            g, input_shape[len(input_shape) - rank :], align_corners, scales
        ),
        node=f"{node}BackwardBackward0",
        method=False,
    )
    return there


# (mode, antialias, rank): the row
_ROWS = {
    ("nearest", False, 1): _state("upsample_nearest1d", "nearest", 1, "UpsampleNearest1D"),
    ("nearest", False, 2): _state("upsample_nearest2d", "nearest", 2, "UpsampleNearest2D"),
    ("nearest", False, 3): _state("upsample_nearest3d", "nearest", 3, "UpsampleNearest3D"),
    ("nearest-exact", False, 1): _state("upsample_nearest_exact1d", "nearest-exact", 1, "UpsampleNearestExact1D"),
    ("nearest-exact", False, 2): _state("upsample_nearest_exact2d", "nearest-exact", 2, "UpsampleNearestExact2D"),
    ("nearest-exact", False, 3): _state("upsample_nearest_exact3d", "nearest-exact", 3, "UpsampleNearestExact3D"),
    ("linear", False, 1): _state("upsample_linear1d", "linear", 1, "UpsampleLinear1D"),
    ("bilinear", False, 2): _state("upsample_bilinear2d", "linear", 2, "UpsampleBilinear2D"),
    ("trilinear", False, 3): _state("upsample_trilinear3d", "linear", 3, "UpsampleTrilinear3D"),
    ("bicubic", False, 2): _state("upsample_bicubic2d", "cubic", 2, "UpsampleBicubic2D"),
    ("bilinear", True, 2): _state("upsample_bilinear2d_aa", "linear-antialias", 2, "UpsampleBilinear2DAa"),
    ("bicubic", True, 2): _state("upsample_bicubic2d_aa", "cubic-antialias", 2, "UpsampleBicubic2DAa"),
    ("lanczos", True, 2): _state("upsample_lanczos2d_aa", "lanczos-antialias", 2, "UpsampleLanczos2DAa"),
}
_MEANS = {
    2: _state("adaptive_avg_pool2d", "mean", 2, "AdaptiveAvgPool2D"),
    3: _state("adaptive_avg_pool3d", "mean", 3, "AdaptiveAvgPool3D"),
}
_NEEDS = {"linear": 3, "bilinear": 4, "bicubic": 4, "lanczos": 4, "trilinear": 5}
_PLAIN = ("nearest", "area", "nearest-exact")


def mean_over_bins(input: Any, sizes: tuple[int, ...]) -> Any:
    """Averages over adaptive windows of the last 2 or 3 dimensions."""
    if input.dtype.category < dtypes.FLOATING:
        rank = len(sizes)
        raise NotImplementedError(f"\"adaptive_avg_pool{rank}d\" not implemented for '{input.dtype.tensor_type}'")
    return _MEANS[len(sizes)](input, sizes, False, None)


def _spatial(input: Any, value: Any, what: str) -> list[Any]:
    """One number for each spatial dimension."""
    rank = len(input.shape) - 2
    if not isinstance(value, (tuple, list)):
        return [value] * rank
    if len(value) != rank:
        names, shown = (
            ("o1, o2, ...,oK", "output size") if what == "output size" else ("s1, s2, ...,sK", "scale_factor")
        )
        subject, word = (
            ("output", "output size of") if what == "output size" else ("scale_factor", "scale_factor of shape")
        )
        raise ValueError(
            f"Input and {subject} must have the same number of spatial dimensions, but got input with spatial dimensions of "
            f"{list(input.shape[2:])} and {word} {value}. Please provide input tensor in (N, C, d1, d2, ...,dK) format and "
            f"{shown} in ({names}) format."
        )
    return list(value)


def _check_sizes(input: Any, size: list[int]) -> None:
    shape = list(input.shape)
    rank = len(shape) - 2
    axes = ("D", "H", "W")[3 - rank :]
    if min(size) <= 0 or min(shape[2:]) <= 0:
        before, after = (", ".join(f"{a}: {n}" for a, n in zip(axes, ns, strict=True)) for ns in (shape[2:], size))
        join = " and output" if rank == 1 else " output"
        raise RuntimeError(f"Input and output sizes should be greater than 0, but got input ({before}){join} ({after})")
    if shape[1] == 0:
        raise RuntimeError(f"Non-empty {rank + 2}D data tensor expected but got a tensor with sizes {shape}")


@composite("nn.functional.interpolate", method=False)
def interpolate(
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Any:
    """Resample (N, C, *S) to `size`, or by `scale_factor`.

    `mode` is 'nearest', 'nearest-exact', 'area', 'linear' (one spatial dimension), 'bilinear', 'bicubic', 'lanczos' (two) or
    'trilinear' (three); 'bilinear', 'bicubic' and 'lanczos' filter first if `antialias`.
    """
    if mode in _PLAIN:
        if align_corners is not None:
            raise ValueError(
                "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
            )
    elif align_corners is None:
        align_corners = False
    dims = len(input.shape)
    factors: list[Any] | None = None
    wanted: list[int] | None = None
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is not None:
        given = _spatial(input, size, "output size")
        if isinstance(size, (tuple, list)) and not all(hasattr(n, "__index__") for n in size):
            raise TypeError(
                "expected size to be one of int or Tuple[int] or Tuple[int, int] or Tuple[int, int, int], but got size with "
                f"types {[type(n) for n in size]}"
            )
        wanted = [integers(n, "interpolate", "size", 2)[0] for n in given]
    elif scale_factor is not None:
        factors = [float(f) for f in _spatial(input, scale_factor, "scale_factor")]
    else:
        raise ValueError("either size or scale_factor should be defined")
    if recompute_scale_factor and size is not None:
        raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
    if antialias and not (mode in ("bilinear", "bicubic", "lanczos") and dims == 4):
        raise ValueError(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input"
        )
    if mode == "lanczos" and not antialias:
        raise ValueError("Lanczos mode requires antialias=True")
    if mode not in _PLAIN and mode in _NEEDS and dims in (3, 4, 5) and dims != _NEEDS[mode]:
        raise NotImplementedError(f"Got {dims}D input, but {mode} mode needs {_NEEDS[mode]}D input")
    if dims not in (3, 4, 5) or (mode not in _PLAIN and mode not in _NEEDS):
        raise NotImplementedError(
            f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {dims}D) for the modes: nearest | linear | "
            f"bilinear | bicubic | trilinear | lanczos | area | nearest-exact (got {mode})"
        )
    if factors is not None:
        wanted = [math.floor(n * f) for n, f in zip(input.shape[2:], factors, strict=True)]
        if recompute_scale_factor or mode == "area":
            factors = None
    assert wanted is not None
    if mode == "area":
        from .pooling import adaptive_mean

        return adaptive_mean(input, wanted, dims - 2)
    _check_sizes(input, wanted)
    if input.dtype.category < dtypes.FLOATING and input.dtype is not dtypes.uint8:
        name = f"upsample_{mode.replace('-', '_')}{'' if mode[0] in 'bt' else dims - 2}"
        raise NotImplementedError(f"\"{name}\" not implemented for '{input.dtype.tensor_type}'")
    row = _ROWS[mode, antialias, dims - 2]
    return row(input, tuple(wanted), bool(align_corners), None if factors is None else tuple(factors))


def _deprecated(old: str, new: str) -> None:
    warnings.warn(f"`nn.functional.{old}` is deprecated. Use `nn.functional.{new}` instead.", stacklevel=3)


@composite("nn.functional.upsample", method=False)
def upsample(
    input: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None
) -> Any:
    """The former name of `interpolate`."""
    _deprecated("upsample", "interpolate")
    return interpolate(input, size, scale_factor, mode, align_corners)


@composite("nn.functional.upsample_nearest", method=False)
def upsample_nearest(input: Any, size: Any = None, scale_factor: Any = None) -> Any:
    """`interpolate` by the nearest neighbour."""
    _deprecated("upsample_nearest", "interpolate")
    return interpolate(input, size, scale_factor, mode="nearest")


@composite("nn.functional.upsample_bilinear", method=False)
def upsample_bilinear(input: Any, size: Any = None, scale_factor: Any = None) -> Any:
    """`interpolate` bilinearly with aligned corners."""
    _deprecated("upsample_bilinear", "interpolate")
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)
