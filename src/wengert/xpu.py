"""`torch.xpu` on a machine without such a device, which here every machine is. See `environment.absent_device`."""

from __future__ import annotations

from .environment.absent_device import namespace

globals().update(namespace("xpu"))
