"""`autocast` and `GradScaler`.

Inside `autocast("cpu", dtype)` products (`mm`, `bmm`, `linear`, convolutions, attention ...) are computed in the lower
precision; losses, transforms and decompositions in float32; `cat`, `stack`, `index_copy` in the widest of their operands.
Which, each row states (`precision=`). Here operands are cast, by `Tensor.to`, so gradients come back in the dtype they are
wanted in. There is one device: for "cuda" both switch themselves off, as PyTorch's do without a GPU.

Beyond PyTorch's list for CPUs, `mv` and `dot` are of lower precision also by themselves, not only in `matmul`. As there,
what has `out=` or changes in place is left alone.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from .core import dtypes
from .core.device import device
from .core.modes import LOCAL, set_mode
from .core.tensor import Tensor

_LOWER = (dtypes.bfloat16, dtypes.float16)


class _Caster:
    """What `LOCAL.autocast` holds inside a block: the lower dtype, and the weights that were cast in the outermost block."""

    def __init__(self, dtype: dtypes.dtype, cache: bool, leaves: dict[Any, tuple[Tensor, int, Tensor]]) -> None:
        self.dtype = dtype
        self.cache = cache
        self.leaves = leaves

    def cast(self, precision: str, operands: Any) -> Any:
        """The operands (in lists and dicts too), in what a row of this precision computes in."""
        if precision == "lower":
            return _each(operands, self._lower)
        if precision == "widest" and not any(t.dtype is dtypes.float32 for t in _tensors(operands)):
            return operands
        return _each(operands, lambda t: t.to(dtypes.float32) if t.dtype is not dtypes.float32 else t)

    def _lower(self, t: Tensor) -> Tensor:
        if t.dtype is self.dtype:
            return t
        if not (self.cache and _cache_enabled and t._edge is None and t._rg and t._base is None):
            return t.to(self.dtype)
        key = (id(t), self.dtype, LOCAL.grad)
        known = self.leaves.get(key)
        if known is None or known[1] != t._version:
            known = self.leaves[key] = (t, t._version, t.to(self.dtype))
        return known[2]

    def again(self) -> _Caster:
        """The same for a computation that is repeated: nothing is cast yet."""
        return _Caster(self.dtype, self.cache, {})


def _caster(dtype: dtypes.dtype, cache: bool) -> _Caster:
    """That of a block entered here."""
    return _Caster(dtype, cache, {} if LOCAL.autocast is None else LOCAL.autocast.leaves)


def _tensors(x: Any) -> list[Tensor]:
    """The tensors of floating point that may be cast: float64 stays what it is."""
    if isinstance(x, Tensor):
        return [x] if x._array.dtype.kind in "fV" and x.dtype is not dtypes.float64 else []
    values = x.values() if isinstance(x, dict) else x if isinstance(x, (tuple, list)) else ()
    return [t for v in values for t in _tensors(v)]


def _each(x: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(x, Tensor):
        return change(x) if _tensors(x) else x
    if isinstance(x, dict):
        return {name: _each(v, change) for name, v in x.items()}
    return type(x)(_each(v, change) for v in x) if type(x) in (tuple, list) else x


def is_autocast_available(device_type: str) -> bool:
    """May `autocast(device_type)` be written? True for "cpu" and, as in PyTorch without a GPU, for "cuda"."""
    return device(device_type).type in ("cpu", "cuda", "xpu", "mps")


# -- the state, piece by piece ---------------------------------------------------------------------------------

# What autocast takes where no dtype is named; float16 for the others.
_LOWER_OF: dict[str, dtypes.dtype] = {"cpu": dtypes.bfloat16}
_cache_enabled = True
_nesting = 0


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Is this code in a block of `autocast(device_type)`?"""
    return device(device_type).type == "cpu" and LOCAL.autocast is not None


def is_autocast_cpu_enabled() -> bool:
    return is_autocast_enabled("cpu")


def is_autocast_cache_enabled() -> bool:
    return _cache_enabled


def get_autocast_dtype(device_type: str) -> dtypes.dtype:
    """The dtype of the block this code is in, or that `autocast(device_type)` would take where none is given."""
    kind = device(device_type).type
    if kind == "cpu" and LOCAL.autocast is not None:
        return LOCAL.autocast.dtype
    return _LOWER_OF.get(kind, dtypes.float16)


def get_autocast_cpu_dtype() -> dtypes.dtype:
    return get_autocast_dtype("cpu")


def get_autocast_gpu_dtype() -> dtypes.dtype:
    return get_autocast_dtype("cuda")


