"""The less common distributions, drawn as PyTorch's CPU kernels draw them.

What lives here: transforms of one uniform (`exponential`, `geometric`, `cauchy`, `log_normal`),
`multinomial`, and the rejection samplers (`poisson`, `standard_gamma`, `dirichlet`, `binomial`). What may
not: the draws that most programs need (`generator`), gradients, Tensors.

How they agree with PyTorch: each call consumes the same words, so what follows it agrees. The values go
through the C library for arrays of up to 256 elements and are then equal; through NumPy beyond, where about
one float64 in ten is an ulp off and a float32 practically never (`libm`). A discrete result, or a choice
between candidates, changes only if an ulp decides it. The samplers by rejection run one element at a time,
about a microsecond each, because how many draws an element takes depends on the draws.

Sources. G. Marsaglia and W. W. Tsang, ACM TOMS 26 (2000): gamma. W. Hormann, Insurance: Mathematics and
Economics 12 (1993): Poisson (PTRS); J. Stat. Comput. Simul. 46 (1993): binomial (BTRS). L. Devroye,
"Non-Uniform Random Variate Generation" (1986): Poisson by products, binomial by geometric gaps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from .generator import paired_normals
from .rounding import cast, fused_multiply_add, kind, libm
from .twister import NAMES, Array, Generator, Shape, code, count, not_implemented, random_raw32, unit_floats

if TYPE_CHECKING:
    import numpy.typing as npt

# -- Transforms of one uniform -------------------------------------------------------------------------------


def exponential(gen: Generator, shape: Shape, dtype: npt.DTypeLike, rate: float = 1.0) -> Array:
    """Exponential numbers with mean 1 / `rate`, for float16, 32 and 64."""
    if not rate > 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={rate:g}")
    _check_continuous("Exponential", dtype)
    draws = unit_floats(gen, count(shape), np.float64)
    return cast((-1.0 / rate) * libm("log1p", np.negative(draws, out=draws)), dtype).reshape(shape)


def geometric(gen: Generator, shape: Shape, dtype: npt.DTypeLike, p: float) -> Array:
    """The trials up to and including the first success, each of probability `p`; any real dtype but bool."""
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p:g}")
    if kind(np.dtype(dtype)) not in "if" and np.dtype(dtype) != np.uint8:
        raise not_implemented("geometric_cpu", dtype)
    draws = unit_floats(gen, count(shape), np.float64)
    return cast(np.ceil(libm("log", draws) / math.log1p(-p)), dtype).reshape(shape)


def cauchy(gen: Generator, shape: Shape, dtype: npt.DTypeLike, median: float = 0.0, sigma: float = 1.0) -> Array:
    """Cauchy numbers with half-width `sigma` at half height, for float16, 32 and 64."""
    if not sigma > 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}")
    _check_continuous("Cauchy", dtype)
    draws = unit_floats(gen, count(shape), np.float64)
    draws -= 0.5
    draws *= math.pi
    return cast(fused_multiply_add(libm("tan", draws), sigma, median), dtype).reshape(shape)


def log_normal(gen: Generator, shape: Shape, dtype: npt.DTypeLike, mean: float = 1.0, std: float = 2.0) -> Array:
    """Numbers whose logarithm is normal. They come in pairs at every size, and share `normal`'s spare."""
    if not std > 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std:g}")
    if kind(np.dtype(dtype)) != "f":
        raise not_implemented("log_normal_cpu", dtype)
    return cast(libm("exp", paired_normals(gen, count(shape), mean, std)), dtype).reshape(shape)


def _check_continuous(name: str, dtype: npt.DTypeLike) -> None:
    if kind(np.dtype(dtype)) != "f":
        raise RuntimeError(
            f"{name} distribution is a continuous probability distribution. dtype must be a floating point "
            f"but you specified {NAMES[code(dtype)][name == 'Cauchy']}"
        )


# -- Multinomial ---------------------------------------------------------------------------------------------


