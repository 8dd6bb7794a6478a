"""Random numbers: generators, and tensors of draws. Draws in place are in `draws`, dropout is in `dropout`.

The numbers are PyTorch's (`kernels.generator`); here they meet Tensors. Every function takes `generator=`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtypes
from ..core.batched import SELF, draw_each, for_all_examples, refuse_random
from ..core.batched import drawn as drawn_for_examples
from ..core.device import as_device
from ..core.device import device as device_type
from ..core.modes import LOCAL
from ..core.op import Array, general
from ..core.tensor import Tensor, wrap
from ..kernels import distributions
from ..kernels import generator as kernel
from .creation import check_options, leaf, np_dtype
from .filling import array_in, like, size_of, store_in
from .shape import sum_to_shape

__all__ = [
    "Generator", "bernoulli", "binomial", "default_generator", "get_rng_state", "initial_seed", "manual_seed",
    "multinomial", "normal", "poisson", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like",
    "randperm", "seed", "set_rng_state",
]  # fmt: skip


class Generator:
    """A source of random numbers: the same seed gives the same numbers as PyTorch on a CPU."""

    def __init__(self, device: Any = "cpu", _source: Any = None) -> None:
        as_device(device)
        self._source = kernel.Generator() if _source is None else _source

    @property
    def device(self) -> device_type:
        return device_type("cpu")

    def manual_seed(self, seed: int) -> Generator:
        """Start again from `seed`."""
        self._source.manual_seed(seed.item() if isinstance(seed, Tensor) else seed)
        return self

    def seed(self) -> int:
        """Start again from a seed of the operating system's, which is returned."""
        return int(self._source.seed())

    def initial_seed(self) -> int:
        """The seed that the numbers started from."""
        return int(self._source.initial_seed())

    def get_state(self) -> Tensor:
        """All that decides the numbers to come, as a tensor of bytes."""
        return wrap(self._source.get_state())

    def set_state(self, new_state: Tensor) -> Generator:
        """Continue from a state that `get_state` returned. Returns the generator itself."""
        if not isinstance(new_state, Tensor):
            raise TypeError(f"expected a torch.ByteTensor, but got {type(new_state).__name__}")
        self._source.set_state(new_state._array)
        return self

    def clone_state(self) -> Generator:
        """Another generator that will give the same numbers."""
        return Generator(_source=self._source.clone_state())

    def __getstate__(self) -> Any:
        return self._source.get_state()

    def __setstate__(self, state: Any) -> None:
        self._source = kernel.Generator().set_state(state)


default_generator = Generator(_source=kernel.default_generator)


def source_of(generator: Any, out: Any = None) -> Any:
    if LOCAL.vmap_levels:
        refuse_random()
        if out is not None:
            raise RuntimeError(
                "vmap: We do not support calling out variants of random operations inside of vmap. Please use non-out "
                "variants as a workaround"
            )
    if generator is None:
        return kernel.default_generator
    if not isinstance(generator, Generator):
        raise TypeError(f"generator must be a torch.Generator, not {type(generator).__name__}")
    return generator._source


