"""Channels into pixels and back."""

from __future__ import annotations

from ...core.tensor import Tensor
from .. import functional as F
from .shared import Shown

__all__ = ["PixelShuffle", "PixelUnshuffle"]


class PixelShuffle(Shown):
    """(*, C * r * r, H, W) gives (*, C, H * r, W * r). Source: Shi et al., CVPR (2016)."""

    shown = ("upscale_factor",)

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_shuffle(input, self.upscale_factor)


class PixelUnshuffle(Shown):
    """(*, C, H * r, W * r) gives (*, C * r * r, H, W)."""

    shown = ("downscale_factor",)

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_unshuffle(input, self.downscale_factor)
