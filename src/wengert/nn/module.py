"""Module: the base of everything that has parameters. Its attributes, its call, its hooks' registration, its repr.

What it inherits: the tree below it (`tree`), its state as a dictionary (`state`). How a call with hooks goes: `hooks`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core.node import Hooks, RemovableHandle
from ..core.tensor import Tensor
from .hooks import GLOBAL, ModuleHooks, call_with_hooks, registered
from .parameter import Buffer, Parameter
from .registry import STORES, Registry, install, mirrored
from .state import StateDict
from .tree import Tree

_put = object.__setattr__


def _forward_unimplemented(self: Any, *input: Any) -> None:
    """What the module computes: to be defined by every subclass."""
    raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')


class Module(Tree, StateDict):
    """A part of a network: parameters, buffers and other modules as attributes, and `forward`, which uses them."""

    dump_patches: bool = False
    call_super_init: bool = False
    _hooks: ModuleHooks | None = None
    training: bool
    forward: Callable[..., Any] = _forward_unimplemented

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init:
            kind = type(self).__name__
            if kwargs:
                raise TypeError(f"{kind}.__init__() got an unexpected keyword argument '{next(iter(kwargs))}'")
            if args:
                raise TypeError(f"{kind}.__init__() takes 1 positional argument but {len(args) + 1} were given")
        _put(self, "training", True)
        for store in STORES:
            _put(self, store, Registry(self))
        _put(self, "_non_persistent_buffers_set", set())
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._hooks is None:
            return self.forward(*args, **kwargs)
        return call_with_hooks(self, args, kwargs)

    _call_impl = __call__

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """`torch.compile`, in place: every module runs eagerly here, so nothing changes."""
        from ..environment.settings import compile

        compile(self, *args, **kwargs)

    # -- attributes: see Note [Attributes that are found at once] ----------------------------------------------
    def __setattr__(self, name: str, value: Any) -> None:
        state = self.__dict__
        parameters = state.get("_parameters")
        if isinstance(value, Parameter):
            if parameters is None:
                raise AttributeError("cannot assign parameters before Module.__init__() call")
            self._forget(name, "_buffers", "_modules")
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            if parameters is None:
                raise AttributeError("cannot assign module before Module.__init__() call")
            self._forget(name, "_parameters", "_buffers")
            self._modules[name] = registered(GLOBAL.module_registration, self, name, value)
        elif isinstance(value, Buffer):
            if parameters is None:
                raise AttributeError("cannot assign buffer before Module.__init__() call")
            self._forget(name, "_parameters", "_modules")
            self.register_buffer(name, value, value.persistent)  # type: ignore[attr-defined]
        elif parameters is None:
            _put(self, name, value)
        elif name in parameters:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{typename(value)}' as parameter '{name}' (torch.nn.Parameter or None expected)"
                )
            self.register_parameter(name, None)
        elif name in self._modules:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{typename(value)}' as child module '{name}' (torch.nn.Module or None expected)"
                )
            self._modules[name] = registered(GLOBAL.module_registration, self, name, value)
        elif name in self._buffers:
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(
                    f"cannot assign '{typename(value)}' as buffer '{name}' (torch.nn.Buffer, torch.Tensor or None "
                    "expected)"
                )
            self._buffers[name] = registered(GLOBAL.buffer_registration, self, name, value)
        elif name in STORES:
            install(self, name, value)
        else:
            _put(self, name, value)

    def _forget(self, name: str, *stores: str) -> None:
        state = self.__dict__
        if type(state["_parameters"]) is not Registry:  # a subclass that pickles itself left plain dictionaries
            for store in STORES:
                install(self, store, state.get(store, {}))
        for store in stores:
            state[store].pop(name, None)
        if name not in self._parameters and name not in self._modules and name not in self._buffers:
            state.pop(name, None)
        self._non_persistent_buffers_set.discard(name)

    def __getattr__(self, name: str) -> Any:
        state = self.__dict__
        for store in STORES:
            if name in state.get(store, ()):
                return state[store][name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __delattr__(self, name: str) -> None:
        for store in STORES:
            if name in self.__dict__[store]:
                del self.__dict__[store][name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = {*dir(type(self)), *self.__dict__, *self._parameters, *self._modules, *self._buffers}
        return sorted(n for n in names if not n[0].isdigit())

    def _check_name(self, name: Any, what: str, store: str, dotted: str = "") -> None:
        if store not in self.__dict__:
            raise AttributeError(f"cannot assign {what} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{what} name should be a string. Got {typename(name)}")
        if "." in name:
            raise KeyError(f'{what} name can\'t contain "."{dotted}')
        if name == "":
            raise KeyError(f'{what} name can\'t be empty string ""')
        if name not in self.__dict__[store] and hasattr(self, name):
            raise KeyError(f"attribute '{name}' already exists")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under a name, which is also an attribute. None keeps the place."""
        self._check_name(name, "parameter", "_parameters")
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(
                    f"cannot assign '{typename(param)}' object to parameter '{name}' (torch.nn.Parameter or None required)"
                )
            if param._edge is not None:
                raise ValueError(
                    f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created explicitly. "
                    f"To express '{name}' as a function of another Tensor, compute the value in the forward() method."
                )
            param = registered(GLOBAL.parameter_registration, self, name, param)
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is state but no parameter; one that is not `persistent` stays out of the state_dict."""
        self._check_name(name, "buffer", "_buffers")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{typename(tensor)}' object to buffer '{name}' (torch Tensor or None required)"
            )
        self._buffers[name] = registered(GLOBAL.buffer_registration, self, name, tensor)
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a child under a name, which is also an attribute."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{typename(module)} is not a Module subclass")
        self._check_name(name, "module", "_modules", f", got: {name}")
        self._modules[name] = registered(GLOBAL.module_registration, self, name, module)

    def register_module(self, name: str, module: Module | None) -> None:
        self.add_module(name, module)

    # -- pickling and copying ----------------------------------------------------------------------------------
    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__
        left_out = mirrored(state)
        return {k: dict(v) if k in STORES else v for k, v in state.items() if k not in left_out}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({k: v for k, v in state.items() if k not in STORES})
        for store in STORES:
            install(self, store, state.get(store, {}))
        self.__dict__.setdefault("_non_persistent_buffers_set", set())

    # -- hooks -------------------------------------------------------------------------------------------------
    def _own_hooks(self) -> ModuleHooks:
        own = self.__dict__.get("_hooks")
        if own is None:
            own = ModuleHooks()
            _put(self, "_hooks", own)
        return own

    def register_forward_pre_hook(
        self, hook: Any, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """`hook(module, args) -> args | None` before forward; `with_kwargs`, `hook(module, args, kwargs)`."""
        own = self._own_hooks()
        return own.add(own.forward_pre, hook, prepend, with_kwargs)

    def register_forward_hook(
        self, hook: Any, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """`hook(module, args, output) -> output | None` after forward; `always_call`, also if it raised."""
        own = self._own_hooks()
        return own.add(own.forward, hook, prepend, with_kwargs, always_call)

    def register_full_backward_pre_hook(self, hook: Any, prepend: bool = False) -> RemovableHandle:
        """`hook(module, grad_output) -> grad_output | None` when the outputs' gradients have arrived."""
        own = self._own_hooks()
        return own.add(own.backward_pre, hook, prepend)

    def register_full_backward_hook(self, hook: Any, prepend: bool = False) -> RemovableHandle:
        """`hook(module, grad_input, grad_output) -> grad_input | None` when the inputs' gradients are there."""
        return self._own_hooks().add_backward(hook, True, "on a single Module", prepend)

    def register_backward_hook(self, hook: Any) -> RemovableHandle:
        """Superseded by `register_full_backward_hook`."""
        return self._own_hooks().add_backward(hook, False, "on a single Module")

    # PyTorch's names for the collections of hooks.
    @property
    def _forward_pre_hooks(self) -> Hooks:
        return self._own_hooks().forward_pre

    @property
    def _forward_hooks(self) -> Hooks:
        return self._own_hooks().forward

    @property
    def _backward_pre_hooks(self) -> Hooks:
        return self._own_hooks().backward_pre

    @property
    def _backward_hooks(self) -> Hooks:
        return self._own_hooks().backward

    @property
    def _state_dict_pre_hooks(self) -> Hooks:
        return self._own_hooks().state_dict_pre

    @property
    def _state_dict_hooks(self) -> Hooks:
        return self._own_hooks().state_dict

    @property
    def _load_state_dict_pre_hooks(self) -> Hooks:
        return self._own_hooks().load_pre

    @property
    def _load_state_dict_post_hooks(self) -> Hooks:
        return self._own_hooks().load_post

    # -- printing ----------------------------------------------------------------------------------------------
    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What stands between the parentheses besides the children; for subclasses to define."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        extra_lines = extra.split("\n") if extra else []
        children = [f"({name}): {indented(repr(module))}" for name, module in self._modules.items()]
        if not children and len(extra_lines) == 1:
            inside = extra_lines[0]
        else:
            inside = "".join(f"\n  {line}" for line in (*extra_lines, *children))
            inside += "\n" if inside else ""
        return f"{self._get_name()}({inside})"


def indented(text: str, by: int = 2) -> str:
    """All lines but the first moved to the right."""
    return text.replace("\n", "\n" + " " * by)


def typename(value: Any) -> str:
    """The type of a value as PyTorch's messages have it."""
    if isinstance(value, Tensor):
        return f"torch.{value.dtype.tensor_type}Tensor"
    home = getattr(value, "__module__", None)
    name = value.__qualname__ if hasattr(value, "__qualname__") else type(value).__qualname__
    if home in (None, "builtins"):
        return name
    return f"{home.replace('wengert', 'torch', 1) if home.startswith('wengert.') else home}.{name}"