def multinomial(gen: Generator, weights: Array, n: int, replacement: bool = False) -> npt.NDArray[np.int64]:
    """`n` indices for each row of `weights` (one row or a matrix), with chances in proportion to the weights.

    Without replacement, or for a single index, the largest of weight / exponential are taken: the race of
    independent clocks, of which the first `n` to ring are such a sample. With replacement, a uniform number
    is looked up in the cumulated weights. Rows may hold zeros; if fewer than `n` weights are positive, which
    of the others fill up the sample is left open (in PyTorch too).
    """
    if not 1 <= weights.ndim <= 2:
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    if kind(weights.dtype) != "f":
        shown = NAMES[code(weights.dtype)][0]
        raise RuntimeError(f"multinomial only supports floating-point dtypes for input, got: {shown}")
    categories = weights.shape[-1]
    if n <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    if not replacement and n > categories:
        raise RuntimeError("cannot sample n_sample > prob_dist.size(-1) samples without replacement")
    if categories > 1 << 24:
        raise RuntimeError("number of categories cannot exceed 2^24")
    if weights.ndim == 2 and weights.shape[0] == 0:
        return np.empty((0, n), np.int64)
    if replacement and n > 1 and weights.size:
        if not weights.min() >= 0:
            raise RuntimeError("invalid multinomial distribution (encountering probability entry < 0)")
        if not weights.max() < np.inf:
            raise RuntimeError("invalid multinomial distribution (encountering probability entry = infinity or NaN)")
    if weights.size and not (weights.max() < np.inf and weights.min() >= 0):
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if not (weights.max(axis=-1, initial=0) > 0).all():
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    if replacement and n > 1:
        return _with_replacement(gen, weights, n)
    clocks = exponential(gen, weights.shape, weights.dtype)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):  # a clock can be 0
        scores: Array = weights / clocks
    order: Array
    if n == 1:
        order = scores.argmax(axis=-1, keepdims=True)
    else:
        order = np.argsort(-scores, axis=-1, kind="stable")[..., :n]
    return order.astype(np.int64, copy=False)


def _with_replacement(gen: Generator, weights: Array, n: int) -> npt.NDArray[np.int64]:
    work = np.float64 if weights.dtype == np.float64 else np.float32
    out = np.empty((*weights.shape[:-1], n), np.int64)
    for row, result in zip(np.atleast_2d(weights), np.atleast_2d(out), strict=True):
        cumulated: Array = np.cumsum(row, dtype=work)
        cumulated /= cumulated[-1]
        cumulated[-1] = 1
        result[:] = np.searchsorted(cumulated.astype(np.float64), unit_floats(gen, n, np.float64))
    return out


# -- Rejection -----------------------------------------------------------------------------------------------


class _Draws:
    """Float64 uniforms and normals one by one, fetched in blocks; on exit the unused words are given back."""

    def __init__(self, gen: Generator) -> None:
        self._gen = gen
        self._block: list[float] = []
        self._used = 0
        self._size = 16
        self._before = gen.get_state()

    def __enter__(self) -> _Draws:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        spare = self._gen.next_normal
        self._gen.set_state(self._before)
        random_raw32(self._gen, 2 * self._used)
        self._gen.next_normal = spare

    def uniform(self) -> float:
        if self._used == len(self._block):
            self._size = min(2 * self._size, 4096)
            if self._block:
                self._before = self._gen.get_state()
            self._block = unit_floats(self._gen, self._size, np.float64).tolist()
            self._used = 0
        self._used += 1
        return self._block[self._used - 1]

    def normal(self) -> float:
        """A standard normal, by pairs: the generator's spare first, as in `generator.paired_normals`."""
        spare = self._gen.next_normal
        if spare is not None:
            self._gen.next_normal = None
            return spare
        turn = 2.0 * math.pi * self.uniform()
        radius = math.sqrt(-2.0 * math.log1p(-self.uniform()))
        self._gen.next_normal = radius * math.sin(turn)
        return radius * math.cos(turn)


