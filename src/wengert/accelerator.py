"""`torch.accelerator`: the device beside the CPU, whatever its kind. There is none."""

from __future__ import annotations

from typing import Any


def is_available() -> bool:
    """False: wengert computes on the CPU."""
    return False


def device_count() -> int:
    """0."""
    return 0


def current_accelerator(check_available: bool = False) -> None:
    """None: scripts then fall back on the CPU."""
    return None


def empty_cache() -> None:
    """Give back unused memory of the device: there is none."""


def _refuse(*args: Any, **kwargs: Any) -> Any:
    """Needs a device: RuntimeError."""
    raise RuntimeError("Cannot access accelerator device when none is available.")


synchronize = current_device_index = current_device_idx = set_device_index = set_device_idx = _refuse
current_stream = set_stream = get_device_capability = get_memory_info = device_index = _refuse
memory_allocated = max_memory_allocated = memory_reserved = max_memory_reserved = memory_stats = _refuse
reset_peak_memory_stats = reset_accumulated_memory_stats = _refuse
