"""The hooks of modules: where they are kept, and the call of a module that has some.

A module without hooks never comes here (`Module.__call__` asks one question). Gradients of a module's inputs and outputs
are watched through an identity operation on each side, whose nodes carry the hooks.
"""

from __future__ import annotations

import functools
import warnings
import weakref
from typing import Any

from ..core.modes import LOCAL
from ..core.node import Hooks, RemovableHandle
from ..core.op import Arrays, general
from ..core.tensor import Tensor

_NO_INPUT = (
    "Full backward hook is firing when gradients are computed with respect to module outputs since no inputs require "
    "gradients. See https://docs.pytorch.org/docs/main/generated/torch.nn.Module.html#torch.nn.Module."
    "register_full_backward_hook for more details."
)
_BOTH_KINDS = "Cannot use both regular backward hooks and full backward hooks {}. Please use only one of them."


class ModuleHooks:
    """All hooks of one module (or, once, those of every module)."""

    def __init__(self) -> None:
        self.forward_pre = Hooks()
        self.forward = Hooks()
        self.backward_pre = Hooks()
        self.backward = Hooks()
        self.full: bool | None = None  # are the backward hooks full ones?
        self.with_kwargs: dict[int, bool] = {}
        self.always: dict[int, bool] = {}
        self.state_dict_pre = Hooks()
        self.state_dict = Hooks()
        self.load_pre = Hooks()
        self.load_post = Hooks()

    def add(
        self, hooks: Hooks, hook: Any, prepend: bool = False, with_kwargs: bool = False, always: bool = False
    ) -> Any:
        handle = RemovableHandle(hooks, extra_dict=[self.with_kwargs, self.always])
        hooks[handle.id] = hook
        if with_kwargs:
            self.with_kwargs[handle.id] = True
        if always:
            self.always[handle.id] = True
        if prepend:
            hooks.move_to_end(handle.id, last=False)
        return handle

    def add_backward(self, hook: Any, full: bool, where: str, prepend: bool = False) -> Any:
        if self.full is not None and self.full is not full:
            raise RuntimeError(_BOTH_KINDS.format(where))
        self.full = full
        return self.add(self.backward, hook, prepend)


class _Global(ModuleHooks):
    """Hooks common to all modules."""

    def __init__(self) -> None:
        super().__init__()
        self.buffer_registration = Hooks()
        self.module_registration = Hooks()
        self.parameter_registration = Hooks()


GLOBAL = _Global()


def _watch_all() -> None:
    """From now on the call of a module without hooks of its own comes here too."""
    from .module import Module

    Module._hooks = _NONE


def register_module_forward_pre_hook(hook: Any) -> RemovableHandle:
    """`hook(module, args)` before every module's forward."""
    _watch_all()
    return GLOBAL.add(GLOBAL.forward_pre, hook)


def register_module_forward_hook(hook: Any, *, with_kwargs: bool = False, always_call: bool = False) -> RemovableHandle:
    """`hook(module, args, output)` after every module's forward."""
    _watch_all()
    return GLOBAL.add(GLOBAL.forward, hook, False, with_kwargs, always_call)


def register_module_backward_hook(hook: Any) -> RemovableHandle:
    """Superseded by `register_module_full_backward_hook`."""
    _watch_all()
    return GLOBAL.add_backward(hook, False, "as a global Module hook")


def register_module_full_backward_pre_hook(hook: Any) -> RemovableHandle:
    """`hook(module, grad_output)` before the backward pass of every module."""
    _watch_all()
    return GLOBAL.add(GLOBAL.backward_pre, hook)


def register_module_full_backward_hook(hook: Any) -> RemovableHandle:
    """`hook(module, grad_input, grad_output)` after the backward pass of every module."""
    _watch_all()
    return GLOBAL.add_backward(hook, True, "as a global Module hook")


def register_module_buffer_registration_hook(hook: Any) -> RemovableHandle:
    """`hook(module, name, buffer)` whenever a buffer is registered; it may return another."""
    return GLOBAL.buffer_registration.add(hook)


