"""Batches of sequences of different lengths: padded, packed, and taken apart again.

A packed batch holds, one time after another, the elements of all sequences that are still running.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ...core.tensor import Tensor, wrap

__all__ = [
    "PackedSequence", "invert_permutation", "pack_padded_sequence", "pack_sequence", "pad_packed_sequence",
    "pad_sequence", "unpack_sequence", "unpad_sequence",
]  # fmt: skip

_Packed = namedtuple("PackedSequence", ["data", "batch_sizes", "sorted_indices", "unsorted_indices"])


class PackedSequence(_Packed):
    """`data` (n, *), and `batch_sizes`: how many sequences run at each time; how they were sorted, if they were.

    Made by `pack_padded_sequence` and `pack_sequence`; recurrent modules take and return it.
    """

    def __new__(
        cls, data: Any, batch_sizes: Any = None, sorted_indices: Any = None, unsorted_indices: Any = None
    ) -> PackedSequence:
        if batch_sizes is None:
            if not isinstance(data, (list, tuple)) or len(data) != 2:
                raise AssertionError("PackedSequence needs data and batch_sizes")
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else type(self)(data, *self[1:])

    def _converted(self, name: str) -> PackedSequence:
        return type(self)(getattr(self.data, name)(), *self[1:])

    def double(self) -> PackedSequence:
        return self._converted("double")

    def float(self) -> PackedSequence:
        return self._converted("float")

    def half(self) -> PackedSequence:
        return self._converted("half")

    def cpu(self, *args: Any, **kwargs: Any) -> PackedSequence:
        return self

    def pin_memory(self) -> PackedSequence:
        return self

    @property
    def is_cuda(self) -> bool:
        return False

    def is_pinned(self) -> bool:
        return False


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes one."""
    if permutation is None:
        return None
    order = permutation._array
    inverse = np.empty_like(order)
    inverse[order] = np.arange(len(order))
    return wrap(inverse)


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack a padded batch (T, B, *), or (B, T, *) with `batch_first`, of sequences with these `lengths`.

    With `enforce_sorted` they must come longest first; without, they are sorted.
    """
    sizes = np.asarray(lengths._array if isinstance(lengths, Tensor) else lengths)
    if sizes.ndim != 1 or sizes.dtype.kind not in "iu":
        raise RuntimeError(f"'lengths' argument should be a 1D CPU int64 tensor, but got {sizes.ndim}D cpu Long tensor")
    sizes = sizes.astype(np.int64)
    order = None
    if not enforce_sorted:
        positions = np.argsort(-sizes, kind="stable")
        order = wrap(positions)
        sizes = sizes[positions]
        input = input.index_select(0 if batch_first else 1, order)
    if batch_first:
        input = input.transpose(0, 1)
    if not sizes.size:
        raise RuntimeError("Cannot pack empty tensors.")
    if input.shape[1] != sizes.size:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {sizes.size} (batch_size={input.shape[1]})"
        )
    if sizes.min() <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if (np.diff(sizes) > 0).any():
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
            "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement if you do "
            "not need ONNX exportability."
        )
    if sizes[0] > input.shape[0]:
        raise RuntimeError(
            f"Expected `lengths` to be at most the length of the padded sequences, {input.shape[0]}, but got {sizes[0]}"
        )
    running = (np.arange(sizes[0])[:, None] < sizes).sum(1)
    times = np.repeat(np.arange(sizes[0]), running)
    members = np.concatenate([np.arange(n) for n in running])
    return PackedSequence(input[wrap(times), wrap(members)], wrap(running), order, None)


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """The padded batch that was packed, in its first order, and its lengths (int64)."""
    data, sizes = sequence.data, sequence.batch_sizes._array
    steps = len(sizes)
    if total_length is not None:
        if total_length < steps:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, but got "
                f"total_length={total_length} and max sequence length being {steps}"
            )
        steps = total_length
    batch = int(sizes[0])
    times = np.repeat(np.arange(len(sizes)), sizes)
    members = np.concatenate([np.arange(n) for n in sizes])
    blank = wrap(np.full((steps, batch, *data.shape[1:]), padding_value, data._array.dtype))
    padded = blank.index_put((wrap(times), wrap(members)), data)
    lengths = wrap((np.arange(batch)[:, None] < sizes).sum(1))
    if batch_first:
        padded = padded.transpose(0, 1)
    order = sequence.unsorted_indices
    if order is not None:
        return padded.index_select(0 if batch_first else 1, order), lengths[order]
    return padded, lengths


def pad_sequence(
    sequences: Any, batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Sequences (t_i, *) as one batch (T, B, *), or (B, T, *), filled up with `padding_value`."""
    if isinstance(sequences, Tensor):
        sequences = sequences.unbind(0)
    elif not isinstance(sequences, Iterable):
        raise RuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        )
    items = tuple(sequences)
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    if not items:
        raise RuntimeError("received an empty list of sequences")
    from ... import stack
    from ..functional import pad

    longest = max(s.shape[0] for s in items)
    filled = []
    for s in items:
        missing = longest - s.shape[0]
        ends = (missing, 0) if padding_side == "left" else (0, missing)
        filled.append(pad(s, (0, 0) * (s.ndim - 1) + ends, value=padding_value) if missing else s)
    return stack(filled, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """The sequences of a padded batch."""
    batch = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [s[: int(n)] for s, n in zip(batch.unbind(0), lengths.tolist(), strict=True)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences (t_i, *), longest first unless `enforce_sorted` is False."""
    lengths = wrap(np.array([s.shape[0] for s in sequences], np.int64))
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences that were packed."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
