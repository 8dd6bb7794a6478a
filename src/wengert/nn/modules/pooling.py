"""Pooling over the last one, two or three dimensions."""

from __future__ import annotations

from typing import Any, ClassVar

from ...core.tensor import Tensor
from .. import functional as F
from ..module import Module
from .shared import Shown, tuple_of

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d", "FractionalMaxPool2d", "FractionalMaxPool3d",
    "LPPool1d", "LPPool2d", "LPPool3d", "MaxPool1d", "MaxPool2d", "MaxPool3d", "MaxUnpool1d", "MaxUnpool2d",
    "MaxUnpool3d",
]  # fmt: skip


class _MaxPoolNd(Shown):
    """The greatest element of each window; with `return_indices` its place too."""

    shown = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
    _name: ClassVar[str]

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Any:
        return getattr(F, self._name)(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            ceil_mode=self.ceil_mode,
            return_indices=self.return_indices,
        )


class MaxPool1d(_MaxPoolNd):
    """Maxima of windows of (N, C, L)."""

    _name = "max_pool1d"


class MaxPool2d(_MaxPoolNd):
    """Maxima of windows of (N, C, H, W)."""

    _name = "max_pool2d"


class MaxPool3d(_MaxPoolNd):
    """Maxima of windows of (N, C, D, H, W)."""

    _name = "max_pool3d"


class _MaxUnpoolNd(Shown):
    """Puts maxima back where they were; zeros elsewhere."""

    shown = ("kernel_size", "stride", "padding")
    _dims: ClassVar[int]
    _name: ClassVar[str]

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        self.kernel_size = tuple_of(self._dims, kernel_size)
        self.stride = tuple_of(self._dims, kernel_size if stride is None else stride)
        self.padding = tuple_of(self._dims, padding)

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        return getattr(F, self._name)(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool1d(_MaxUnpoolNd):
    """Undoes MaxPool1d, as far as it can be."""

    _dims, _name = 1, "max_unpool1d"


class MaxUnpool2d(_MaxUnpoolNd):
    """Undoes MaxPool2d, as far as it can be."""

    _dims, _name = 2, "max_unpool2d"


class MaxUnpool3d(_MaxUnpoolNd):
    """Undoes MaxPool3d, as far as it can be."""

    _dims, _name = 3, "max_unpool3d"


class _AvgPoolNd(Shown):
    """The mean of each window."""

    shown = ("kernel_size", "stride", "padding")


class AvgPool1d(_AvgPoolNd):
    """Means of windows of (N, C, L)."""

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = tuple_of(1, kernel_size)
        self.stride = tuple_of(1, kernel_size if stride is None else stride)
        self.padding = tuple_of(1, padding)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class AvgPool2d(_AvgPoolNd):
    """Means of windows of (N, C, H, W)."""

    _name = "avg_pool2d"

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return getattr(F, self._name)(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class AvgPool3d(AvgPool2d):
    """Means of windows of (N, C, D, H, W)."""

    _name = "avg_pool3d"


class _FractionalMaxPool(Module):
    """Maxima of windows whose places are drawn at random. Source: Graham, arXiv:1412.6071 (2014)."""

    _dims: ClassVar[int]
    _name: ClassVar[str]

    def __init__(
        self,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        n, kind = self._dims, type(self).__name__
        self.kernel_size = tuple_of(n, kernel_size)
        if n == 3 and not all(k > 0 for k in self.kernel_size):
            raise ValueError(f"kernel_size must be greater than 0, but got {kernel_size}")
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else tuple_of(n, output_size)
        self.output_ratio = None if output_ratio is None else tuple_of(n, output_ratio)
        if output_size is None and output_ratio is None:
            raise ValueError(f"{kind} requires specifying either an output size, or a pooling ratio")
        if output_size is not None and output_ratio is not None:
            raise ValueError("only one of output_size and output_ratio may be specified")
        if self.output_ratio is not None and not all(0 < r < 1 for r in self.output_ratio):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def forward(self, input: Tensor) -> Any:
        return getattr(F, self._name)(
            input,
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            _random_samples=self._random_samples,
        )


class FractionalMaxPool2d(_FractionalMaxPool):
    """Maxima of random windows of (N, C, H, W)."""

    _dims, _name = 2, "fractional_max_pool2d"


class FractionalMaxPool3d(_FractionalMaxPool):
    """Maxima of random windows of (N, C, D, H, W)."""

    _dims, _name = 3, "fractional_max_pool3d"


class _LPPoolNd(Shown):
    """The p-norm of each window."""

    shown = ("norm_type", "kernel_size", "stride", "ceil_mode")
    _name: ClassVar[str]

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        return getattr(F, self._name)(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)


class LPPool1d(_LPPoolNd):
    """p-norms of windows of (N, C, L)."""

    _name = "lp_pool1d"


class LPPool2d(_LPPoolNd):
    """p-norms of windows of (N, C, H, W)."""

    _name = "lp_pool2d"


class LPPool3d(_LPPoolNd):
    """p-norms of windows of (N, C, D, H, W)."""

    _name = "lp_pool3d"


class _AdaptiveMaxPoolNd(Shown):
    """Maxima of windows chosen for the size of the output."""

    shown = ("output_size",)
    _name: ClassVar[str]

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        return getattr(F, self._name)(input, self.output_size, self.return_indices)


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """(N, C, L) gives (N, C, output_size)."""

    _name = "adaptive_max_pool1d"


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """(N, C, H, W) gives (N, C, *output_size)."""

    _name = "adaptive_max_pool2d"


class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd):
    """(N, C, D, H, W) gives (N, C, *output_size)."""

    _name = "adaptive_max_pool3d"


class _AdaptiveAvgPoolNd(Shown):
    """Means of windows chosen for the size of the output."""

    shown = ("output_size",)
    _name: ClassVar[str]

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return getattr(F, self._name)(input, self.output_size)


class AdaptiveAvgPool1d(_AdaptiveAvgPoolNd):
    """(N, C, L) gives (N, C, output_size)."""

    _name = "adaptive_avg_pool1d"


class AdaptiveAvgPool2d(_AdaptiveAvgPoolNd):
    """(N, C, H, W) gives (N, C, *output_size)."""

    _name = "adaptive_avg_pool2d"


class AdaptiveAvgPool3d(_AdaptiveAvgPoolNd):
    """(N, C, D, H, W) gives (N, C, *output_size)."""

    _name = "adaptive_avg_pool3d"
