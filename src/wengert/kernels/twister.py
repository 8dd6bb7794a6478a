"""The Mersenne Twister with PyTorch's seeding and saved states, and the words and floats it gives directly.

What lives here: `Generator`, `default_generator`, raw words, floats on [0, 1), and what the errors of all
draws share. `generator` builds on it. What may not: any distribution but the uniform on [0, 1); Tensors.

Source. M. Matsumoto and T. Nishimura, "Mersenne Twister", ACM TOMACS 8 (1998). NumPy's `RandomState` makes
the same words from the same 32-bit seed, so it does the work; the rest is bookkeeping.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .compiled import available, machine
from .rounding import kind, limits

if TYPE_CHECKING:
    import numpy.typing as npt

Array = np.ndarray[Any, np.dtype[Any]]
Shape = int | Sequence[int]

DEFAULT_SEED = 67280421310721
"""The seed of a new `Generator`, PyTorch's choice: a prime, the larger factor of 2**64 + 1."""

CHUNK = 1 << 15
"""Elements that a long draw handles at a time, so that its temporaries stay in the cache."""

_MANY = 1 << 14  # words from which a compiled loop is looked for

# The saved state is the memory image of a C struct from Lua Torch's day: 64-bit words that hold 32-bit
# values, two dead fields, and a float cache that nothing fills today. Kept so that states travel both ways.
_STATE = np.dtype(
    {
        "names": [
            "seed",
            "left",
            "seeded",
            "next",
            "key",
            "normal",
            "has_normal",
            "float_normal",
            "has_float_normal",
        ],
        "formats": ["<u8", "<i4", "<i4", "<u8", ("<u8", 624), "<f8", "<i4", "<f4", "u1"],
        "offsets": [0, 8, 12, 16, 24, 5024, 5040, 5048, 5052],
        "itemsize": 5056,
    }
)

NAMES = {  # dtype character -> (the name in "not implemented for", the C++ name in range errors)
    "?": ("Bool", "bool"),
    "u1": ("Byte", "unsigned char"),
    "i1": ("Char", "signed char"),
    "i2": ("Short", "short int"),
    "i4": ("Int", "int"),
    "i8": ("Long", "long int"),
    "u2": ("UInt16", "short unsigned int"),
    "u4": ("UInt32", "unsigned int"),
    "u8": ("UInt64", "long unsigned int"),
    "f2": ("Half", "c10::Half"),
    "V2": ("BFloat16", "c10::BFloat16"),
    "f4": ("Float", "float"),
    "f8": ("Double", "double"),
    "c8": ("ComplexFloat", "c10::complex<float>"),
    "c16": ("ComplexDouble", "c10::complex<double>"),
}


class Generator:
    """A source of random bits, with PyTorch's seeds, sequence and saved states.

    A new generator starts from `DEFAULT_SEED`, so two of them give equal numbers until seeded apart.
    """

    device = "cpu"

    def __init__(self) -> None:
        self.manual_seed(DEFAULT_SEED)

    @functools.cached_property
    def _twister(self) -> Any:
        """NumPy's own generator of the same kind, made at the first draw: `import numpy` leaves it out."""
        return np.random.RandomState(self._seed & 0xFFFFFFFF)  # only the low half reaches it, in PyTorch too

    @functools.cached_property
    def _memory(self) -> Array | None:
        """Where NumPy's generator keeps its 624 words and its place among them, if it does as we think."""
        import ctypes

        where = self._twister._bit_generator.ctypes.state_address
        memory: Array = np.frombuffer((ctypes.c_uint32 * 625).from_address(where), np.uint32)
        state = self._twister.get_state(legacy=False)["state"]
        return memory if memory[624] == state["pos"] and (memory[:624] == state["key"]).all() else None

    def __getstate__(self) -> dict[str, Any]:
        """A copy has a memory of its own."""
        return {name: value for name, value in self.__dict__.items() if name != "_memory"}

    def manual_seed(self, seed: int) -> Generator:
        """Start again from `seed`, an integer in [-2**63, 2**64); a negative one means 2**64 + seed."""
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
            raise RuntimeError(f"manual_seed expected a long, but got {type(seed).__name__}")
        if not -(1 << 63) <= seed < 1 << 64:
            raise ValueError("Overflow when unpacking long long")
        self._seed = int(seed) % (1 << 64)
        self.__dict__.pop("_memory", None)
        self.__dict__.pop("_twister", None)
        self._fresh = True
        self.next_normal: float | None = None
        return self

    def seed(self) -> int:
        """Start again from a seed taken from the operating system (53 bits, as PyTorch), and return it."""
        seed = int.from_bytes(os.urandom(7)) >> 3
        self.manual_seed(seed)
        return seed

    def initial_seed(self) -> int:
        """The seed this generator was last started from, as an unsigned 64-bit number."""
        return self._seed

    def get_state(self) -> npt.NDArray[np.uint8]:
        """The state as 5056 bytes, equal to those of `torch.Generator.get_state` at the same point."""
        twister: Any = self._twister.get_state(legacy=False)["state"]
        key, position = twister["key"], twister["pos"]
        state = np.zeros(1, _STATE)
        state["seed"] = self._seed
        state["seeded"] = 1
        # PyTorch counts the words left, one more than there are, and when fresh has made no block yet.
        state["left"], state["next"] = (1, 0) if self._fresh else (625 - position, position)
        state["key"] = key
        if self.next_normal is not None:
            state["normal"], state["has_normal"] = self.next_normal, 1
        image: npt.NDArray[np.uint8] = state.view(np.uint8)
        return image

    def set_state(self, state: Array) -> Generator:
        """Continue from a state that `get_state` returned, here or in PyTorch."""
        if not isinstance(state, np.ndarray) or state.dtype != np.uint8:
            raise TypeError("RNG state must be a torch.ByteTensor")
        if state.size != _STATE.itemsize:
            raise RuntimeError(
                f"Expected a CPUGeneratorImplState of size {_STATE.itemsize} "
                f"but found the input RNG state size to be {state.size}"
            )
        fields = np.ascontiguousarray(state).reshape(-1).view(_STATE)[0]
        left, position = int(fields["left"]), int(fields["next"])
        exhausted = left == 1  # covers the fresh state, whose position is 0
        if fields["seeded"] != 1 or not 1 <= left <= 624 or position > 624 or not (exhausted or left + position == 625):
            raise RuntimeError("Invalid mt19937 state")
        key = fields["key"].astype(np.uint32)
        self._twister.set_state(("MT19937", key, 624 if exhausted else position, 0, 0.0))
        self._fresh = exhausted and position == 0
        self._seed = int(fields["seed"])
        self.next_normal = float(fields["normal"]) if fields["has_normal"] else None
        return self

    def clone_state(self) -> Generator:
        """A new generator that will give the same numbers as this one from here on."""
        return Generator().set_state(self.get_state())

    def bits(self, n: int) -> npt.NDArray[np.uint32]:
        """The next `n` words of the twister."""
        if n:
            self._fresh = False
        memory = self._memory if n >= _MANY and available() else None
        if memory is not None:
            out, key, place = np.empty(n, np.uint32), memory[:624], memory[624:]
            loop = machine("twister_loops.words", n, out, key, place)
            if loop is not None:
                with self._twister._bit_generator.lock:
                    loop(out, key, place)
                return out
        return self._twister.randint(0, 1 << 32, n, dtype=np.uint32)


