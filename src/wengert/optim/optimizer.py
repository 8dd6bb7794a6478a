"""What every optimizer is: parameter groups, state, hooks, and the walk over the parameters that have a gradient.

`Optimizer` is PyTorch's base class, for users to derive from as well. `Stepwise` adds the loop that most algorithms
share; such an algorithm says what state a parameter starts with and how arrays are updated (`kernels.updates` has the
arithmetic). What may not live here: any algorithm.
"""

from __future__ import annotations

import functools
import itertools
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any, ClassVar

import numpy as np

from ..core.dtypes import DEFAULT
from ..core.modes import LOCAL, enable_grad
from ..core.node import Hooks, RemovableHandle
from ..core.tensor import Tensor, wrap
from ..core.views import bump, check_inplace

Closure = Callable[[], Any] | None


class _Required:
    """The default of an option that every parameter group must give."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()
_GLOBAL_PRE, _GLOBAL_POST = Hooks(), Hooks()


def register_optimizer_step_pre_hook(hook: Any) -> RemovableHandle:
    """`hook(optimizer, args, kwargs)` before every step of every optimizer."""
    return _GLOBAL_PRE.add(hook)


def register_optimizer_step_post_hook(hook: Any) -> RemovableHandle:
    """`hook(optimizer, args, kwargs)` after every step of every optimizer."""
    return _GLOBAL_POST.add(hook)


def typename(x: Any) -> str:
    """The name of the type of `x` as messages show it."""
    if isinstance(x, Tensor):
        return f"torch.{x.dtype.tensor_type}Tensor" if type(x) is Tensor else _qualified(type(x))
    return _qualified(type(x))


def _qualified(cls: type) -> str:
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def _hooked(step: Any) -> Any:
    """`step`, with the hooks around it."""

    @functools.wraps(step)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        if "_optimizer_step_pre_hooks" not in self.__dict__:  # a wrapper of optimisers that never called our __init__
            return step(self, *args, **kwargs)
        for hook in (*_GLOBAL_PRE.values(), *self._optimizer_step_pre_hooks.values()):
            result = hook(self, (self, *args), kwargs)
            if result is None:
                continue
            if not (isinstance(result, tuple) and len(result) == 2):
                raise RuntimeError(f"{step} must return None or a tuple of (new_args, new_kwargs), but got {result}.")
            (_, *args), kwargs = result
        out = step(self, *args, **kwargs)
        for hook in (*self._optimizer_step_post_hooks.values(), *_GLOBAL_POST.values()):
            hook(self, (self, *args), kwargs)
        return out

    run.hooked = True  # type: ignore[attr-defined]
    return run


_HOOKS = ("step_pre", "step_post", "state_dict_pre", "state_dict_post", "load_state_dict_pre", "load_state_dict_post")


class Optimizer:
    """Changes parameters by their gradients.

    `params` is an iterable of Tensors, of (name, Tensor) pairs, or of dictionaries (parameter groups) that may override
    the options in `defaults`.
    """

    defaults: dict[str, Any]
    state: defaultdict[Any, Any]
    param_groups: list[dict[str, Any]]
    _optimizer_step_pre_hooks: Hooks
    _optimizer_step_post_hooks: Hooks
    _optimizer_state_dict_pre_hooks: Hooks
    _optimizer_state_dict_post_hooks: Hooks
    _optimizer_load_state_dict_pre_hooks: Hooks
    _optimizer_load_state_dict_post_hooks: Hooks

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__ and not getattr(cls.step, "hooked", False):
            cls.step = _hooked(cls.step)  # type: ignore[method-assign]

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self._add_hooks()
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
                + typename(params)
            )
        self.state = defaultdict(dict)
        self.param_groups = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def _add_hooks(self) -> None:
        for name in _HOOKS:
            self.__dict__.setdefault(f"_optimizer_{name}_hooks", Hooks())

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._add_hooks()
        self.defaults.setdefault("differentiable", False)

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines += [""] * (i > 0) + [f"Parameter Group {i}"]
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return "\n".join([*lines, ")"])

    # -- the step ----------------------------------------------------------------------------------------------
    def step(self, closure: Closure = None) -> Any:
        """Update the parameters once. `closure`, if given, computes the loss again and returns it."""
        raise NotImplementedError

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or with `set_to_none=False` set them to zero in place."""
        for group in self.param_groups:
            for p in group["params"]:
                g = getattr(p, "_grad", None)
                if g is None:
                    continue
                if set_to_none:
                    p._grad = None
                else:
                    if g.grad_fn is not None:
                        g.detach_()
                    else:
                        g.requires_grad_(False)
                    g.zero_()

    # -- parameter groups --------------------------------------------------------------------------------------
    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Optimise these parameters too, with the options the group gives."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        params = param_group["params"]
        if isinstance(params, Tensor):
            params = [params]
        elif isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets "
                "will change between runs. Please use a list instead."
            )
        params = list(params)
        names = [p[0] for p in params if isinstance(p, tuple)]
        if names:
            if len(names) != len(params):
                raise ValueError("all optimizer params should be with/without names. Some param names are missing")
            param_group["param_names"] = names
            params = [p[1] for p in params]
        param_group["params"] = params
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {typename(p)}")
            if not self.defaults.get("differentiable") and not (p.is_leaf or p.retains_grad):
                raise ValueError("can't optimize a non-leaf Tensor")
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(f"parameter group didn't specify a value of required optimization parameter {name}")
            param_group.setdefault(name, default)
        if len(params) != len(set(params)):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this will cause an error; "
                "see github.com/pytorch/pytorch/issues/40967 for more information",
                stacklevel=3,
            )
        for group in self.param_groups:
            if ("param_names" in param_group) != ("param_names" in group):
                which = "with names" if "param_names" in param_group else "without names"
                raise ValueError(
                    f"all optimizer param groups should be with/without names. cannot add param group {which} to the "
                    "optimizer"
                )
        if not {p for group in self.param_groups for p in group["params"]}.isdisjoint(params):
            raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(param_group)

    # -- state -------------------------------------------------------------------------------------------------
    def state_dict(self) -> dict[str, Any]:
        """The state and the options, with numbers in place of the parameters: `{"state": ..., "param_groups": ...}`."""
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        number: dict[int, int] = {}
        groups = []
        start = 0
        for group in self.param_groups:
            packed = {k: v for k, v in group.items() if k != "params"}
            for i, p in enumerate(group["params"], start):
                number.setdefault(id(p), i)
            packed["params"] = [number[id(p)] for p in group["params"]]
            start += len(packed["params"])
            groups.append(packed)
        state = {(number[id(k)] if isinstance(k, Tensor) else k): v for k, v in self.state.items()}
        result: dict[str, Any] = {"state": state, "param_groups": groups}
        for hook in self._optimizer_state_dict_post_hooks.values():
            changed = hook(self, result)
            if changed is not None:
                result = changed
        return result

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the state and options that `state_dict` returned. Floating state is cast to its parameter's dtype."""
        state_dict = state_dict.copy()
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            changed = hook(self, state_dict)
            if changed is not None:
                state_dict = changed
        groups = self.param_groups
        saved = deepcopy(state_dict["param_groups"])
        if len(groups) != len(saved):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(a["params"]) != len(b["params"]) for a, b in zip(groups, saved, strict=True)):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
            )
        chained = itertools.chain.from_iterable
        of = dict(zip(chained(g["params"] for g in saved), chained(g["params"] for g in groups), strict=True))
        single_step = {k for g in saved if g.get("fused") or g.get("capturable") for k in g["params"]}
        state: defaultdict[Any, Any] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in of:
                state[of[key]] = _as_state(value, of[key], key in single_step)
            else:
                state[key] = value
        for group, new in zip(groups, saved, strict=True):
            new["params"] = group["params"]
            if "param_names" in group:
                new.setdefault("param_names", group["param_names"])
        self.__setstate__({"state": state, "param_groups": saved})
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    # -- hooks -------------------------------------------------------------------------------------------------
    def register_step_pre_hook(self, hook: Any) -> RemovableHandle:
        """`hook(optimizer, args, kwargs)` before each step; it may return new (args, kwargs)."""
        return self._optimizer_step_pre_hooks.add(hook)

    def register_step_post_hook(self, hook: Any) -> RemovableHandle:
        """`hook(optimizer, args, kwargs)` after each step."""
        return self._optimizer_step_post_hooks.add(hook)

    def register_state_dict_pre_hook(self, hook: Any, prepend: bool = False) -> RemovableHandle:
        """`hook(optimizer)` before `state_dict`."""
        return _add(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook: Any, prepend: bool = False) -> RemovableHandle:
        """`hook(optimizer, state_dict)` after `state_dict`; it may return another."""
        return _add(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Any, prepend: bool = False) -> RemovableHandle:
        """`hook(optimizer, state_dict)` before `load_state_dict`; it may return another."""
        return _add(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Any, prepend: bool = False) -> RemovableHandle:
        """`hook(optimizer)` after `load_state_dict`."""
        return _add(self._optimizer_load_state_dict_post_hooks, hook, prepend)


