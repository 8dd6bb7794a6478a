"""Settings that PyTorch has for its own libraries: kept, so that a script reads back what it set. None changes a number here:
every algorithm is deterministic and computes in the precision of its operands already.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

from ..core import dtypes
from ..core.device import CPU, as_device, device

__all__ = [
    "AcceleratorError", "OutOfMemoryError", "cond", "get_device_module", "is_vulkan_available", "set_anomaly_enabled",
    "are_deterministic_algorithms_enabled", "compile", "get_default_device", "get_deterministic_debug_mode",
    "get_float32_matmul_precision", "get_num_interop_threads", "is_deterministic_algorithms_warn_only_enabled",
    "is_warn_always_enabled", "set_default_device", "set_default_tensor_type", "set_deterministic_debug_mode",
    "set_float32_matmul_precision", "set_flush_denormal", "set_num_interop_threads", "set_warn_always",
    "use_deterministic_algorithms",
]  # fmt: skip


class _Settings:
    deterministic = False
    warn_only = False
    precision = "highest"
    warn_always = False
    interop_threads = 1
    told_of_compile = False


_SET = _Settings()
_DEBUG_MODES = ("default", "warn", "error")


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Kept, and changes nothing: every algorithm here is deterministic."""
    if not isinstance(mode, bool):
        raise TypeError(
            f"_set_deterministic_algorithms(): argument 'mode' (position 1) must be bool, not {type(mode).__name__}"
        )
    _SET.deterministic, _SET.warn_only = mode, bool(warn_only)


def are_deterministic_algorithms_enabled() -> bool:
    return _SET.deterministic


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    return _SET.warn_only


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """`use_deterministic_algorithms` by level: "default" (0), "warn" (1) or "error" (2)."""
    if not isinstance(debug_mode, (int, str)):
        raise TypeError(f"debug_mode must be str or int, but got {type(debug_mode)}")
    if isinstance(debug_mode, str):
        if debug_mode not in _DEBUG_MODES:
            raise RuntimeError(
                "invalid value of debug_mode, expected one of `default`, `warn`, `error`, but got " + debug_mode
            )
        debug_mode = _DEBUG_MODES.index(debug_mode)
    if debug_mode not in (0, 1, 2):
        raise RuntimeError(f"invalid value of debug_mode, expected 0, 1, or 2, but got {debug_mode}")
    use_deterministic_algorithms(debug_mode > 0, warn_only=debug_mode == 1)


def get_deterministic_debug_mode() -> int:
    return (1 if _SET.warn_only else 2) if _SET.deterministic else 0


def set_float32_matmul_precision(precision: str) -> None:
    """Kept, and changes nothing: matrix products are computed in full precision, which every setting allows."""
    if precision not in ("highest", "high", "medium"):
        warnings.warn(
            f"{precision} is not one of 'highest', 'high', or 'medium'; the current setTF32 precision stays",
            stacklevel=2,
        )
        return
    _SET.precision = precision


def get_float32_matmul_precision() -> str:
    return _SET.precision


def set_flush_denormal(mode: bool) -> bool:
    """False, which says that it was not done: NumPy cannot treat denormal numbers as zero."""
    return False


def set_warn_always(b: bool, /) -> None:
    """Kept. Warnings that come once for each process still do; Python's `warnings` filters decide what is shown."""
    if not isinstance(b, bool):
        raise TypeError(f"setWarnOnlyOnce expects a bool, but got {type(b).__name__}")
    _SET.warn_always = b


def is_warn_always_enabled() -> bool:
    return _SET.warn_always


def get_num_interop_threads() -> int:
    """Operations run one after another: 1, unless set."""
    return _SET.interop_threads


def set_num_interop_threads(count: int) -> None:
    """Kept, and changes nothing: operations run one after another."""
    if not isinstance(count, int):
        raise RuntimeError(f"set_num_interop_threads expects an int, but got {type(count).__name__}")
    if count <= 0:
        raise RuntimeError("set_num_interop_threads expects a positive integer")
    _SET.interop_threads = count


class AcceleratorError(RuntimeError):
    """A device failed. Never raised here; there to be caught."""


class OutOfMemoryError(RuntimeError):
    """A device is out of memory. Never raised here; there to be caught."""


def is_vulkan_available() -> bool:
    """False."""
    return False


def get_device_module(device: Any = None) -> Any:
    """The module of a device: `wengert.cpu`."""
    from .. import cpu

    as_device(device)
    return cpu


def set_anomaly_enabled(mode: bool, check_nan: bool = True) -> None:
    """Anomaly mode on or off, from here on."""
    from ..autograd.anomaly_mode import set_detect_anomaly

    set_detect_anomaly(mode, check_nan)


def cond(pred: Any, true_fn: Any, false_fn: Any, operands: Any = ()) -> Any:
    """`true_fn(*operands)` if `pred`, else `false_fn(*operands)`. Only the branch taken runs."""
    return true_fn(*operands) if pred else false_fn(*operands)


# -- defaults --------------------------------------------------------------------------------------------------


def set_default_tensor_type(t: Any, /) -> None:
    """`set_default_dtype` by a type such as `torch.DoubleTensor`, or its name."""
    if isinstance(t, str):
        from ..tensor_types import by_name

        t = by_name(t)
    if not isinstance(getattr(t, "dtype", None), dtypes.dtype):
        raise TypeError("invalid type object: only floating-point types are supported as the default type")
    dtypes.set_default_dtype(t.dtype)


def get_default_device() -> device:
    """The CPU."""
    return CPU


def set_default_device(device: Any) -> None:
    """The device of new tensors: the CPU. AssertionError or RuntimeError, in PyTorch's words, for any other."""
    as_device(device)


def compile(
    model: Any = None, *, fullgraph: bool = False, dynamic: Any = None, backend: Any = "inductor", mode: Any = None,
    options: Any = None, disable: bool = False, **others: Any,
) -> Any:  # fmt: skip
    """`model` itself. PyTorch's compiler changes no number, only the time, and there is none here: a note says so once.

    A decorator too, with or without arguments.
    """
    if not (_SET.told_of_compile or disable):
        _SET.told_of_compile = True
        print("note: torch.compile returns its argument: wengert runs every program eagerly", file=sys.stderr)
    if model is None:
        return lambda function: function
    if not callable(model):
        raise AssertionError("torch.compile expects a callable or nn.Module")
    return model
