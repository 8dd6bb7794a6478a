"""The names that `functorch` had before they moved to `torch.func`: for programs that still import them from there.

Each transform warns, as PyTorch's package does, and is then the one of `wengert.func`. What has no successor of the same
form (`make_functional` and its kin) lives in `stateless`.
"""

from __future__ import annotations

import functools
import warnings
from typing import Any

from .. import func as _func
from ..version import __version__ as __version__
from . import experimental as experimental
from .stateless import FunctionalModule as FunctionalModule
from .stateless import FunctionalModuleWithBuffers as FunctionalModuleWithBuffers
from .stateless import combine_state_for_ensemble as combine_state_for_ensemble
from .stateless import make_functional as make_functional
from .stateless import make_functional_with_buffers as make_functional_with_buffers


def moved(name: str, successor: str) -> None:
    """Say what took the place of a name."""
    warnings.warn(
        f"`functorch.{name}` is deprecated as of PyTorch 2.0. Please use `{successor}` instead; see "
        "https://pytorch.org/docs/main/func.migrating.html",
        FutureWarning,
        stacklevel=3,
    )


def _older(name: str, successor: str) -> Any:
    function = getattr(_func, name)

    @functools.wraps(function)
    def warned(*args: Any, **kwargs: Any) -> Any:
        moved(name, successor)
        return function(*args, **kwargs)

    return warned


vmap = _older("vmap", "torch.vmap")
grad = _older("grad", "torch.func.grad")
grad_and_value = _older("grad_and_value", "torch.func.grad_and_value")
vjp = _older("vjp", "torch.func.vjp")
jvp = _older("jvp", "torch.func.jvp")
jacrev = _older("jacrev", "torch.func.jacrev")
jacfwd = _older("jacfwd", "torch.func.jacfwd")
hessian = _older("hessian", "torch.func.hessian")
