"""`layout` and `memory_format`: names that PyTorch code passes around. There is one layout, strided.

The names of the sparse ones are there to be compared with; asking for one is an error."""

from __future__ import annotations


class layout:
    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"


class memory_format(layout):
    """How a dense tensor's dimensions are ordered in memory."""


strided = layout("strided")
sparse_coo = layout("sparse_coo")
sparse_csr = layout("sparse_csr")
contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")
