"""Padding: by a constant, by reflection, by repeating the border, and round a circle.

Each is linear in its input (a constant apart) and has its transpose beside it: what was copied out into the border is
added up again where it came from.
"""

from __future__ import annotations

from typing import Any

from ..core.op import Array, composite, general, linear
from ..kernels import padding as kernel
from .shared import integers

__all__ = ["constant_pad_nd"]


@general(
    "constant_pad_nd",
    input=lambda g, pad: padded(g, [-p for p in pad], 0),
    jvp=lambda t_input, pad: padded(t_input, pad, 0),
    method=False,
    node="ConstantPadNdBackward0",
    tex=r"\operatorname{{pad}}({input})",
)
def padded(input: Array, pad: Any, value: Any) -> Any:
    """`value` put around; `pad` is (left, right) of the last dimension, then of the one before, and so on. Negative: cut."""
    return kernel.constant(input, pad, value)


def constant_pad_nd(input: Any, pad: Any, value: Any = 0) -> Any:
    """`value` put around the last dimensions of `input`: (left, right) of the last, then of the one before, and so on."""
    pads = integers(pad, "constant_pad_nd", "pad", 2)
    dims = len(input.shape)
    if len(pads) % 2:
        raise RuntimeError(f"Length of pad must be even but instead it equals {len(pads)}")
    if len(pads) > 2 * dims:
        raise RuntimeError(
            "Length of pad should be no more than twice the number of dimensions of the input. Pad length is "
            f"{len(pads)} while the input has {dims} dimensions."
        )
    for i in range(len(pads) // 2):
        if input.shape[dims - 1 - i] + min(pads[2 * i], 0) + min(pads[2 * i + 1], 0) < 0:
            raise RuntimeError("narrow(): length must be non-negative.")
    return padded(input, pads, value)


def _state(mode: str, name: str, rank: int, node: str) -> tuple[Any, Any]:
    """A row that pads the last `rank` dimensions by `mode`, and the row of its transpose."""

    def forward(input: Array, pad: Any) -> Any:
        return kernel.bordered(input, pad, mode)

    def backward(input: Array, shape: Any, pad: Any) -> Any:
        return kernel.unbordered(input, tuple(shape), pad, mode)

    forward.__doc__ = f"The last {rank} dimensions padded by {name}."
    backward.__doc__ = f"The transpose of {name} padding: the border added up where it came from."
    there = linear(
        f"{name}_pad{rank}d",
        forward,
        input=lambda g, input_shape, pad: back(g, input_shape, pad),
        node=f"{node}{rank}DBackward0",
        method=False,
    )
    back = linear(
        f"{name}_pad{rank}d_back",
        backward,
        input=lambda g, pad: there(g, pad),
        node=f"{node}{rank}DBackwardBackward0",
        method=False,
    )
    return there, back


_ROWS = {
    (mode, rank): _state(mode, name, rank, node)[0]
    for mode, name, node in (
        ("reflect", "reflection", "ReflectionPad"),
        ("replicate", "replication", "ReplicationPad"),
        ("circular", "circular", "CircularPad"),
    )
    for rank in (1, 2, 3)
}


def _check(input: Any, pads: tuple[int, ...], mode: str, rank: int) -> None:
    """PyTorch's errors about padding that reads the input."""
    shape = list(input.shape)
    if 0 in shape[-rank:] or (len(shape) == rank + 2 and shape[1] == 0) or (len(shape) == rank + 1 and shape[0] == 0):
        raise RuntimeError(
            f"Expected {rank + 1}D or {rank + 2}D (batch mode) tensor with possibly 0 batch size and other non-zero "
            f"dimensions for input, but got: {shape}"
        )
    if mode == "circular":
        _check_circular(shape, pads)
        return
    wanted = list(shape)
    for i in range(rank):
        dim = len(shape) - 1 - i
        n, left, right = shape[dim], pads[2 * i], pads[2 * i + 1]
        if mode == "reflect" and (left >= n or right >= n):
            raise RuntimeError(
                f"Argument #{4 + 2 * i}: Padding size should be less than the corresponding input dimension, but got: "
                f"padding ({left}, {right}) at dimension {dim} of input {shape}"
            )
        wanted[dim] = n + left + right
    if max(wanted[-rank:]) < 1:
        axes = "DHW"[3 - rank :]
        before = " ".join(f"{a}: {n}" for a, n in zip(axes, shape[-rank:], strict=True))
        after = " ".join(f"{a}: {n}" for a, n in zip(axes, wanted[-rank:], strict=True))
        raise RuntimeError(f"input ({before}) is too small. Calculated output {after}")
    for n in wanted:
        if n < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {n}: {wanted}")


def _check_circular(shape: list[int], pads: tuple[int, ...]) -> None:
    for i in range(len(pads) // 2):
        n, left, right = shape[len(shape) - 1 - i], pads[2 * i], pads[2 * i + 1]
        kept = n + min(left, 0) + min(right, 0)
        if left + right + n < 0:
            raise RuntimeError("Negative padding value is resulting in an empty dimension")
        if max(left, right) > max(kept, 0):  # PyTorch checks against n, and may then read memory it has not written
            raise RuntimeError("Padding value causes wrapping around more than once.")


@composite("nn.functional.pad", method=False)
def pad(input: Any, pad: Any, mode: str = "constant", value: float | None = None) -> Any:
    """Pad the last dimensions of `input` by (left, right) of the last, (left, right) of the one before, and so on.

    `mode` is 'constant' (any number of dimensions; `value` is put there), 'reflect', 'replicate' or 'circular' (the last 1,
    2 or 3 dimensions, of inputs with one or two more). A negative number cuts that much off.
    """
    pads = integers(pad, "pad", "pad", 2)
    dims = len(input.shape)
    if len(pads) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(pads) > 2 * dims:
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{len(pads)} and input of dimension {dims}"
        )
    if mode == "constant":
        return constant_pad_nd(input, pads, 0 if value is None else value)
    if value is not None and value != 0:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    rank = len(pads) // 2
    if (mode, rank) not in _ROWS or dims not in (rank + 1, rank + 2):
        if mode not in ("reflect", "replicate", "circular"):
            raise NotImplementedError(f"Unrecognised padding mode {mode}")
        raise NotImplementedError(
            f"Padding size {len(pads)} is not supported for {dims}D input tensor.\n"
            "Supported combinations for non-constant padding:\n"
            "  - 2D or 3D input: padding size = 2 (pads last dimension)\n"
            "  - 3D or 4D input: padding size = 4 (pads last 2 dimensions)\n"
            "  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)"
        )
    _check(input, pads, mode, rank)
    return _ROWS[mode, rank](input, pads)
