"""`torch.mps` on a machine without such a device, which here every machine is. See `environment.absent_device`."""

from __future__ import annotations

from .environment.absent_device import namespace

globals().update(namespace("mps"))


def current_allocated_memory() -> int:
    """Bytes in use on the device: 0."""
    return 0


def driver_allocated_memory() -> int:
    """Bytes that the driver holds: 0."""
    return 0
