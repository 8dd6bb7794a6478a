"""Random permutations: the shuffle of Fisher and Yates in Durstenfeld's form, with PyTorch's draws.

What may not live here: draws of numbers (`generator`). Source: R. Durstenfeld, Algorithm 235, CACM 7 (1964).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .rounding import kind
from .twister import NAMES, Array, Generator, code, greatest, not_implemented, random_raw64

if TYPE_CHECKING:
    import numpy.typing as npt


def randperm(gen: Generator, n: int, dtype: npt.DTypeLike = np.int64) -> Array:
    """The numbers 0 to n - 1 in random order, bit for bit PyTorch's."""
    dtype = np.dtype(dtype)
    if n < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {n}: [{n}]")
    if kind(dtype) not in "iuf":
        raise not_implemented("randperm", dtype)
    if kind(dtype) == "f" and n > greatest(dtype) + 1:
        raise RuntimeError(f"n cannot be greater than {greatest(dtype) + 1} for {NAMES[code(dtype)][0]} type.")
    if kind(dtype) != "f" and n > greatest(dtype) + 1:
        raise RuntimeError(f"value cannot be converted to type {dtype.name}_t without overflow")
    if n >= 0xFFFFFFFF // 20:
        return inside_out(gen, n).astype(dtype, copy=False)
    steps = max(n - 1, 0)
    targets = np.arange(steps, dtype=np.int32)
    targets += (gen.bits(steps) % np.arange(n, n - steps, -1, dtype=np.uint32)).view(np.int32)
    return (swap_in_turn if n < 2048 else swap_at_once)(targets, n).astype(dtype, copy=False)


def swap_in_turn(targets: Array, n: int) -> Array:
    """Swap place i with place targets[i] >= i, for each i in turn, starting from 0, 1, ..., n - 1."""
    places = list(range(n))
    for i, target in enumerate(targets.tolist()):
        places[i], places[target] = places[target], places[i]
    return np.array(places, np.int32)


def swap_at_once(targets: Array, n: int) -> Array:
    """`swap_in_turn` without a loop over the elements.

    The swap at turn i puts into place i, for good, what its target holds, and into the target what place i
    held. So a place holds, when turn i comes, what place m held at turn m, for the last turn m < i that aimed
    at it; or its own number, if none did. Two kinds of links follow, both to earlier turns: from a place to
    the last turn that aimed at it (`held`: chains of these end at a number, found by pointer doubling), and
    from a turn to the one before it with the same target (`before`).

    Turns with one target are peeled off latest first. Half of those left go in each round, for the number of
    turns that aim at a place has a geometric distribution; so the work is linear.
    """
    turns = np.arange(n, dtype=np.int32)
    aimed = np.append(targets, turns[-1])  # the last place stays
    still = aimed == turns
    rest = turns[~still]
    place = aimed[rest]
    held = turns.copy()
    held[place] = rest  # of several turns with one target, the last assigned is kept
    newest = held.copy()
    before = np.full(n, -1, np.int32)
    while (rest := rest[newest[place] != rest]).size:
        place = aimed[rest]
        later = newest[place]
        newest[place] = rest
        before[later] = newest[place]
    while not np.array_equal(further := held[held], held):
        held = further
    out = np.where(still, held, aimed)
    linked = np.flatnonzero(before >= 0)
    out[linked] = held[before[linked]]
    return out


def inside_out(gen: Generator, n: int) -> Array:
    """PyTorch's variant for 214748364 and more: 64-bit draws, and each new number enters by a swap."""
    out = np.arange(n, dtype=np.int64)
    for start in range(0, n, 1 << 20):
        turns = np.arange(start, min(start + (1 << 20), n))
        targets = random_raw64(gen, turns.size) % (turns + 1).astype(np.uint64)
        for i, target in zip(turns.tolist(), targets.tolist(), strict=True):
            out[i] = out[target]
            out[target] = i
    return out
