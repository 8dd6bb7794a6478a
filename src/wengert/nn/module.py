"""Module: the base of everything that has parameters."""

from __future__ import annotations

import functools
import itertools
from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ..core.node import Hooks, RemovableHandle
from ..core.tensor import Tensor
from .parameter import Buffer, Parameter

IncompatibleKeys = namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])  # noqa: PYI024
IncompatibleKeys.__repr__ = (  # type: ignore[method-assign]
    lambda self: "<All keys matched successfully>"
    if not self.missing_keys and not self.unexpected_keys
    else f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"
)


def _indented(text: str, by: int = 2) -> str:
    first, *rest = text.split("\n")
    return "\n".join([first, *(" " * by + line for line in rest)])


class Module:
    """A part of a network: parameters, buffers and other modules as attributes, and `forward`, which uses them."""

    training: bool
    forward: Callable[..., Any]

    def __init__(self) -> None:
        put = object.__setattr__
        put(self, "training", True)
        put(self, "_parameters", OrderedDict())
        put(self, "_buffers", OrderedDict())
        put(self, "_non_persistent_buffers_set", set())
        put(self, "_modules", OrderedDict())
        put(self, "_forward_hooks", Hooks())
        put(self, "_forward_pre_hooks", Hooks())
        put(self, "_backward_hooks", Hooks())
        put(self, "_backward_pre_hooks", Hooks())
        put(self, "_hook_options", {})
        put(self, "_state_dict_hooks", Hooks())
        put(self, "_load_state_dict_pre_hooks", Hooks())
        put(self, "_load_state_dict_post_hooks", Hooks())

    # -- attributes --------------------------------------------------------------------------------------------
    def __setattr__(self, name: str, value: Any) -> None:
        stores = self.__dict__
        if isinstance(value, Parameter):
            if "_parameters" not in stores:
                raise AttributeError("cannot assign parameters before Module.__init__() call")
            self._forget(name, "_buffers", "_modules")
            self.register_parameter(name, value)
            return
        if isinstance(value, Module):
            if "_modules" not in stores:
                raise AttributeError("cannot assign module before Module.__init__() call")
            self._forget(name, "_parameters", "_buffers")
            stores["_modules"][name] = value
            return
        if isinstance(value, Buffer):
            self._forget(name, "_parameters", "_modules")
            self.register_buffer(name, value, value.persistent)
            return
        for store, what in (("_parameters", "parameter"), ("_modules", "child module"), ("_buffers", "buffer")):
            if name in stores.get(store, ()):
                kinds = {"parameter": "torch.nn.Parameter or None", "child module": "torch.nn.Module or None"}
                if what == "buffer":
                    if value is not None and not isinstance(value, Tensor):
                        raise TypeError(
                            f"cannot assign '{_type_name(value)}' object to buffer '{name}' (torch.nn.Buffer, torch.Tensor "
                            "or None expected)"
                        )
                elif value is not None:
                    raise TypeError(
                        f"cannot assign '{_type_name(value)}' as {what} '{name}' ({kinds[what]} expected)"
                    )
                stores[store][name] = value
                return
        object.__setattr__(self, name, value)

    def _forget(self, name: str, *others: str) -> None:
        self.__dict__.pop(name, None)
        for store in others:
            self.__dict__[store].pop(name, None)
        self._non_persistent_buffers_set.discard(name)

    def __getattr__(self, name: str) -> Any:
        stores = self.__dict__
        for store in ("_parameters", "_buffers", "_modules"):
            if store in stores and name in stores[store]:
                return stores[store][name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __delattr__(self, name: str) -> None:
        for store in ("_parameters", "_buffers", "_modules"):
            if name in self.__dict__[store]:
                del self.__dict__[store][name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = {*dir(type(self)), *self.__dict__, *self._parameters, *self._buffers, *self._modules}
        return sorted(n for n in names if not n[:1].isdigit())

    def _check_name(self, name: str, what: str, store: str) -> None:
        if "_parameters" not in self.__dict__:
            raise AttributeError(f"cannot assign {what} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{what} name should be a string. Got {_type_name(name)}")
        if "." in name:
            raise KeyError(f'{what} name can\'t contain "."')
        if name == "":
            raise KeyError(f'{what} name can\'t be empty string ""')
        if hasattr(self, name) and name not in self.__dict__[store]:
            raise KeyError(f"attribute '{name}' already exists")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        self._check_name(name, "parameter", "_parameters")
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{_type_name(param)}' object to parameter '{name}' (torch.nn.Parameter or None required)"
            )
        if param is not None and param.grad_fn is not None:
            raise ValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created explicitly. To "
                f"express '{name}' as a function of another Tensor, compute the value in the forward() method."
            )
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        self._check_name(name, "buffer", "_buffers")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{_type_name(tensor)}' object to buffer '{name}' (torch Tensor or None required)"
            )
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{_type_name(module)} is not a Module subclass")
        self._check_name(name, "module", "_modules")
        self._modules[name] = module

    register_module = add_module

    # -- walking the tree --------------------------------------------------------------------------------------
    def children(self) -> Iterator[Module]:
        for _, m in self.named_children():
            yield m

    def named_children(self) -> Iterator[tuple[str, Module]]:
        seen = set()
        for name, m in self._modules.items():
            if m is not None and m not in seen:
                seen.add(m)
                yield name, m

    def modules(self) -> Iterator[Module]:
        for _, m in self.named_modules():
            yield m

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, m in self._modules.items():
            if m is not None:
                yield from m.named_modules(memo, prefix + ("." if prefix else "") + name, remove_duplicate)

    def _named(self, store: str, prefix: str, recurse: bool, remove_duplicate: bool) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        modules = (
            self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        )
        for path, m in modules:
            for name, t in m.__dict__[store].items():
                if t is None or id(t) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(t))
                yield path + ("." if path else "") + name, t

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        yield from self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        for _, p in self.named_parameters(recurse=recurse):
            yield p

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        yield from self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        for _, b in self.named_buffers(recurse=recurse):
            yield b

    def get_submodule(self, target: str) -> Module:
        found: Any = self
        for name in target.split(".") if target else ():
            if not hasattr(found, name):
                raise AttributeError(f"{type(found).__name__} has no attribute `{name}`")
            found = getattr(found, name)
            if not isinstance(found, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return found

    def get_parameter(self, target: str) -> Parameter:
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        if name not in owner._parameters:
            raise AttributeError(f"{type(owner).__name__} has no attribute `{name}`")
        return owner._parameters[name]

    def get_buffer(self, target: str) -> Tensor:
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        if name not in owner._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        return owner._buffers[name]

    def apply(self, fn: Callable[[Module], Any]) -> Module:
        for m in self.children():
            m.apply(fn)
        fn(self)
        return self

    # -- modes and conversions ---------------------------------------------------------------------------------
    def train(self, mode: bool = True) -> Module:
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for m in self.children():
            m.train(mode)
        return self

    def eval(self) -> Module:
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        for p in self.parameters():
            found = getattr(p, "_grad", None)
            if found is None:
                continue
            if set_to_none:
                p._grad = None
            else:
                found.detach_().zero_()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Module:
        for m in self.children():
            m._apply(fn)
        for p in self._parameters.values():
            if p is not None:
                p.data = fn(p.data)
                if getattr(p, "_grad", None) is not None:
                    p._grad = fn(p._grad)
        for name, b in self._buffers.items():
            if b is not None:
                self._buffers[name] = fn(b)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Module:
        """Convert floating and complex parameters and buffers; the device can only be the CPU."""
        from ..core import dtypes
        from ..core.device import as_device, device

        d = kwargs.pop("dtype", None)
        as_device(kwargs.pop("device", None))
        for a in args:
            if isinstance(a, dtypes.dtype):
                d = a
            elif isinstance(a, Tensor):
                d = a.dtype
            elif isinstance(a, (str, device)):
                as_device(a)
        if d is None:
            return self
        if not (d.is_floating_point or d.is_complex):
            raise TypeError(f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={d}")
        return self._apply(lambda t: t.to(d) if t.is_floating_point() or t.is_complex() else t)  # type: ignore[attr-defined]

    def type(self, dst_type: Any) -> Module:
        return self._apply(lambda t: t.type(dst_type))  # type: ignore[attr-defined]

    def float(self) -> Module:
        return self._apply(lambda t: t.float() if t.is_floating_point() else t)  # type: ignore[attr-defined]

    def double(self) -> Module:
        return self._apply(lambda t: t.double() if t.is_floating_point() else t)  # type: ignore[attr-defined]

    def half(self) -> Module:
        return self._apply(lambda t: t.half() if t.is_floating_point() else t)  # type: ignore[attr-defined]

    def cpu(self) -> Module:
        return self

    def share_memory(self) -> Module:
        return self

    # -- calling -----------------------------------------------------------------------------------------------
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not (self._forward_hooks or self._forward_pre_hooks or self._backward_hooks or self._backward_pre_hooks):
            return self.forward(*args, **kwargs)
        return self._hooked_call(args, kwargs)

    def _hooked_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        options = self._hook_options
        for key, hook in list(self._forward_pre_hooks.items()):
            if options.get(key, {}).get("with_kwargs"):
                changed = hook(self, args, kwargs)
                if changed is not None:
                    if not (isinstance(changed, tuple) and len(changed) == 2):
                        raise RuntimeError(
                            f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {changed}."
                        )
                    args, kwargs = changed
            else:
                changed = hook(self, args)
                if changed is not None:
                    args = changed if isinstance(changed, tuple) else (changed,)
        backward = None
        if self._backward_hooks or self._backward_pre_hooks:
            from .backward_hooks import BackwardHooks

            backward = BackwardHooks(self)
            args = backward.enter(args)
        try:
            result = self.forward(*args, **kwargs)
        except BaseException:
            for key, hook in list(self._forward_hooks.items()):
                if options.get(key, {}).get("always_call"):
                    hook(self, args, None)
            raise
        for key, hook in list(self._forward_hooks.items()):
            if options.get(key, {}).get("with_kwargs"):
                changed = hook(self, args, kwargs, result)
            else:
                changed = hook(self, args, result)
            if changed is not None:
                result = changed
        return result if backward is None else backward.leave(result)

    def _hook(self, store: Hooks, hook: Any, prepend: bool = False, **options: Any) -> RemovableHandle:
        handle = store.add(hook)
        if any(options.values()):
            self._hook_options[handle.id] = options
        if prepend:
            store.move_to_end(handle.id, last=False)
        return handle

    def register_forward_pre_hook(
        self, hook: Any, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """`hook(module, args) -> args | None` runs before `forward`."""
        return self._hook(self._forward_pre_hooks, hook, prepend, with_kwargs=with_kwargs)

    def register_forward_hook(
        self, hook: Any, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """`hook(module, args, output) -> output | None` runs after `forward`."""
        return self._hook(self._forward_hooks, hook, prepend, with_kwargs=with_kwargs, always_call=always_call)

    def register_full_backward_hook(self, hook: Any, prepend: bool = False) -> RemovableHandle:
        """`hook(module, grad_input, grad_output) -> grad_input | None` runs when the module's gradients are there."""
        return self._hook(self._backward_hooks, hook, prepend)

    register_backward_hook = register_full_backward_hook

    def register_full_backward_pre_hook(self, hook: Any, prepend: bool = False) -> RemovableHandle:
        """`hook(module, grad_output) -> grad_output | None` runs before the module's backward."""
        return self._hook(self._backward_pre_hooks, hook, prepend)

    # -- state -------------------------------------------------------------------------------------------------
    def state_dict(
        self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """Parameters and persistent buffers by their dotted names, detached unless `keep_vars`."""
        if args:
            destination, prefix, keep_vars = (*args, prefix, keep_vars)[:3] if len(args) < 3 else args
        found: Any = OrderedDict() if destination is None else destination
        if destination is None:
            found._metadata = OrderedDict()
        if hasattr(found, "_metadata"):
            found._metadata[prefix[:-1]] = {"version": getattr(self, "_version", 1)}
        self._save_to_state_dict(found, prefix, keep_vars)
        for name, m in self._modules.items():
            if m is not None:
                m.state_dict(destination=found, prefix=prefix + name + ".", keep_vars=keep_vars)
        for hook in self._state_dict_hooks.values():
            changed = hook(self, found, prefix, {})
            if changed is not None:
                found = changed
        return found

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        for name, p in self._parameters.items():
            if p is not None:
                destination[prefix + name] = p if keep_vars else p.detach()
        for name, b in self._buffers.items():
            if b is not None and name not in self._non_persistent_buffers_set:
                destination[prefix + name] = b if keep_vars else b.detach()
        extra = self.get_extra_state()
        if extra is not None:
            destination[prefix + "_extra_state"] = extra

    def get_extra_state(self) -> Any:
        return None

    def set_extra_state(self, state: Any) -> None:
        raise RuntimeError(
            "Reached a code path in Module.set_extra_state() that should never be called. Please file an issue to report "
            "this bug."
        )

    def register_state_dict_pre_hook(self, hook: Any) -> RemovableHandle:
        raise NotImplementedError("register_state_dict_pre_hook: override state_dict() instead")

    def _register_state_dict_hook(self, hook: Any) -> RemovableHandle:
        return self._state_dict_hooks.add(hook)

    register_state_dict_post_hook = _register_state_dict_hook

    def register_load_state_dict_pre_hook(self, hook: Any) -> RemovableHandle:
        return self._load_state_dict_pre_hooks.add(functools.partial(hook, self))

    def _register_load_state_dict_pre_hook(self, hook: Any, with_module: bool = False) -> RemovableHandle:
        return self._load_state_dict_pre_hooks.add(functools.partial(hook, self) if with_module else hook)

    def register_load_state_dict_post_hook(self, hook: Any) -> RemovableHandle:
        return self._load_state_dict_post_hooks.add(hook)

    def _load_from_state_dict(
        self,
        state_dict: Mapping[str, Any],
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        for hook in self._load_state_dict_pre_hooks.values():
            hook(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        own = {n: p for n, p in self._parameters.items() if p is not None}
        own |= {
            n: b for n, b in self._buffers.items() if b is not None and n not in self._non_persistent_buffers_set
        }
        for name, t in own.items():
            key = prefix + name
            if key not in state_dict:
                if strict:
                    missing_keys.append(key)
                continue
            value = state_dict[key]
            if not isinstance(value, Tensor):
                error_msgs.append(
                    f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like object from checkpoint '
                    f"but received {type(value)}"
                )
                continue
            if value.shape != t.shape:
                error_msgs.append(
                    f"size mismatch for {key}: copying a param with shape {value.shape} from checkpoint, the shape in current "
                    f"model is {t.shape}."
                )
                continue
            t._array[...] = value._array
            from ..core.views import bump

            bump(t)
        key = prefix + "_extra_state"
        if type(self).set_extra_state is not Module.set_extra_state:
            if key in state_dict:
                self.set_extra_state(state_dict[key])
            elif strict:
                missing_keys.append(key)
        if strict:
            for key in state_dict:
                if key.startswith(prefix):
                    first, _, rest = key[len(prefix) :].partition(".")
                    known = first in own or first in self._modules and rest or key == prefix + "_extra_state"
                    if not known:
                        unexpected_keys.append(key)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Copy parameters and buffers from `state_dict`. With `strict`, its keys must be exactly this module's.

        Nothing is changed unless every key fits.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        missing: list[str] = []
        unexpected: list[str] = []
        errors: list[str] = []
        backup = [(t, np.array(t._array)) for t in itertools.chain(self.parameters(), self.buffers())]

        def load(m: Module, prefix: str) -> None:
            m._load_from_state_dict(state_dict, prefix, {}, True, missing, unexpected, errors)
            for name, child in m._modules.items():
                if child is not None:
                    load(child, prefix + name + ".")
            keys = IncompatibleKeys(missing, unexpected)
            for hook in m._load_state_dict_post_hooks.values():
                hook(m, keys)

        load(self, "")
        if strict:
            if unexpected:
                quoted = ", ".join(f'"{k}"' for k in unexpected)
                errors.insert(0, f"Unexpected key(s) in state_dict: {quoted}. ")
            if missing:
                quoted = ", ".join(f'"{k}"' for k in missing)
                errors.insert(0, f"Missing key(s) in state_dict: {quoted}. ")
        if errors:
            for t, array in backup:
                t._array[...] = array
            listed = "\n\t".join(errors)
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{listed}")
        if assign:
            for name, p in self.named_parameters():
                if name in state_dict:
                    p.data = state_dict[name].detach()
        return IncompatibleKeys(missing, unexpected)

    # -- showing -----------------------------------------------------------------------------------------------
    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What stands between the parentheses of `repr`; for subclasses to say."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        extra_lines = extra.split("\n") if extra else []
        children = [f"({name}): {_indented(repr(m))}" for name, m in self._modules.items()]
        lines = extra_lines + children
        name = self._get_name()
        if not lines:
            return f"{name}()"
        if len(extra_lines) == 1 and not children:
            return f"{name}({extra_lines[0]})"
        return f"{name}(\n  " + "\n  ".join(lines) + "\n)"


def _type_name(value: Any) -> str:
    cls = type(value)
    if issubclass(cls, Tensor):
        return f"torch.{value.dtype.tensor_type}Tensor"
    return cls.__name__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def _unimplemented(self: Module, *inputs: Any) -> None:
    raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')


Module.forward = _unimplemented
