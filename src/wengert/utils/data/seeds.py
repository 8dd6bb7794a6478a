"""Seeds that are drawn from a generator, for samplers and worker processes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.tensor import wrap


def draw_seed(generator: Any = None) -> int:
    """A number in [0, 2**63) from a generator, the default one if None is given. It takes PyTorch's draw."""
    return int(wrap(np.empty((), np.int64)).random_(generator=generator).item())


def numpy_seed(base: int, worker: int) -> list[int]:
    """The seed of NumPy's global generator in a worker, from the loader's and the worker's number."""
    entropy = [worker, base & 0xFFFFFFFF, base >> 32, 0]
    return [int(word) for word in np.random.SeedSequence(entropy).generate_state(4)]
