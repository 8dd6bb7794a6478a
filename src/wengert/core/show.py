"""`repr(tensor)`: gathers what PyTorch prints after the numbers. The numbers themselves are `core.printing`'s."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import dtypes
from .modes import LOCAL
from .printing import format_tensor


def _numbers(array: Any, suffixes: Sequence[str] = (), prefix: str = "tensor(") -> str:
    return format_tensor(array, default_float=dtypes.get_default_dtype().np, suffixes=suffixes, prefix=prefix)


def _outdated(t: Any) -> bool:
    """Is this a view, made while nothing was recorded, of something that requires grad and has been changed since?"""
    return bool(t._extra.base is not None and t._extra.base._rg and t._vc[0] != t._extra.made)


def tensor_repr(t: Any) -> str:
    array = t._array
    if LOCAL.transforms:
        text = LOCAL.transforms[-1].show(t, _numbers)
        if text is not None:
            return text
    if not isinstance(array, np.ndarray):
        return repr(array)
    suffixes = []
    if t._edge is not None:
        # A leaf without its tangent stands at the leaf's sink.
        name = type(t._edge[0]).__name__
        suffixes.append("requires_grad=True" if name == "AccumulateGrad" else f"grad_fn=<{name}>")
    elif t._rg:
        suffixes.append("requires_grad=True")
    extra = t._extra
    if extra is not None and extra.creation in ("no_grad", "inference_mode") and not suffixes and _outdated(t):
        suffixes.append("grad_fn=<Invalid>")
    if extra is not None and extra.tangents:
        from .forward_ad import tangent_level

        tangent = extra.tangents.get(tangent_level(t))
        if tangent is not None:
            suffixes.append(f"tangent={tensor_repr(tangent)}")
    own = type(t).__module__.partition(".")[0] != "wengert"  # a user's class is named
    text = _numbers(array, suffixes, f"{type(t).__name__}(" if own else "tensor(")
    if own and getattr(t, "_is_param", False):
        return f"Parameter({text})"
    if type(t).__name__ == "Parameter":
        return "Parameter containing:\n" + text
    return text
