"""The modules of torch.nn, a family in each file, named as in PyTorch."""

from __future__ import annotations

from . import activation, container, distance, flatten, lazy, linear, loss, module
from .activation import *
from .container import *
from .distance import *
from .flatten import *
from .linear import *
from .loss import *
from .module import Module as Module

_FAMILIES = (activation, container, distance, flatten, linear, loss)
__all__ = sorted(["Module", *(name for family in _FAMILIES for name in family.__all__)])
_ = lazy, module
