"""Function transforms, shaped like `torch.func`: they take a function and return a function."""

from . import batching
from .functional_call import functional_call as functional_call
from .functional_call import replace_all_batch_norm_modules_ as replace_all_batch_norm_modules_
from .functional_call import stack_module_state as stack_module_state
from .jacobians import hessian as hessian
from .jacobians import jacfwd as jacfwd
from .jacobians import jacrev as jacrev
from .opened import debug_unwrap as debug_unwrap
from .transforms import grad as grad
from .transforms import grad_and_value as grad_and_value
from .transforms import jvp as jvp
from .transforms import linearize as linearize
from .transforms import vjp as vjp
from .vmap import vmap as vmap

__all__ = [
    "debug_unwrap",
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "replace_all_batch_norm_modules_",
    "stack_module_state",
    "vjp",
    "vmap",
]

batching.install()


def functionalize(func: object, *, remove: str = "mutations") -> object:
    """NotImplementedError: it serves PyTorch's compilers."""
    raise NotImplementedError(
        "torch.func.functionalize: programs are not captured here, so nothing needs their changes in place removed; call the "
        "function itself"
    )
