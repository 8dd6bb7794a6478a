"""Sampling an image at the points of a grid, and grids of affine maps.

The image is read at whole places (`read_places`, linear) and what was read is weighed by where the point lies between
them; the derivative in the grid is that of the weights.
"""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np

from ..core import dtypes
from ..core.by_example import by_example
from ..core.op import Array, composite, linear
from ..core.tensor import wrap
from ..kernels import sampling as kernel
from .choosing import where

__all__ = ["affine_grid_generator", "grid_sampler", "grid_sampler_2d", "grid_sampler_3d"]

_MODES = ("bilinear", "nearest", "bicubic")
_PADDINGS = ("zeros", "border", "reflection")


@linear("read_places", input=lambda g, places, input_shape: add_places(g, places, input_shape[2:]), method=False)
def read_places(input: Array, places: Array) -> Any:
    """(N, C, L): (N, C, *S) at flat `places` (N, L), where -1 reads as zero."""
    return kernel.read(np.asarray(input), places)


@linear("add_places", input=lambda g, places: read_places(g, places), method=False)
def add_places(input: Array, places: Array, size: Any) -> Any:
    """The transpose of `read_places`: (N, C, L) added into zeros (N, C, *size)."""
    return kernel.add(np.asarray(input), places, tuple(size))


# -- coordinates -------------------------------------------------------------------------------------------------


def _unnormalised(x: Any, n: int, align_corners: bool) -> Any:
    """From -1 ... 1 to 0 ... n - 1, which are the centres of corner pixels if they are aligned."""
    return (x + 1) / 2 * (n - 1) if align_corners else ((x + 1) * n - 1) / 2


def _clipped(x: Any, n: int) -> Any:
    """Kept inside; the derivative is zero on the border already, as in PyTorch."""
    return where(x <= 0, 0.0, where(x >= n - 1, float(n - 1), x))


def _reflected(x: Any, n: int, align_corners: bool) -> Any:
    """Reflected at the outer pixels' centres if corners are aligned, else at their edges."""
    low, span = (0.0, float(n - 1)) if align_corners else (-0.5, float(n))
    if span == 0:
        return x * 0
    away = where(x < low, low - x, x - low)
    flips = (away.detach() / span).floor()
    rest = away - flips * span
    return where(flips % 2 == 0, rest + low, span - rest + low)


def _padded(x: Any, n: int, padding: str, align_corners: bool) -> Any:
    if padding == "border":
        return _clipped(x, n)
    if padding == "reflection":
        return _clipped(_reflected(x, n, align_corners), n)
    return x


def _places(index: list[Any], size: tuple[int, ...]) -> Any:
    """Whole coordinates, one array for each dimension, as flat places; -1 outside."""
    flat: Any = 0
    inside: Any = True
    for i, n in zip(index, size, strict=True):
        inside = inside & (i >= 0) & (i < n)
        flat = flat * n + i
    return wrap(np.where(inside, flat, -1).reshape(index[0].shape[0], -1).astype(np.int64))


def _whole(x: Any) -> Any:
    """The array of a tensor of whole numbers, NaN and far away as something outside."""
    a = x.detach().numpy()
    return np.where(np.abs(a) < 1e9, a, -100)


# -- grid_sample -------------------------------------------------------------------------------------------------


def _linear_weights(x: Any) -> list[tuple[Any, Any]]:
    """(whole coordinate, weight) of the two neighbours."""
    first = x.detach().floor()
    return [(_whole(first), first + 1 - x), (_whole(first) + 1, x - first)]


def _cubic_weights(x: Any) -> list[tuple[Any, Any]]:
    """(whole coordinate, weight) of four neighbours: cubic convolution with parameter -0.75."""
    a = -0.75
    first = x.detach().floor()
    t = x - first
    far = lambda s: ((a * s - 5 * a) * s + 8 * a) * s - 4 * a
    near = lambda s: ((a + 2) * s - (a + 3)) * s * s + 1
    weights = (far(t + 1), near(t), near(1 - t), far(2 - t))
    return [(_whole(first) + k - 1, w) for k, w in enumerate(weights)]


def _bounded(index: Any, n: int, padding: str, align_corners: bool) -> Any:
    """Whole coordinates of a neighbour, brought inside by the padding."""
    if padding == "zeros":
        return index
    return _whole(_padded(wrap(np.asarray(index, np.float64)), n, padding, align_corners).floor())


def _sample(input: Any, grid: Any, mode: str, padding: str, align_corners: bool) -> Any:
    size = tuple(input.shape[2:])
    rank = len(size)
    # The last coordinate of the grid is that of the first spatial dimension.
    points = [_unnormalised(grid[..., rank - 1 - d], n, align_corners) for d, n in enumerate(size)]
    shape = (*input.shape[:2], *grid.shape[1:-1])
    if mode == "bicubic":
        near = [_cubic_weights(x) for x in points]
        near = [[(_bounded(i, n, padding, align_corners), w) for i, w in ws] for ws, n in zip(near, size, strict=True)]
    else:
        points = [_padded(x, n, padding, align_corners) for x, n in zip(points, size, strict=True)]
        if mode == "nearest":
            # The derivative in the grid exists, and is zero.
            near = [[(_whole(x.detach().round()), None)] for x in points]
        else:
            near = [_linear_weights(x) for x in points]
    total: Any = None
    for corner in itertools.product(*near):
        term = read_places(input, _places([i for i, _ in corner], size)).reshape(shape)
        weight: Any = None
        for _, w in corner:
            if w is not None:
                weight = w if weight is None else weight * w
        if weight is not None:
            term = term * weight.unsqueeze(1)
        total = term if total is None else total + term
    if mode == "nearest" and grid.requires_grad:
        total = total + (grid * 0).sum(-1).unsqueeze(1)
    return total


