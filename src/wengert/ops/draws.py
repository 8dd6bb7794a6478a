"""Draws in place: `uniform_`, `normal_`, `bernoulli_` ... New tensors of draws are in `random`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.batched import draw_each, for_all_examples, levels_of
from ..core.batched import drawn as drawn_for_examples
from ..core.inplace import inplace
from ..core.modes import LOCAL
from ..core.tensor import Tensor, wrap
from ..kernels import distributions
from ..kernels import generator as kernel
from .conversion import copy
from .random import bernoulli, multinomial, source_of

__all__ = []


# -- draws in place --------------------------------------------------------------------------------------------


def _fill(self: Tensor, make: Any) -> Tensor:
    """Overwrite with `make(shape, dtype)`. The old value gets gradient 0, as PyTorch's nodes of these names give."""
    _check_own_place(self)
    places = _places(self)
    drawn = drawn_for_examples(lambda s: in_memory_order(places, make), self._array.shape)
    return inplace(copy.op, (self, wrap(drawn)))


def _check_own_place(self: Tensor) -> None:
    """Under vmap with randomness="different" each example gets numbers of its own, and must have a place for them."""
    if not {level.number for level in LOCAL.vmap_levels if level.randomness == "different"} <= levels_of(self._array):
        raise RuntimeError(
            "vmap: Cannot ask for different inplace randomness on an unbatched tensor. This will appear like same "
            "randomness. If this is necessary for your usage, please file an issue with functorch."
        )


def _places(self: Tensor) -> Any:
    """The array that is drawn into: under vmap that of all examples which want numbers of their own.

    What examples are to share is drawn apart from them, contiguous.
    """
    if not LOCAL.vmap_levels:
        return self._array
    array = for_all_examples(self._array, tuple(self._array.shape))
    shared = {level.number for level in LOCAL.vmap_levels if level.randomness == "same"}
    return array if shared.isdisjoint(levels_of(self._array)) else np.empty(array.shape, array.dtype)


def _order(array: Any) -> list[int]:
    """The dimensions as they follow one another in memory, the one with the longest steps first."""
    return sorted(range(array.ndim), key=lambda i: -abs(array.strides[i]))


def in_memory_order(array: Any, make: Any) -> Any:
    """`make(shape, dtype)` in the shape of `array`, its numbers following one another as the places do in memory."""
    if array.flags.c_contiguous:
        return np.asarray(make(array.shape, array.dtype))
    order = _order(array)
    return np.asarray(make(tuple(array.shape[i] for i in order), array.dtype)).transpose(np.argsort(order))


def uniform_(self: Tensor, a: float = 0.0, b: float = 1.0, *, generator: Any = None, **bounds: Any) -> Tensor:
    """Numbers uniform on [from, to)."""
    low, high = bounds.get("from", a), bounds.get("to", b)
    source = source_of(generator)
    return _fill(self, lambda s, d: kernel.uniform(source, s, d, float(low), float(high)))


def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Tensor:
    """Normal numbers."""
    source, contiguous = source_of(generator), laid_out(self)
    return _fill(self, lambda s, d: kernel.normal(source, s, d, float(mean), float(std), contiguous))


def laid_out(t: Tensor) -> bool:
    """Is it contiguous? Sixteen or more normals of one that is not are drawn in pairs."""
    return bool(_places(t).flags.c_contiguous)


def random_(self: Tensor, a: Any = None, b: Any = None, *, generator: Any = None, **bounds: Any) -> Tensor:
    """Integers: all the dtype has, or those on [0, to), or on [from, to)."""
    low, high = bounds.get("from", a), bounds.get("to", b)
    if high is None and low is not None and "from" not in bounds:
        low, high = 0, low
    source = source_of(generator)
    return _fill(self, lambda s, d: kernel.random_(source, s, d, low, high))


def bernoulli_(self: Tensor, p: Any = 0.5, *, generator: Any = None) -> Tensor:
    """1 with probability `p` (a number or a tensor), else 0."""
    source = source_of(generator)
    chance = p._array if isinstance(p, Tensor) else float(p)
    if isinstance(chance, float):
        return _fill(self, lambda s, d: kernel.bernoulli(source, chance, s, d))
    if not levels_of(chance):
        _check_own_place(self)
    places = _places(self)

    def draw(chance: Any, _: Any) -> Any:
        if not places.flags.c_contiguous:  # the chances in the order of the places
            chance = np.broadcast_to(chance, places.shape).transpose(_order(places))
        return in_memory_order(places, lambda s, d: kernel.bernoulli(source, chance, s, d))

    return inplace(copy.op, (self, wrap(draw_each(draw, chance, np.broadcast_to(np.False_, self.shape)))))


def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Any = None) -> Tensor:
    """Exponential numbers with mean `1 / lambd`."""
    source = source_of(generator)
    return _fill(self, lambda s, d: distributions.exponential(source, s, d, float(lambd)))


def geometric_(self: Tensor, p: float, *, generator: Any = None) -> Tensor:
    """Trials up to the first success of probability `p`."""
    source = source_of(generator)
    return _fill(self, lambda s, d: distributions.geometric(source, s, d, float(p)))


def cauchy_(self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Any = None) -> Tensor:
    """Cauchy numbers."""
    source = source_of(generator)
    return _fill(self, lambda s, d: distributions.cauchy(source, s, d, float(median), float(sigma)))


def log_normal_(self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Any = None) -> Tensor:
    """Numbers whose logarithms are normal."""
    source = source_of(generator)
    return _fill(self, lambda s, d: distributions.log_normal(source, s, d, float(mean), float(std)))


METHODS = {
    f.__name__: f
    for f in (
        bernoulli,
        multinomial,
        uniform_,
        normal_,
        random_,
        bernoulli_,
        exponential_,
        geometric_,
        cauchy_,
        log_normal_,
    )
}
