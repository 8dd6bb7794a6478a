"""`wengert.nn`, shaped like torch.nn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import common_types as common_types
from . import functional as functional
from . import grad as grad
from . import init as init
from . import modules as modules
from . import parallel as parallel
from . import parameter as parameter
from . import utils as utils
from .modules import *
from .parallel import DataParallel as DataParallel
from .parameter import Buffer as Buffer
from .parameter import Parameter as Parameter
from .parameter import UninitializedBuffer as UninitializedBuffer
from .parameter import UninitializedParameter as UninitializedParameter

if not TYPE_CHECKING:  # a checker takes the file of that name in nn.modules
    from . import attention as attention
