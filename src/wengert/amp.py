"""`autocast` and `GradScaler`.

There is no mixed precision here: `autocast` computes its block in the dtypes of the operands, in full precision, and says so
once. `GradScaler` scales the loss and the gradients for real, on the CPU as in PyTorch: it is arithmetic, and finds infinite
gradients. For "cuda" both switch themselves off, as PyTorch's do without a GPU.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

from .core import dtypes
from .core.device import device
from .core.tensor import Tensor

_LOWER = (dtypes.bfloat16, dtypes.float16)
_told = False


def _tell() -> None:
    global _told
    if not _told:
        _told = True
        warnings.warn(
            "autocast: wengert has no mixed precision; the block is computed in the dtypes of its operands",
            UserWarning,
            stacklevel=4,
        )


def is_autocast_available(device_type: str) -> bool:
    """May `autocast(device_type)` be written? True for "cpu" and, as in PyTorch without a GPU, for "cuda"."""
    return device(device_type).type in ("cpu", "cuda", "xpu", "mps")


# -- what the state is: always off, as nothing is computed in lower precision ---------------------------------
# What autocast takes where no dtype is named; float16 for the others.
_LOWER_OF: dict[str, dtypes.dtype] = {"cpu": dtypes.bfloat16}


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """False, in a block of `autocast` too: it computes in full precision."""
    return False


def is_autocast_cpu_enabled() -> bool:
    return False


def is_autocast_cache_enabled() -> bool:
    return True


def get_autocast_dtype(device_type: str) -> dtypes.dtype:
    """The dtype that `autocast(device_type)` names where none is given."""
    return _LOWER_OF.get(device(device_type).type, dtypes.float16)


def get_autocast_cpu_dtype() -> dtypes.dtype:
    return get_autocast_dtype("cpu")


def get_autocast_gpu_dtype() -> dtypes.dtype:
    return get_autocast_dtype("cuda")


def set_autocast_dtype(device_type: str, dtype: dtypes.dtype) -> None:
    """Kept for `get_autocast_dtype`."""
    _LOWER_OF[device(device_type).type] = dtype


def set_autocast_enabled(device_type: Any, enabled: bool | None = None) -> None:
    """NotImplementedError to switch it on: there is no mixed precision."""
    if device_type is True or enabled:
        raise NotImplementedError(
            "set_autocast_enabled: there is no mixed precision; convert with .half() or .to(dtype)"
        )


def set_autocast_cache_enabled(enabled: bool) -> None:
    """There is no cache of converted weights, as none is converted."""


def clear_autocast_cache() -> None:
    """There is no cache of converted weights, as none is converted."""


def autocast_increment_nesting() -> int:
    """How deep blocks of autocast are nested, as far as it matters: 0."""
    return 0


autocast_decrement_nesting = autocast_increment_nesting


class autocast:
    """A block, or a decorated function, that PyTorch may compute in lower precision. Here it is computed in full.

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
        self._enabled = bool(enabled)

    def __enter__(self) -> autocast:
        if self._enabled:
            _tell()
        return self

    def __exit__(self, *exc: Any) -> None:
        return None

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return run


def custom_fwd(fwd: Any = None, *, device_type: str = "cpu", cast_inputs: Any = None) -> Any:
    """Decorates the forward of a `Function` that knows of autocast: itself, as operands keep their dtypes."""
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)
    return fwd


def custom_bwd(bwd: Any = None, *, device_type: str = "cpu") -> Any:
    """Decorates the backward of a `Function` that knows of autocast: itself."""
    return functools.partial(custom_bwd, device_type=device_type) if bwd is None else bwd


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