def _check(input: Any, grid: Any) -> None:
    a, b = list(input.shape), list(grid.shape)
    if a[:1] != b[:1]:
        raise RuntimeError(
            f"grid_sampler(): expected grid and input to have same batch size, but got input with sizes {a} and grid with "
            f"sizes {b}"
        )
    if b[-1] != len(a) - 2:
        raise RuntimeError(
            f"grid_sampler(): expected grid to have size {len(a) - 2} in last dimension, but got grid with sizes {b}"
        )
    for d in range(2, len(a)):
        if a[d] == 0:
            raise RuntimeError(
                f"grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes {a} with "
                f"dimension {d} being empty"
            )
    if len(a) not in (4, 5) or len(a) != len(b):
        raise RuntimeError(
            f"grid_sampler(): expected {'5D' if len(a) == 5 else '4D' if len(a) == 4 else '4D or 5D'} input and grid with same "
            f"number of dimensions, but got input with sizes {a} and grid with sizes {b}"
        )
    if input.dtype is not grid.dtype:
        raise RuntimeError(f"expected scalar type {input.dtype.tensor_type} but found {grid.dtype.tensor_type}")
    if input.dtype.category != dtypes.FLOATING:
        rank = len(a) - 2
        raise NotImplementedError(
            f"\"grid_sampler_{rank}d_cpu_kernel_impl\" not implemented for '{input.dtype.tensor_type}'"
        )


@by_example
def grid_sampler(input: Any, grid: Any, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Any:
    """`nn.functional.grid_sample` with the modes as numbers."""
    _check(input, grid)
    mode = _MODES[interpolation_mode]
    if mode == "bicubic" and len(input.shape) != 4:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    return _sample(input, grid, mode, _PADDINGS[padding_mode], align_corners)


def grid_sampler_2d(input: Any, grid: Any, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Any:
    """`grid_sampler` of images (N, C, H, W)."""
    return grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


def grid_sampler_3d(input: Any, grid: Any, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Any:
    """`grid_sampler` of volumes (N, C, D, H, W)."""
    return grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


def _default_corners(align_corners: bool | None) -> bool:
    if align_corners is not None:
        return align_corners
    warnings.warn(
        "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please specify "
        "align_corners=True if the old behavior is desired. See the documentation of grid_sample for details.",
        stacklevel=3,
    )
    return False


@composite("nn.functional.grid_sample", method=False, by_example=True)
def grid_sample(
    input: Any, grid: Any, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None
) -> Any:
    """`input` (N, C, H, W) read at the points of `grid` (N, H', W', 2), x then y, each in -1 ... 1; likewise in 3-D.

    `mode` is 'bilinear', 'nearest' or 'bicubic'; outside the image there are 'zeros', the 'border' or its 'reflection'.
    """
    if mode not in _MODES:
        raise ValueError(
            f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'"
        )
    if padding_mode not in _PADDINGS:
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: "
            f"'{padding_mode}'"
        )
    corners = _default_corners(align_corners)
    return grid_sampler(input, grid, _MODES.index(mode), _PADDINGS.index(padding_mode), corners)


# -- affine_grid -------------------------------------------------------------------------------------------------


def _steps(n: int, align_corners: bool, dtype: Any) -> Any:
    """n points across -1 ... 1: the centres of n pixels, or, with aligned corners, from end to end."""
    if n == 1:
        return np.zeros(1, dtype)
    line = np.linspace(-1, 1, n, dtype=np.float64)
    return (line if align_corners else line * ((n - 1) / n)).astype(dtype)


def affine_grid_generator(theta: Any, size: Any, align_corners: bool) -> Any:
    """Points (N, *S, rank) of the grid of `size` (N, C, *S) under the affine maps `theta` (N, rank, rank + 1)."""
    spatial = tuple(int(n) for n in size[2:])
    dtype = theta.dtype.np
    lines = np.meshgrid(*(_steps(n, align_corners, dtype) for n in spatial), indexing="ij")
    base = np.stack([*reversed(lines), np.ones(spatial, dtype)], -1).reshape(1, -1, len(spatial) + 1)
    n = int(size[0])
    if n != theta.shape[0]:
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{n}, {len(spatial) + 1}] but got: "
            f"[{theta.shape[0]}, {len(spatial) + 1}]."
        )
    return (wrap(base) @ theta.transpose(1, 2)).reshape(n, *spatial, len(spatial))


@composite("nn.functional.affine_grid", method=False)
def affine_grid(theta: Any, size: Any, align_corners: bool | None = None) -> Any:
    """A grid for `grid_sample`: the points of an image of `size` under the affine maps `theta`, (N, 2, 3) or (N, 3, 4)."""
    corners = _default_corners(align_corners)
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    if len(size) not in (4, 5):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got size "
            f"{size}."
        )
    rank = len(size) - 2
    if len(theta.shape) != 3 or theta.shape[-2] != rank or theta.shape[-1] != rank + 1:
        raise ValueError(
            f"Expected a batch of {rank}D affine matrices of shape Nx{rank}x{rank + 1} for size {size}. Got {theta.shape}."
        )
    if corners and min(size[2:]) == 1:
        warnings.warn(
            "Since version 1.3.0, affine_grid behavior has changed for unit-size grids when align_corners=True. This is not "
            "an intended use case of affine_grid. See the documentation of affine_grid for details.",
            stacklevel=2,
        )
    elif min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {size}")
    return affine_grid_generator(theta, size, corners)