def manual_seed(seed: int) -> Generator:
    """Seed the default generator, and return it."""
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Seed the default generator from the operating system, and return the seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed of the default generator."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the default generator."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Put the default generator in a state that `get_rng_state` returned."""
    default_generator.set_state(new_state)


# -- new tensors -----------------------------------------------------------------------------------------------


def _drawn(name: str, draw: Any, doc: str) -> tuple[Any, Any]:
    def drawn(
        *size: Any,
        generator: Any = None,
        out: Any = None,
        dtype: Any = None,
        layout: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        pin_memory: bool = False,
        **named: Any,
    ) -> Tensor:
        if "size" in named:
            size = (named.pop("size"),)
        if named:
            raise TypeError(f"{name}() got an unexpected keyword argument '{next(iter(named))}'")
        check_options(device, layout, pin_memory, dtype, out)
        shape = size_of(name, size)
        if out is not None:
            return store_in(out, draw(source_of(generator, out), shape, out._array.dtype))
        source, d = source_of(generator), np_dtype(dtype)
        return leaf(drawn_for_examples(lambda s: draw(source, s, d), shape), requires_grad)

    def drawn_like(
        input: Tensor,
        *,
        generator: Any = None,
        dtype: Any = None,
        layout: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        pin_memory: bool = False,
        memory_format: Any = None,
    ) -> Tensor:
        check_options(device, layout, pin_memory)
        array = array_in(input, name + "_like")
        d = np_dtype(dtype, array.dtype)
        as_laid = {} if draw is kernel.uniform else {"contiguous": _will_be_contiguous(array, d, memory_format)}
        result = draw_like(array, lambda s, d: draw(source_of(generator), s, d, **as_laid), d, memory_format)
        return leaf(result, requires_grad)

    drawn.__name__ = drawn.__qualname__ = name
    drawn_like.__name__ = drawn_like.__qualname__ = name + "_like"
    drawn.__doc__ = doc + "."
    drawn_like.__doc__ = doc + ", in the shape and dtype of `input`."
    return drawn, drawn_like


def draw_like(array: Any, make: Any, d: np.dtype[Any], memory_format: Any = None) -> Any:
    """`like`, where a batched array gets draws for each example (`vmap(randomness="different")`)."""
    if not LOCAL.vmap_levels:
        return like(array, make, d, memory_format)
    return drawn_for_examples(lambda s: like(for_all_examples(array, tuple(array.shape)), make, d), tuple(array.shape))


def _will_be_contiguous(array: Any, d: np.dtype[Any], memory_format: Any) -> bool:
    plain = isinstance(array, np.ndarray)
    return not plain or array.flags.c_contiguous or like(array, np.empty, d, memory_format).flags.c_contiguous


rand, rand_like = _drawn("rand", kernel.uniform, "Numbers uniform on [0, 1)")
randn, randn_like = _drawn("randn", kernel.normal, "Normal numbers with mean 0 and variance 1")


def randint(
    *args: Any,
    generator: Any = None,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    **named: Any,
) -> Tensor:
    """`randint(low, high, size)` or `randint(high, size)`: integers uniform on [low, high)."""
    check_options(device, layout, pin_memory, dtype, out)
    values = list(args)
    size = named.pop("size", None)
    if size is None:
        size = values.pop()
    low = named.pop("low", values.pop(0) if len(values) > 1 else 0)
    high = named.pop("high", None)
    if high is None:
        high = values.pop(0)
    elif values:
        low = values.pop(0)
    low, high = _integer(low), _integer(high)
    _check_range(low, high)
    shape = size_of("randint", (size,))
    if out is not None:
        return store_in(out, kernel.randint(source_of(generator, out), low, high, shape, out._array.dtype))
    source, d = source_of(generator), np_dtype(dtype, np.dtype(np.int64))
    return leaf(drawn_for_examples(lambda s: kernel.randint(source, low, high, s, d), shape), requires_grad)


def _integer(x: Any) -> int:
    return int(x.item() if isinstance(x, Tensor) else x)


def _check_range(low: int, high: int) -> None:
    if low >= high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")


def randint_like(
    input: Tensor, *bounds: Any, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False,
    generator: Any = None, pin_memory: bool = False, memory_format: Any = None, **named: Any,
) -> Tensor:  # fmt: skip
    """Integers uniform on [low, high), in the shape and dtype of `input`."""
    check_options(device, layout, pin_memory)
    values = [_integer(x) for x in bounds]
    low = _integer(named.get("low", values[0] if len(values) > 1 else 0))
    high = _integer(named["high"] if "high" in named else values[-1])
    if "high" in named and values:
        low = values[0]
    _check_range(low, high)
    array = array_in(input, "randint_like")
    d = np_dtype(dtype, array.dtype)
    return leaf(
        draw_like(array, lambda s, d: kernel.randint(source_of(generator), low, high, s, d), d, memory_format),
        requires_grad,
    )


def randperm(
    n: int, *, generator: Any = None, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """The integers 0 .. n-1 in random order."""
    check_options(device, layout, pin_memory, dtype, out)
    if n < 0:
        raise RuntimeError(f"n must be non-negative, got {n}")
    d = out._array.dtype if out is not None else np_dtype(dtype, np.dtype(np.int64))
    source = source_of(generator, out)
    result = drawn_for_examples(lambda s: _permutations(source, n, s[:-1], d), (n,))
    return store_in(out, result) if out is not None else leaf(result, requires_grad)


def _permutations(source: Any, n: int, lead: tuple[int, ...], d: Any) -> Any:
    count = int(np.prod(lead, dtype=int))
    return (
        np.stack([kernel.randperm(source, n, d) for _ in range(count)]).reshape((*lead, n))
        if lead
        else kernel.randperm(source, n, d)
    )


def normal(
    mean: Any = 0.0, std: Any = 1.0, size: Any = None, *, generator: Any = None, out: Any = None, dtype: Any = None,
    layout: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Normal numbers: of a `size`, or with a mean or standard deviation (tensors) for each."""
    check_options(device, layout, pin_memory, dtype, out)
    source = source_of(generator, out)
    if size is not None:
        shape = size_of("normal", (size,))
        d = out._array.dtype if out is not None else np_dtype(dtype)
        result = drawn_for_examples(lambda s: kernel.normal(source, s, d, float(mean), float(std)), shape)
    else:
        a, b = getattr(mean, "_array", mean), getattr(std, "_array", std)
        if not isinstance(mean, Tensor) and not isinstance(std, Tensor):
            raise TypeError("normal() received an invalid combination of arguments: a size or a tensor is needed")
        if out is None:
            return _normal(mean, std, source)
        result = np.asarray(kernel.normal_elementwise(source, a, b))
    return store_in(out, result) if out is not None else leaf(result, requires_grad)