def _add(hooks: Hooks, hook: Any, prepend: bool) -> RemovableHandle:
    handle = hooks.add(hook)
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def _as_state(value: Any, p: Tensor, single_step: bool, key: Any = None) -> Any:
    """A loaded value as state of `p`: floating tensors in its dtype, the step counter as it is."""
    if isinstance(value, Tensor):
        if key == "step":
            return value.float() if single_step else value
        return value.to(p.dtype) if p.is_floating_point() else value
    if isinstance(value, dict):
        return {k: _as_state(v, p, single_step, k) for k, v in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        return type(value)(_as_state(v, p, single_step) for v in value)  # type: ignore[call-arg]
    return value


# -- algorithms that update one parameter after the other ------------------------------------------------------


def number(x: Any) -> Any:
    """A hyperparameter as a number; that of a Tensor with one element keeps its dtype."""
    return x._array.reshape(())[()] if isinstance(x, Tensor) else x


def check_rate(lr: Any) -> None:
    """Raise unless `lr` is a number, or a Tensor with one element, that is not negative."""
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    if not 0.0 <= lr:
        raise ValueError(f"Invalid learning rate: {lr}")


def check_positive(**options: Any) -> None:
    """Raise ValueError for the first option that is negative."""
    for name, value in options.items():
        if not 0.0 <= value:
            raise ValueError(f"Invalid {name} value: {value}")


def check_adam(lr: Any, betas: tuple[Any, Any], eps: float, weight_decay: float = 0) -> None:
    """Raise ValueError for options of the Adam family that are out of range."""
    check_rate(lr)
    check_positive(epsilon=eps)
    for i, b in enumerate(betas):
        if not 0.0 <= b < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {b}")
    check_positive(weight_decay=weight_decay)


def check_options(name: str, differentiable: bool, foreach: Any, fused: Any = None, capturable: bool = False) -> None:
    """Which of the ways to run a step were asked for. All that exist here are one and the same."""
    if fused and differentiable:
        raise RuntimeError("`fused` does not support `differentiable`")
    if fused and foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
    if differentiable:
        raise NotImplementedError(
            f"{name}(differentiable=True): a step is not recorded. To differentiate through an update, write it as an "
            "expression: grads = autograd.grad(loss, params, create_graph=True); new = p - lr * g for each."
        )
    if capturable:
        raise NotImplementedError(
            f"{name}(capturable=True): there are no CUDA graphs to capture a step in. Leave capturable=False."
        )


def changed(p: Tensor) -> None:
    """The memory of `p` is about to be changed in place, outside autograd."""
    if p._extra is not None and p._extra.inference:
        check_inplace(p, False)
    if LOCAL.mutation is not None:
        LOCAL.mutation.changing(p)
    bump(p)


def real(array: Any) -> Any:
    """The numbers of a complex array as twice as many real ones, in the same memory; other arrays as they are."""
    return array[..., None].view(array.real.dtype) if array.dtype.kind == "c" else array


class Stepwise(Optimizer):
    """An optimizer whose step treats one parameter after the other."""

    _stateful = True
    # Options that checkpoints of older releases lack.
    _later: ClassVar[dict[str, Any]] = {
        "foreach": None,
        "maximize": False,
        "differentiable": False,
        "capturable": False,
    }

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in self._later.items():
                group.setdefault(name, value)
            for p in group["params"]:
                found = self.state.get(p)
                if found and "step" in found and not isinstance(found["step"], Tensor):
                    found["step"] = scalar(float(found["step"]))

    def step(self, closure: Closure = None) -> Any:
        """Update the parameters once. `closure`, if given, computes the loss again and returns it."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._prepare(group)
            maximize = group.get("maximize", False)
            for p in group["params"]:
                grad = getattr(p, "_grad", None)
                if grad is None:
                    continue
                if self._stateful and not self.state[p]:
                    self._start(p, self.state[p], group)
                g = grad._array
                changed(p)
                self._update(p._array, -g if maximize else g, p, group)
        return loss

    def _prepare(self, group: dict[str, Any]) -> None:
        """Called before the parameters of a group are updated."""

    def _start(self, p: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Fill the state of a parameter that is updated for the first time."""

    def _update(self, p: Any, g: Any, param: Tensor, group: dict[str, Any]) -> None:
        """Change the array `p` of `param` by the array `g`, which must be left as it is."""
        raise NotImplementedError


def decayed(p: Any, g: Any, weight_decay: Any) -> Any:
    """The gradient with that of `weight_decay / 2 * p * p` added."""
    weight_decay = number(weight_decay)
    return g if weight_decay == 0 else g + p * weight_decay


def scalar(value: float = 0.0) -> Tensor:
    """A new 0-dim tensor for a counter, float32 as PyTorch has it (float64 where that is the default)."""
    return wrap(np.array(value, np.float64 if DEFAULT.floating.itemsize == 8 else np.float32))


def zeros_like(p: Tensor) -> Tensor:
    """Zeros in the layout of `p`."""
    return wrap(np.zeros_like(p._array))


def advance(state: dict[str, Any]) -> float:
    """Count one step, and say which it is."""
    step = state["step"]
    if isinstance(step, Tensor):
        step._array += 1
        return float(step._array)
    state["step"] = step + 1
    return float(step + 1)
