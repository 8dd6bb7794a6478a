"""The modules of torch.nn, a family in each file, named as in PyTorch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from . import (
    activation,
    adaptive,
    attention,
    batchnorm,
    channelshuffle,
    container,
    conv,
    distance,
    dropout,
    flatten,
    fold,
    instancenorm,
    lazy,
    linear,
    linear_cross_entropy,
    loss,
    module,
    normalization,
    padding,
    pixelshuffle,
    pooling,
    rnn,
    sparse,
    transformer,
    upsampling,
)
from .activation import *
from .adaptive import *
from .attention import *
from .batchnorm import *
from .channelshuffle import *
from .container import *
from .conv import *
from .distance import *
from .dropout import *
from .flatten import *
from .fold import *
from .instancenorm import *
from .linear import *
from .linear_cross_entropy import *
from .loss import *
from .module import Module as Module
from .normalization import *
from .padding import *
from .pixelshuffle import *
from .pooling import *
from .rnn import *
from .sparse import *
from .transformer import *
from .upsampling import *

_FAMILIES = (
    activation, adaptive, attention, batchnorm, channelshuffle, container, conv, distance, dropout, flatten, fold, instancenorm,
    linear, linear_cross_entropy, loss, normalization, padding, pixelshuffle, pooling, rnn, sparse, transformer,
    upsampling,
)  # fmt: skip
if not TYPE_CHECKING:  # a checker takes every public name
    __all__ = sorted(["Module", *(name for family in _FAMILIES for name in family.__all__)])
_ = lazy, module


def __getattr__(name: str) -> Any:
    if name == "utils":  # not imported above, where it would hide nn.utils
        return importlib.import_module(".utils", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