Rounding = Callable[[float], float]


def _single(x: float) -> float:
    """`x` rounded to float32. The setup of a float32 sampler is in float32, its loop in float64."""
    return float(np.float32(x))


def _same(x: float) -> float:
    return x


def _rounding(dtype: np.dtype[Any]) -> Rounding:
    return _same if dtype == np.float64 else _single


def poisson(gen: Generator, rate: Array) -> Array:
    """Poisson counts with the given means, in the same dtype, a float."""
    if kind(rate.dtype) != "f":
        raise not_implemented("poisson_cpu", rate.dtype)
    if rate.size and not rate.min() >= 0:
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    with _Draws(gen) as draws:
        values = [_poisson(draws, v) for v in rate.ravel().tolist()]
    return cast(np.array(values, np.float64), rate.dtype).reshape(rate.shape)


def _poisson(draws: _Draws, rate: float) -> float:
    if rate == 0:
        return 0
    if rate < 10:  # multiply uniforms until the product falls below exp(-rate)
        threshold, product, k = math.exp(-rate), draws.uniform(), 0
        while product > threshold:
            product *= draws.uniform()
            k += 1
        return k
    root, log_rate = math.sqrt(rate), math.log(rate)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2)
    while True:
        u = draws.uniform() - 0.5
        v = draws.uniform()
        us = 0.5 - abs(u)
        if us == 0:  # u was exactly -0.5
            continue
        k = math.floor((2 * a / us + b) * u + rate + 0.43)
        if us >= 0.07 and v <= v_r:
            return k
        if k < 0 or (us < 0.013 and v > us) or v == 0:
            continue
        left = math.log(v) + math.log(inverse_alpha) - math.log(a / (us * us) + b)
        if left <= -rate + k * log_rate - math.lgamma(k + 1):
            return k


def standard_gamma(gen: Generator, alpha: Array) -> Array:
    """Gamma numbers with shapes `alpha` and scale 1, in the same dtype (float32 or 64)."""
    if alpha.dtype.kind != "f" or alpha.dtype == np.float16:
        raise not_implemented("gamma_cpu", alpha.dtype)
    rounded = _rounding(alpha.dtype)
    with _Draws(gen) as draws:
        values = [_gamma(draws, v, rounded) for v in alpha.ravel().tolist()]
    out = cast(np.array(values, np.float64), alpha.dtype).reshape(alpha.shape)
    result: Array = np.fmax(out, np.finfo(alpha.dtype).tiny)  # a shape below 0 or nan gives it too
    return result


_THIRD = _single(1 / 3)
_SQUEEZE = _single(0.0331)


def _gamma(draws: _Draws, alpha: float, rounded: Rounding) -> float:
    """Marsaglia and Tsang's method; a shape below 1 is boosted by 1 and the result scaled down."""
    scale = 1.0
    if alpha < 1:
        if alpha == 0:
            return 0.0
        scale = (1 - draws.uniform()) ** rounded(1 / alpha)
        alpha = rounded(alpha + 1)
    d = rounded(alpha - _THIRD)
    c = 1 / math.sqrt(9 * d) if d > 0 else math.nan
    while True:
        x, y = 0.0, 0.0
        while y <= 0:
            x = draws.normal()
            y = 1 + c * x
        v = y * y * y
        u = 1 - draws.uniform()
        xx = x * x
        if u < 1 - _SQUEEZE * xx * xx or math.log(u) < 0.5 * xx + d * (1 - v + math.log(v)):
            return scale * d * v


def dirichlet(gen: Generator, alpha: Array) -> Array:
    """Points of the simplex, one for each row along the last axis, with concentrations `alpha`."""
    if alpha.dtype.kind != "f" or alpha.dtype == np.float16:
        raise not_implemented("dirichlet", alpha.dtype)
    gammas = standard_gamma(gen, alpha.astype(np.float64))
    limits = np.finfo(alpha.dtype)
    points = cast(gammas / gammas.sum(axis=-1, keepdims=True), alpha.dtype)
    return np.clip(points, limits.tiny, np.nextafter(alpha.dtype.type(1), alpha.dtype.type(0)))


