"""`device`: where tensors live. PyTorch code may name any; there is one, the CPU, and to place a tensor elsewhere is an error
(`as_device`), in PyTorch's words for a machine without such a device.
"""

from __future__ import annotations

from typing import Any

_KINDS = (
    "cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga", "maia", "xla", "lazy", "vulkan",
    "mps", "meta", "hpu", "mtia", "privateuseone",
)  # fmt: skip


class device:
    """`device("cpu")`, `device("cuda:0")`, `device("cuda", 0)`: a name to compare and to pass on. RuntimeError for a kind that
    PyTorch does not know either.
    """

    __slots__ = ("index", "type")

    def __init__(self, type: Any = None, index: int | None = None) -> None:
        if isinstance(type, device):
            self.type: str = type.type
            self.index: int | None = type.index
            return
        if isinstance(type, int) and not isinstance(type, bool):
            raise RuntimeError("Cannot access accelerator device when none is available.")
        if not isinstance(type, str):
            got = "" if type is None and index is None else type.__class__.__name__
            raise TypeError(
                f"device() received an invalid combination of arguments - got ({got}), but expected one of:\n"
                " * (torch.device device)\n * (str type, int index = -1)\n"
            )
        name, colon, number = type.partition(":")
        if name not in _KINDS:
            raise RuntimeError(f"Expected one of {', '.join(_KINDS)} device type at start of device string: {name}")
        if colon and not number.isdecimal():
            raise RuntimeError(f"Invalid device string: '{type}'")
        if colon and index is not None:
            raise RuntimeError(f"type (string) must not include an index because index was passed explicitly: {type}")
        if index is not None and index < 0:
            raise RuntimeError("Device index must not be negative")
        self.type = name
        self.index = int(number) if colon else index

    def __repr__(self) -> str:
        return (
            f"device(type='{self.type}')" if self.index is None else f"device(type='{self.type}', index={self.index})"
        )

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self) -> Any:
        return (device, (str(self),))

    def __enter__(self) -> device:
        """Makes it the device of new tensors in the block: they are on the CPU, so no other may be named."""
        return as_device(self)

    def __exit__(self, *exc: Any) -> None:
        return None


CPU = device("cpu")


def as_device(value: Any) -> device:
    """The device that an argument `device=` names, if a tensor can be placed there."""
    if value is None:
        return CPU
    found = value if isinstance(value, device) else device(value)
    if found.type != "cpu":
        raise absent(found.type)
    return found


def absent(kind: str) -> Exception:
    """The error for a tensor, or a call, that wants a device of this kind."""
    instead = f"wengert computes on the CPU: use device='cpu', or '{kind}' if torch.{kind}.is_available() else 'cpu'"
    if kind in ("cuda", "xpu"):
        return AssertionError(f"Torch not compiled with {kind.upper()} enabled ({instead})")
    if kind == "meta":
        return NotImplementedError("device 'meta': there are no tensors without memory here; use device='cpu'")
    return RuntimeError(f"PyTorch is not linked with support for {kind} devices ({instead})")
