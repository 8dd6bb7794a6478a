"""Channels of groups, interleaved."""

from __future__ import annotations

from ...core.tensor import Tensor
from .. import functional as F
from .shared import Shown

__all__ = ["ChannelShuffle"]


class ChannelShuffle(Shown):
    """The channels of (N, C, *) dealt from `groups` heaps in turn."""

    shown = ("groups",)

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        return F.channel_shuffle(input, self.groups)