default_generator = Generator()
default_generator.seed()  # as in PyTorch, a program that never seeds differs from run to run


# -- Raw draws -----------------------------------------------------------------------------------------------


def random_raw32(gen: Generator, n: int) -> npt.NDArray[np.uint32]:
    """`n` uniform 32-bit words."""
    return gen.bits(n)


def random_raw64(gen: Generator, n: int) -> npt.NDArray[np.uint64]:
    """`n` uniform 64-bit words, each made of two 32-bit words, the high half drawn first."""
    return joined(gen.bits(2 * n))


def joined(words: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint64]:
    """Two 32-bit words to a 64-bit one, the high half first."""
    wide = words[0::2].astype(np.uint64)
    wide <<= np.uint64(32)
    wide |= words[1::2]
    return wide


def unit_floats(gen: Generator, n: int, dtype: npt.DTypeLike) -> Array:
    """`n` floats uniform on [0, 1): the low 24 bits of one word (float32) or 53 bits of two (float64)."""
    out = np.empty(n, dtype)
    double = out.dtype == np.float64
    for start in range(0, n, CHUNK):
        part = out[start : start + CHUNK]
        # Through signed views: the conversion from a signed integer is one instruction on more machines.
        if double:
            wide = random_raw64(gen, part.size)
            wide &= np.uint64((1 << 53) - 1)
            np.multiply(wide.view(np.int64), 2.0**-53, out=part)
        else:
            words = gen.bits(part.size)
            words &= np.uint32((1 << 24) - 1)
            part[...] = words.view(np.int32)
            part *= np.float32(2.0**-24)
    return out


def count(shape: Shape) -> int:
    """The number of elements of an array of `shape`."""
    return int(shape) if isinstance(shape, int | np.integer) else math.prod(shape)


def real_dtype(dtype: npt.DTypeLike, kernel: str) -> tuple[np.dtype[Any], bool]:
    """`dtype`'s real part, and whether it was complex; NotImplementedError if it is no kind of float."""
    dtype = np.dtype(dtype)
    if dtype.kind == "c":
        return np.dtype(f"f{dtype.itemsize // 2}"), True
    if kind(dtype) != "f":
        raise not_implemented(kernel, dtype)
    return dtype, False


def not_implemented(kernel: str, dtype: npt.DTypeLike) -> NotImplementedError:
    """PyTorch's error for a dtype that a kernel does not have."""
    return NotImplementedError(f"\"{kernel}\" not implemented for '{NAMES[code(dtype)][0]}'")


def code(dtype: npt.DTypeLike) -> str:
    dtype = np.dtype(dtype)
    return "?" if dtype.kind == "b" else f"{dtype.kind}{dtype.itemsize}"


def greatest(dtype: np.dtype[Any]) -> int:
    """The greatest integer up to which `dtype` counts without a gap, within int64."""
    if dtype.kind == "b":
        return 1
    if kind(dtype) == "f":
        return 1 << int(limits(dtype).nmant) + 1
    return min(np.iinfo(dtype).max, (1 << 63) - 1)