@general(
    "normal",
    mean=lambda g, mean_shape: sum_to_shape(g * 0, mean_shape),
    std=lambda g, std_shape: sum_to_shape(g * 0, std_shape),
    method=False,
    batch=SELF,
    node={"": "NormalBackward3", "TS": "NormalBackward1", "ST": "NormalBackward2"},
)
def _normal(mean: Array | float, std: Array | float, source: Any) -> Any:
    return draw_each(lambda a, b: np.asarray(kernel.normal_elementwise(source, a, b)), mean, std)


@general("bernoulli", input=lambda g: g * 0, method=False, node="BernoulliBackward0", batch=SELF)
def _bernoulli(input: Array, source: Any) -> Any:
    return draw_each(lambda p: kernel.bernoulli(source, np.asarray(p)), input)


def bernoulli(input: Any, p: float | None = None, *, generator: Any = None, out: Any = None) -> Tensor:
    """1 with the probability that the element says (or `p`), else 0."""
    if p is not None:
        source, d = source_of(generator, out), input._array.dtype
        drawn = wrap(drawn_for_examples(lambda s: kernel.bernoulli(source, float(p), s, d), tuple(input.shape)))
    elif out is not None:
        drawn = wrap(kernel.bernoulli(source_of(generator, out), input._array))
    else:
        return _bernoulli(input, source_of(generator))
    return store_in(out, drawn._array) if out is not None else drawn


def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Any = None, out: Any = None
) -> Tensor:
    """Indices drawn with chances in proportion to each row."""
    if out is not None and out.dtype is not dtypes.int64:
        raise RuntimeError(f"multinomial expects Long tensor out, got: {out.dtype.tensor_type}")
    source = source_of(generator, out)
    examples = input.ndim <= 2  # more dimensions are an error, but those that vmap hides are more rows

    def draw(weights: Any) -> Any:
        rows = weights.reshape(-1, weights.shape[-1]) if examples and weights.ndim > 2 else weights
        found = distributions.multinomial(source, rows, num_samples, replacement)
        return found.reshape(*weights.shape[:-1], num_samples)

    result = draw_each(draw, input._array)
    return store_in(out, result) if out is not None else leaf(result)


def poisson(input: Tensor, generator: Any = None) -> Tensor:
    """Poisson numbers with the rates given."""
    return _poisson(input, source_of(generator))


@general("poisson", input=lambda g: g * 0, method=False, batch=SELF)
def _poisson(input: Array, source: Any) -> Any:
    return draw_each(lambda rate: distributions.poisson(source, np.asarray(rate)), input)


def binomial(count: Tensor, prob: Tensor, generator: Any = None) -> Tensor:
    """Successes among `count` trials of probability `prob`."""
    source = source_of(generator)
    return leaf(draw_each(lambda n, p: distributions.binomial(source, n, p), count._array, prob._array))