def binomial(gen: Generator, trials: Array, p: Array) -> Array:
    """The successes in `trials` attempts of probability `p` each, in their common dtype (float32 or 64)."""
    if trials.dtype.kind != "f" or trials.dtype == np.float16:
        raise not_implemented("binomial_cpu", trials.dtype)
    if trials.dtype != p.dtype:
        raise RuntimeError(f"Found dtype {NAMES[code(p.dtype)][0]} but expected {NAMES[code(trials.dtype)][0]}")
    rounded = _rounding(trials.dtype)
    trials, p = np.broadcast_arrays(trials, p)
    with _Draws(gen) as draws:
        pairs = zip(trials.ravel().tolist(), p.ravel().tolist(), strict=True)
        values = [_binomial(draws, n, chance, rounded) for n, chance in pairs]
    return cast(np.array(values, np.float64), trials.dtype).reshape(trials.shape)


def _binomial(draws: _Draws, n: float, p: float, rounded: Rounding) -> float:
    if n <= 0 or p <= 0:
        return 0.0
    if p >= 1:
        return n
    if math.isnan(n) or math.isnan(p):  # a nan would never end the loops
        return math.nan
    if p > 0.5:
        return n - _binomial_rare(draws, n, rounded(1 - p), rounded)
    return _binomial_rare(draws, n, p, rounded)


def _binomial_rare(draws: _Draws, n: float, p: float, rounded: Rounding) -> float:
    """Binomial for p <= 1/2: geometric gaps while successes are few, else Hormann's BTRS."""
    if rounded(n * p) >= 10:
        return _btrs(draws, n, p, rounded)
    log_q, position, successes = rounded(math.log1p(-p)), 0.0, 0
    while True:
        u = draws.uniform()
        position += math.ceil(math.log(u) / log_q) if u > 0 else math.inf
        if position > n:
            return successes
        successes += 1


def _btrs(draws: _Draws, n: float, p: float, rounded: Rounding) -> float:
    q = rounded(1 - p)
    mean = rounded(n * p)
    spread = rounded(math.sqrt(rounded(mean * q)))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    c = mean + 0.5
    v_r = 0.92 - 4.2 / b
    odds = rounded(p / q)
    alpha = (2.83 + 5.1 / b) * spread
    mode = math.floor(rounded(rounded(n + 1) * p))
    while True:
        u = draws.uniform() - 0.5
        v = draws.uniform()
        us = 0.5 - abs(u)
        if us == 0:
            continue
        k = math.floor((2 * a / us + b) * u + c)
        if k < 0 or k > n:
            continue
        if (us >= 0.07 and v <= v_r) or v == 0:  # below any bound, were log(0) defined
            return k
        bound = (
            (mode + 0.5) * math.log((mode + 1) / (odds * (n - mode + 1)))
            + (n + 1) * math.log((n - mode + 1) / (n - k + 1))
            + (k + 0.5) * math.log(odds * (n - k + 1) / (k + 1))
            + _stirling_tail(mode)
            + _stirling_tail(n - mode)
            - _stirling_tail(k)
            - _stirling_tail(n - k)
        )
        if math.log(v * alpha / (a / (us * us) + b)) <= bound:
            return k


_TAILS = [math.lgamma(k + 1) - ((k + 0.5) * math.log(k + 1) - (k + 1) + 0.5 * math.log(2 * math.pi)) for k in range(10)]


def _stirling_tail(k: float) -> float:
    """What Stirling's formula leaves of log(k!): exact for small k, three terms of the series beyond."""
    if k < 10:
        return _TAILS[int(k)]
    square = (k + 1) ** 2
    return (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / (k + 1)