def set_autocast_dtype(device_type: str, dtype: dtypes.dtype) -> None:
    """The lower dtype from now on."""
    kind = device(device_type).type
    _LOWER_OF[kind] = dtype
    if kind == "cpu" and LOCAL.autocast is not None:
        set_mode("autocast", _caster(dtype, LOCAL.autocast.cache))


def set_autocast_enabled(device_type: Any, enabled: bool | None = None) -> None:
    """Switch it on or off from now on. With one argument, a bool, that of "cuda", which stays off without a GPU."""
    if enabled is None or device(device_type).type != "cpu":
        return
    set_mode("autocast", _caster(get_autocast_dtype("cpu"), True) if enabled else None)


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Shall a weight be cast once in a block, and not each time it is used?"""
    global _cache_enabled
    _cache_enabled = bool(enabled)


def clear_autocast_cache() -> None:
    """Forget the weights that were cast. (A block's are forgotten when the outermost one ends.)"""
    if LOCAL.autocast is not None:
        LOCAL.autocast.leaves.clear()


def autocast_increment_nesting() -> int:
    """One more block of autocast; how many there are."""
    global _nesting
    _nesting += 1
    return _nesting


def autocast_decrement_nesting() -> int:
    """One block of autocast less; how many are left."""
    global _nesting
    _nesting -= 1
    return _nesting


class autocast:
    """A block, or a decorated function, whose products are computed in the lower precision `dtype`.

    ValueError if `device_type` is no string, RuntimeError if it is no device type.
    """

    def __init__(
        self, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        self.device = device(device_type).type
        self.fast_dtype = dtype or get_autocast_dtype(self.device)
        if enabled and self.device != "cpu":
            warnings.warn(
                "CUDA is not available or torch_xla is imported. Disabling autocast.", UserWarning, stacklevel=2
            )
            enabled = False
        if enabled and self.fast_dtype not in _LOWER:
            warnings.warn(
                "In CPU autocast, but the target dtype is not supported. Disabling autocast.\n"
                "CPU Autocast only supports dtypes of torch.bfloat16, torch.float16 currently.",
                UserWarning,
                stacklevel=2,
            )
            enabled = False
        if enabled and self.fast_dtype is dtypes.bfloat16 and find_spec("ml_dtypes") is None:
            warnings.warn(
                "autocast: torch.bfloat16 needs the package ml_dtypes (pip install wengert[bfloat16]). Disabling autocast: "
                "operations stay in the precision of their operands.",
                UserWarning,
                stacklevel=2,
            )
            enabled = False
        self._enabled = bool(enabled)
        self._cache = cache_enabled is None or bool(cache_enabled)
        self._before: list[Any] = []

    def __enter__(self) -> autocast:
        if self.device == "cpu":
            self._before.append(LOCAL.autocast)
            set_mode("autocast", _caster(self.fast_dtype, self._cache) if self._enabled else None)
            autocast_increment_nesting()
        return self

    def __exit__(self, *exc: Any) -> None:
        if self.device == "cpu":
            set_mode("autocast", self._before.pop())
            autocast_decrement_nesting()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return run


def custom_fwd(fwd: Any = None, *, device_type: str = "cpu", cast_inputs: Any = None) -> Any:
    """Decorates the forward of a `Function`: its backward, decorated by `custom_bwd`, will run in the same precision.

    With `cast_inputs`, a dtype, a call under autocast gets its floating inputs in that dtype and runs without autocast.
    """
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def forward(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        ctx._dtype = get_autocast_dtype(device_type)
        inside = is_autocast_enabled(device_type)
        ctx._fwd_used_autocast = inside and cast_inputs is None
        if cast_inputs is None or not inside:
            return fwd(ctx, *args, **kwargs)
        with autocast(device_type, enabled=False):
            return fwd(ctx, *_each(args, lambda t: t.to(cast_inputs)), **_each(kwargs, lambda t: t.to(cast_inputs)))

    return forward


def custom_bwd(bwd: Any = None, *, device_type: str = "cpu") -> Any:
    """Decorates the backward of a `Function` whose forward is decorated by `custom_fwd`."""
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def backward(ctx: Any, *grads: Any) -> Any:
        with autocast(device_type, enabled=ctx._fwd_used_autocast, dtype=ctx._dtype):
            return bwd(ctx, *grads)

    return backward


class _Stage:
    """What was done for one optimiser since the last `update`."""

    def __init__(self) -> None:
        self.done = "ready"  # then "unscaled", then "stepped"
        self.checked = self.infinite = False


class GradScaler:
    """Scales a loss, so that small gradients do not vanish in low precision, and unscales them before the step.

    A step whose gradients are infinite or NaN is left out and the scale lowered by `backoff_factor`; after
    `growth_interval` steps without one it is raised by `growth_factor`.
    """

    def __init__(
        self, device: str = "cuda", init_scale: float = 65536.0, growth_factor: float = 2.0, backoff_factor: float = 0.5,
        growth_interval: int = 2000, enabled: bool = True,
    ) -> None:  # fmt: skip
        self._device = device
        if enabled and device != "cpu":
            warnings.warn(
                "torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling.",
                UserWarning,
                stacklevel=2,
            )
            enabled = False
        self._enabled = enabled
        if enabled and growth_factor <= 1.0:
            raise AssertionError("The growth factor must be > 1.0.")
        if enabled and backoff_factor >= 1.0:
            raise AssertionError("The backoff factor must be < 1.0.")
        self._scale, self._growth_factor, self._backoff_factor = float(init_scale), growth_factor, backoff_factor
        self._growth_interval, self._growth_tracker = growth_interval, 0
        self._scaled = False  # has scale() been called
        self._stages: dict[int, _Stage] = {}

    def is_enabled(self) -> bool:
        return self._enabled

    def scale(self, outputs: Any) -> Any:
        """`outputs`, a tensor or an iterable of tensors, times the scale."""
        if not self._enabled:
            return outputs
        self._scaled = True
        if isinstance(outputs, Tensor):
            return outputs * self._scale
        if isinstance(outputs, (list, tuple)):
            return type(outputs)(map(self.scale, outputs))
        if hasattr(outputs, "__iter__"):
            return map(self.scale, outputs)
        raise ValueError("outputs must be a Tensor or an iterable of Tensors")

    def _stage(self, optimizer: Any, caller: str) -> _Stage:
        if not self._scaled:
            raise AssertionError(
                f"Attempted {caller} but _scale is None.  This may indicate your script did not use "
                "scaler.scale(loss or outputs) earlier in the iteration."
            )
        return self._stages.setdefault(id(optimizer), _Stage())

    def unscale_(self, optimizer: Any) -> None:
        """Divide the gradients of the optimiser's parameters by the scale, in place: to clip or to look at them."""
        if not self._enabled:
            return
        stage = self._stage(optimizer, "unscale_")
        if stage.done == "unscaled":
            raise RuntimeError("unscale_() has already been called on this optimizer since the last update().")
        if stage.done == "stepped":
            raise RuntimeError("unscale_() is being called after step().")
        for group in optimizer.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                if p.grad.dtype is dtypes.float16:
                    raise ValueError("Attempting to unscale FP16 gradients.")
                stage.checked = True
                p.grad.detach().mul_(1.0 / self._scale)
                stage.infinite |= not bool(p.grad.detach().isfinite().all())
        stage.done = "unscaled"

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """`optimizer.step(...)` with unscaled gradients; nothing, and None, if any of them is infinite or NaN."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        stage = self._stage(optimizer, "step")
        if stage.done == "stepped":
            raise RuntimeError("step() has already been called since the last update().")
        if stage.done == "ready":
            self.unscale_(optimizer)
        if not stage.checked:
            raise AssertionError("No inf checks were recorded for this optimizer.")
        stage.done = "stepped"
        return None if stage.infinite else optimizer.step(*args, **kwargs)

    def update(self, new_scale: Any = None) -> None:
        """Choose the scale of the next step, from what the last one met; or set it."""
        if not self._enabled:
            return
        self._stage(None, "update")
        if new_scale is not None:
            self._scale = float(new_scale)
        elif any(s.infinite for s in self._stages.values()):
            self._scale *= self._backoff_factor
            self._growth_tracker = 0
        else:
            if not any(s.checked for s in self._stages.values()):
                raise AssertionError("No inf checks were recorded prior to update.")
            self._growth_tracker += 1
            if self._growth_tracker == self._growth_interval:
                self._scale *= self._growth_factor
                self._growth_tracker = 0
        self._stages.clear()

    def get_scale(self) -> float:
        return self._scale if self._enabled else 1.0

    def get_growth_factor(self) -> float:
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        self._growth_interval = new_interval

    def state_dict(self) -> dict[str, Any]:
        """The scale, how it changes, and how many steps have gone well. Empty if disabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._growth_tracker,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a disabled instance of GradScaler."
            )
        self._scale = float(state_dict["scale"])
        self._growth_factor, self._backoff_factor = state_dict["growth_factor"], state_dict["backoff_factor"]
        self._growth_interval, self._growth_tracker = state_dict["growth_interval"], state_dict["_growth_tracker"]


__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]
