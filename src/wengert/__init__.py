"""Wengert: PyTorch's autograd in Python you can read.

`import wengert as torch` runs PyTorch code on NumPy. `loss.backward()` does what PyTorch's does, and every step of it
can be shown as mathematics, from the rule that really ran: see `wengert.explain`.
"""

from __future__ import annotations

import importlib
from math import e as e
from math import inf as inf
from math import nan as nan
from math import pi as pi
from typing import TYPE_CHECKING, Any

from . import autograd as autograd
from .autograd.anomaly_mode import is_anomaly_check_nan_enabled as is_anomaly_check_nan_enabled
from .autograd.anomaly_mode import is_anomaly_enabled as is_anomaly_enabled
from .core.device import device as device
from .core.dtypes import *
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
from .core.layout import jagged as jagged
from .core.layout import layout as layout
from .core.layout import memory_format as memory_format
from .core.layout import preserve_format as preserve_format
from .core.layout import sparse_bsc as sparse_bsc
from .core.layout import sparse_bsr as sparse_bsr
from .core.layout import sparse_coo as sparse_coo
from .core.layout import sparse_csc as sparse_csc
from .core.layout import sparse_csr as sparse_csr
from .core.layout import strided as strided
from .core.modes import enable_grad as enable_grad
from .core.modes import inference_mode as inference_mode
from .core.modes import is_grad_enabled as is_grad_enabled
from .core.modes import is_inference_mode_enabled as is_inference_mode_enabled
from .core.modes import no_grad as no_grad
from .core.modes import set_grad_enabled as set_grad_enabled
from .core.tensor import Size as Size
from .core.tensor import Tensor as Tensor
from .environment import *
from .kernels import allocator
from .kernels.threads import get_num_threads as get_num_threads
from .kernels.threads import set_num_threads as set_num_threads
from .ops import (
    aten,
    attention,
    classification,
    forms,
    linalg_ldl,
    linear_cross_entropy,
    losses,
    margin_losses,
    methods,
    vectorised,
)
from .ops.activations import *
from .ops.arithmetic import *
from .ops.arranging import *
from .ops.assigning import *
from .ops.batch_norm import *
from .ops.choosing import *
from .ops.comparison import *
from .ops.complex import *
from .ops.compound import *
from .ops.conversion import *
from .ops.convolution import *
from .ops.copies import *
from .ops.counting import *
from .ops.creation import *
from .ops.ctc import *
from .ops.differences import *
from .ops.distances import *
from .ops.draws import *
from .ops.dropout import *
from .ops.einsum import *
from .ops.embedding import *
from .ops.extrema import *
from .ops.filling import *
from .ops.folding import *
from .ops.gathering import *
from .ops.indexing import *
from .ops.internal import *
from .ops.joining import *
from .ops.linalg_det import *
from .ops.linalg_factor import *
from .ops.linalg_few import *
from .ops.linalg_norms import *
from .ops.linalg_products import *
from .ops.linalg_solve import *
from .ops.linalg_spectral import *
from .ops.linalg_triangular import *
from .ops.matmul import *
from .ops.meeting import *
from .ops.moments import *
from .ops.normalisation import *
from .ops.padding import *
from .ops.parts import *
from .ops.piecewise import *
from .ops.places import *
from .ops.pointwise import *
from .ops.pooling import *
from .ops.powers import *
from .ops.random import *
from .ops.ranges import *
from .ops.recurrent import *
from .ops.reductions import *
from .ops.reparametrised import *
from .ops.resampling import *
from .ops.sampling import *
from .ops.scans import *
from .ops.shape import *
from .ops.slices import *
from .ops.softmax import *
from .ops.sorting import *
from .ops.special import *
from .ops.splitting import *
from .ops.stft import *
from .ops.strided import *
from .ops.windows import *

methods.install()
globals().update(forms.functions())
allocator.keep_freed_memory()

from . import func as func  # noqa: E402  (it says how rows are mapped over a batch)
from .func import vmap as vmap  # noqa: E402

if TYPE_CHECKING:
    from . import _C as _C
    from . import accelerator as accelerator
    from . import amp as amp
    from . import backends as backends
    from . import cuda as cuda
    from . import explain as explain
    from . import fft as fft
    from . import linalg as linalg
    from . import masked as masked
    from . import nn as nn
    from . import optim as optim
    from . import profiler as profiler
    from . import random as random
    from . import serialization as serialization
    from . import signal as signal
    from . import special as special
    from . import types as types
    from . import utils as utils
    from . import version as version
    from .amp import GradScaler as GradScaler
    from .amp import autocast as autocast
    from .core.printing import set_printoptions as set_printoptions
    from .serialization import load as load
    from .serialization import save as save
    from .utils.dlpack import from_dlpack as from_dlpack
    from .utils.dlpack import to_dlpack as to_dlpack
    from .version import __version__ as __version__

# Imported when first asked for: `import wengert` stays quick.
_LAZY = frozenset((
    "_C", "_VF", "_utils", "_vmap_internals", "__config__", "_dynamo",
    "accelerator", "alias", "amp", "backends", "compiler", "cpu", "cuda",
    "data", "distributed", "distributions", "explain", "export", "fft", "functional", "functorch", "fx", "hub", "jit",
    "library", "linalg", "masked", "mps", "mtia", "multiprocessing", "nn", "onnx", "optim", "overrides",
    "profiler", "quantization", "random", "return_types", "safetensors", "serialization", "signal", "sparse", "special",
    "storage", "testing", "types", "utils", "version", "xpu",
))  # fmt: skip

_KINDS = ("BFloat16", "Bool", "Byte", "Char", "Double", "Float", "Half", "Int", "Long", "Short")
_AUTOCAST = (
    "autocast_decrement_nesting", "autocast_increment_nesting", "clear_autocast_cache", "get_autocast_cpu_dtype",
    "get_autocast_dtype", "get_autocast_gpu_dtype", "is_autocast_cache_enabled", "is_autocast_cpu_enabled",
    "is_autocast_enabled", "set_autocast_cache_enabled", "set_autocast_dtype", "set_autocast_enabled",
)  # fmt: skip
_ABSENT = (
    "chalf", "complex32", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu", "qint32",
    "qint8", "quint2x4", "quint4x2", "quint8",
)  # fmt: skip
# Names whose module is imported with them.
_FROM = {
    **dict.fromkeys(("load", "save"), "serialization"),
    **dict.fromkeys(("GradScaler", "autocast"), "amp"),
    **dict.fromkeys(("from_dlpack", "to_dlpack"), "utils.dlpack"),
    **dict.fromkeys(("TypedStorage", "UntypedStorage"), "core.storage"),
    **{f"{kind}Tensor": "tensor_types" for kind in _KINDS},
    **dict.fromkeys(_AUTOCAST, "amp"),
    **dict.fromkeys(_ABSENT, "core.absent"),
    "__version__": "version",
    "fork_rng": "random",
    "set_printoptions": "core.printing",
}


def __getattr__(name: str) -> Any:
    if name in _FROM:
        found = getattr(importlib.import_module("." + _FROM[name], __name__), name)
        globals()[name] = found
        return found
    if name.startswith("_foreach_"):
        return importlib.import_module(".ops.foreach", __name__).function(name)
    if name in _LAZY:
        return importlib.import_module("." + name, __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY, *_FROM})
