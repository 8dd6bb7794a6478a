"""Wengert: PyTorch's autograd in Python you can read.

`import wengert as torch` runs PyTorch code on NumPy. `loss.backward()` does what PyTorch's does, and every step of it
can be shown as mathematics, from the rule that really ran: see `wengert.explain`.
"""

from __future__ import annotations

from . import autograd as autograd
from .core.dtypes import *  # noqa: F403
from .autograd.anomaly_mode import is_anomaly_check_nan_enabled as is_anomaly_check_nan_enabled
from .autograd.anomaly_mode import is_anomaly_enabled as is_anomaly_enabled
from .core.device import device as device
from .core.dtypes import bool_ as bool
from .core.dtypes import complex64 as cfloat
from .core.dtypes import complex128 as cdouble
from .core.dtypes import float16 as half
from .core.dtypes import float32 as float
from .core.dtypes import float64 as double
from .core.dtypes import int16 as short
from .core.dtypes import int32 as int
from .core.dtypes import int64 as long
from .core.layout import channels_last as channels_last
from .core.layout import channels_last_3d as channels_last_3d
from .core.layout import contiguous_format as contiguous_format
from .core.layout import layout as layout
from .core.layout import memory_format as memory_format
from .core.layout import preserve_format as preserve_format
from .core.layout import strided as strided
from .core.modes import enable_grad as enable_grad
from .core.modes import inference_mode as inference_mode
from .core.modes import is_grad_enabled as is_grad_enabled
from .core.modes import is_inference_mode_enabled as is_inference_mode_enabled
from .core.modes import no_grad as no_grad
from .core.modes import set_grad_enabled as set_grad_enabled
from .core.tensor import Size as Size
from .core.tensor import Tensor as Tensor
from .ops import convolution, losses, methods, pooling  # noqa: F401  (they state nn.functional's rows)
from .ops.activations import *  # noqa: F403
from .ops.arithmetic import *  # noqa: F403
from .ops.arranging import *  # noqa: F403
from .ops.assigning import *  # noqa: F403
from .ops.comparison import *  # noqa: F403
from .ops.complex import *  # noqa: F403
from .ops.conversion import *  # noqa: F403
from .ops.creation import *  # noqa: F403
from .ops.gathering import *  # noqa: F403
from .ops.indexing import *  # noqa: F403
from .ops.joining import *  # noqa: F403
from .ops.matmul import *  # noqa: F403
from .ops.pointwise import *  # noqa: F403
from .ops.random import *  # noqa: F403
from .ops.reductions import *  # noqa: F403
from .ops.scans import *  # noqa: F403
from .ops.shape import *  # noqa: F403
from .ops.softmax import *  # noqa: F403
from .ops.special import *  # noqa: F403

methods.install()
