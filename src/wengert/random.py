"""`torch.random`: the default generator's seed and state, and `fork_rng`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from .core.device import absent, device
from .ops.random import Generator as Generator
from .ops.random import default_generator as default_generator
from .ops.random import get_rng_state as get_rng_state
from .ops.random import initial_seed as initial_seed
from .ops.random import manual_seed as manual_seed
from .ops.random import seed as seed
from .ops.random import set_rng_state as set_rng_state

__all__ = ["fork_rng", "get_rng_state", "initial_seed", "manual_seed", "seed", "set_rng_state"]


@contextmanager
def fork_rng(
    devices: Iterable[Any] | None = None, enabled: bool = True, _caller: str = "fork_rng", _devices_kw: str = "devices",
    device_type: str = "cuda",
) -> Iterator[None]:  # fmt: skip
    """A block after which the default generator continues where it was before. `devices` beside the CPU there are none."""
    if not enabled:
        yield
        return
    if any(True for _ in devices or ()):
        raise absent(device(device_type).type)
    state = get_rng_state()
    try:
        yield
    finally:
        set_rng_state(state)