def register_module_module_registration_hook(hook: Any) -> RemovableHandle:
    """`hook(module, name, submodule)` whenever a child module is registered; it may return another."""
    return GLOBAL.module_registration.add(hook)


def register_module_parameter_registration_hook(hook: Any) -> RemovableHandle:
    """`hook(module, name, parameter)` whenever a parameter is registered; it may return another."""
    return GLOBAL.parameter_registration.add(hook)


def registered(hooks: Hooks, module: Any, name: str, value: Any) -> Any:
    """What registration hooks make of a value."""
    for hook in hooks.values():
        result = hook(module, name, value)
        if result is not None:
            value = result
    return value


# -- the call --------------------------------------------------------------------------------------------------


def call_with_hooks(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`module.forward(*args, **kwargs)` between its hooks."""
    own = module._hooks or _NONE
    called: set[int] = set()
    state: list[Any] = [None]  # the result so far, for hooks that are called whatever happens
    try:
        return _call(module, own, args, kwargs, called, state)
    except Exception:
        for kind, hooks in (("global module", GLOBAL), ("module", own)):
            for key, hook in list(hooks.forward.items()):
                if key not in hooks.always or key in called:
                    continue
                try:
                    given = (args, kwargs) if key in hooks.with_kwargs and hooks is own else (args,)
                    hook(module, *given, state[0])
                except Exception as error:
                    warnings.warn(
                        f"{kind} forward hook with ``always_call=True`` raised an exception that was silenced as "
                        f"another error was raised in forward: {error}",
                        stacklevel=3,
                    )
        raise


_NONE = ModuleHooks()


def _call(
    module: Any, own: ModuleHooks, args: tuple[Any, ...], kwargs: dict[str, Any], called: set[int], state: list[Any]
) -> Any:
    for hooks in (GLOBAL, own):
        for key, hook in list(hooks.forward_pre.items()):
            if key in hooks.with_kwargs:
                both = hook(module, args, kwargs)
                if both is not None:
                    if not (isinstance(both, tuple) and len(both) == 2):
                        raise RuntimeError(
                            f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {both}."
                        )
                    args, kwargs = both
            else:
                result = hook(module, args)
                if result is not None:
                    args = result if isinstance(result, tuple) else (result,)
    pre = [*GLOBAL.backward_pre.values(), *own.backward_pre.values()]
    full = [h for hooks in (GLOBAL, own) if hooks.full for h in hooks.backward.values()]
    watch = BackwardWatch(module, full, pre) if full or pre else None
    if watch is not None:
        args = watch.inputs(args)
    state[0] = result = module.forward(*args, **kwargs)
    for hooks in (GLOBAL, own):
        for key, hook in list(hooks.forward.items()):
            if key in hooks.always:
                called.add(key)
            given = (args, kwargs) if key in hooks.with_kwargs else (args,)
            changed = hook(module, *given, result)
            if changed is not None:
                state[0] = result = changed
    if watch is not None:
        if not isinstance(result, (Tensor, tuple)):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors but received "
                f"{type(result)}",
                stacklevel=3,
            )
        result = watch.outputs(result)
    old = [h for hooks in (GLOBAL, own) if hooks.full is False for h in hooks.backward.values()]
    if old:
        node = _first_tensor(result).grad_fn
        if node is not None:
            for hook in old:
                node.register_hook(functools.partial(_old_hook, hook, weakref.ref(module)))
    return result


def _first_tensor(x: Any) -> Any:
    while not isinstance(x, Tensor):
        x = next(v for v in x.values() if isinstance(v, Tensor)) if isinstance(x, dict) else x[0]
    return x


def _old_hook(hook: Any, module: Any, grad_inputs: Any, grad_outputs: Any) -> Any:
    return hook(module(), grad_inputs, grad_outputs)


@general(
    "nn.watch",
    outputs="out...",
    tensors=lambda g: tuple(g),
    method=False,
    view=True,
    node="BackwardHookFunctionBackward",
)
def _watch(tensors: Arrays) -> Any:
    """The tensors themselves, through one node: where a module's backward hooks are called."""
    return tuple(t.view() for t in tensors)


class BackwardWatch:
    """Calls a module's full backward hooks, once in each backward pass, when the gradients of its inputs are there."""

    def __init__(self, module: Any, hooks: list[Any], pre: list[Any]) -> None:
        self.module, self.hooks, self.pre = module, hooks, pre
        self.grad_outputs: Any = None
        self.input_places: list[int] | None = None
        self.n_inputs = 0

    @staticmethod
    def _through(values: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any, list[int]]:
        """The values, with the tensors among them passed through an identity; its node, and their places."""
        places = [i for i, v in enumerate(values) if isinstance(v, Tensor)]
        if not (LOCAL.grad and any(values[i]._rg for i in places)):
            return values, None, places
        passed = _watch([values[i] for i in places])
        node = next(t.grad_fn for t in passed if t.grad_fn is not None)
        new = list(values)
        for i, t in zip(places, passed, strict=True):
            new[i] = t
            t._extra.creation = "custom_function"  # a change in place would leave the hooks out
        return (tuple(new) if type(values) is tuple else type(values)(*new)), node, places

    def inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        args, node, places = self._through(args)
        self.n_inputs = len(args)
        if node is not None:
            self.input_places = places
            node.register_hook(self._after)
        return args

    def outputs(self, result: Any) -> Any:
        single = not isinstance(result, tuple)
        values, node, places = self._through((result,) if single else result)
        if node is not None:
            self.n_outputs, self.output_places = len(values), places
            node.register_prehook(self._before)
        return values[0] if single else values

    @staticmethod
    def _spread(grads: Any, places: list[int], n: int) -> tuple[Any, ...]:
        full = [None] * n
        for i, g in zip(places, grads, strict=True):
            full[i] = g
        return tuple(full)

    def _before(self, grads: Any) -> Any:
        """The gradients of the outputs have arrived."""
        self.grad_outputs = self._spread(grads, self.output_places, self.n_outputs)
        for hook in self.pre:
            result = hook(self.module, self.grad_outputs)
            if result is None:
                continue
            result = result if isinstance(result, tuple) else (result,)
            if len(result) != len(self.grad_outputs):
                raise RuntimeError(
                    "Backward pre hook returned an invalid number of grad_output, "
                    f"got {len(result)}, but expected {len(self.grad_outputs)}"
                )
            self.grad_outputs = result
        local = tuple(self.grad_outputs[i] for i in self.output_places)
        if self.input_places is None:
            # No input requires a gradient: the hooks have nothing to wait for.
            if self.hooks:
                warnings.warn(_NO_INPUT, stacklevel=5)
            for hook in self.hooks:
                result = hook(self.module, (None,) * self.n_inputs, self.grad_outputs)
                if result is not None and not (isinstance(result, tuple) and all(r is None for r in result)):
                    raise RuntimeError(
                        "Backward hook for Modules where no input requires gradient should always return None or None "
                        "for all gradients."
                    )
            self.grad_outputs = None
        return local if self.pre else None

    def _after(self, grads: Any, _: Any) -> Any:
        """The gradients of the inputs are there."""
        if self.grad_outputs is None:  # they came past the outputs, as those of a second derivative may
            return None
        assert self.input_places is not None
        full = self._spread(grads, self.input_places, self.n_inputs)
        for hook in self.hooks:
            result = hook(self.module, full, self.grad_outputs)
            if result is None:
                continue
            result = result if isinstance(result, tuple) else (result,)
            if len(result) != len(full):
                raise RuntimeError(
                    "Backward hook returned an invalid number of grad_input, "
                    f"got {len(result)}, but expected {len(full)}"
                )
            full = result
        self.grad_outputs = None
        return tuple(full[i] for i in self.input_places)
