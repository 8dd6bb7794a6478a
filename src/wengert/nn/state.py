"""The state of a module as a dictionary: `state_dict` and `load_state_dict`, in PyTorch's format."""

from __future__ import annotations

import functools
import weakref
from collections import OrderedDict, namedtuple
from collections.abc import Mapping
from typing import Any

from ..core.modes import no_grad
from ..core.node import RemovableHandle
from ..core.tensor import Tensor
from .parameter import Parameter, UninitializedTensorMixin, is_lazy

_EXTRA = "_extra_state"


class _IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return super().__repr__()

    __str__ = __repr__


class StateDict:
    """The part of Module that saves and loads."""

    _version: int = 1
    _hooks: Any
    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    _modules: dict[str, Any]
    _non_persistent_buffers_set: set[str]

    # -- saving ------------------------------------------------------------------------------------------------
    def state_dict(self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> Any:
        """Parameters and persistent buffers of this module and its children, by dotted name, detached but not copied.

        `keep_vars=True` gives the Parameters themselves.
        """
        if args:  # an older signature: destination, prefix, keep_vars by position
            destination = args[0] if destination is None else destination
            prefix = args[1] if len(args) > 1 and prefix == "" else prefix
            keep_vars = args[2] if len(args) > 2 and keep_vars is False else keep_vars
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        hooks = self._hooks
        for hook in () if hooks is None else hooks.state_dict_pre.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=prefix + name + ".", keep_vars=keep_vars)
        for hook in () if hooks is None else hooks.state_dict.values():
            result = hook(self, destination, prefix, metadata)
            if getattr(hook, "_returns_nothing", False):
                if result is not None:
                    raise RuntimeError("state_dict post-hook must return None")
            elif result is not None:
                destination = result
        return destination

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        for name, t in (*self._parameters.items(), *self._buffers.items()):
            if t is not None and name not in self._non_persistent_buffers_set:
                destination[prefix + name] = t if keep_vars or is_lazy(t) else t.detach()
        if type(self).get_extra_state is not StateDict.get_extra_state:
            destination[prefix + _EXTRA] = self.get_extra_state()

    def get_extra_state(self) -> Any:
        """State besides tensors: define it, and `set_extra_state`, to have it saved."""
        raise RuntimeError("Module.get_extra_state() is called only where a subclass defines it")

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` returned."""
        raise RuntimeError("Module.set_extra_state() is called only where a subclass defines it")

    def register_state_dict_pre_hook(self, hook: Any) -> RemovableHandle:
        """`hook(module, prefix, keep_vars)` before `state_dict` collects."""
        hooks = self._own_hooks()  # type: ignore[attr-defined]
        return hooks.add(hooks.state_dict_pre, hook)

    def register_state_dict_post_hook(self, hook: Any) -> RemovableHandle:
        """`hook(module, state_dict, prefix, local_metadata) -> None` after `state_dict` has collected."""
        hook._returns_nothing = True
        return self._register_state_dict_hook(hook)

    def _register_state_dict_hook(self, hook: Any) -> RemovableHandle:
        hooks = self._own_hooks()  # type: ignore[attr-defined]
        return hooks.add(hooks.state_dict, hook)

    # -- loading -----------------------------------------------------------------------------------------------
    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Copy parameters and buffers from a dictionary such as `state_dict` returns.

        `strict`: the names must be exactly this module's. `assign`: take the tensors themselves instead of copying.
        Returns the missing and the unexpected names.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        missing: list[str] = []
        unexpected: list[str] = []
        errors: list[str] = []
        metadata = getattr(state_dict, "_metadata", None)
        state: Any = OrderedDict(state_dict)
        if metadata is not None:
            state._metadata = metadata
        self._load_tree(state, "", metadata, assign, missing, unexpected, errors)
        if strict:
            for what, names in (("Missing", missing), ("Unexpected", unexpected)):
                if names:
                    place = 1 if what == "Unexpected" and missing else 0
                    errors.insert(place, f"{what} key(s) in state_dict: {', '.join(map(_quoted, names))}. ")
        if errors:
            lines = "\n\t".join(errors)
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{lines}")
        return _IncompatibleKeys(missing, unexpected)

    def _load_tree(
        self,
        state: Any,
        prefix: str,
        metadata: Any,
        assign: bool,
        missing: list[str],
        unexpected: list[str],
        errors: list[str],
    ) -> None:
        local = {} if metadata is None else metadata.get(prefix[:-1], {})
        if assign:
            local["assign_to_params_buffers"] = assign
        self._load_from_state_dict(state, prefix, local, True, missing, unexpected, errors)
        for name, child in self._modules.items():
            if child is not None:
                inner = prefix + name + "."
                part = {k: v for k, v in state.items() if k.startswith(inner)}
                child._load_tree(part, inner, metadata, assign, missing, unexpected, errors)
        for hook in () if self._hooks is None else self._hooks.load_post.values():
            if hook(self, _IncompatibleKeys(missing, unexpected)) is not None:
                raise AssertionError(
                    "Hooks registered with ``register_load_state_dict_post_hook`` are not expected to return new values, "
                    "if incompatible_keys need to be modified, it should be done inplace."
                )

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Load this module's own tensors, not its children's."""
        for hook in () if self._hooks is None else self._hooks.load_pre.values():
            hook(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        own = {
            name: t
            for name, t in (*self._parameters.items(), *self._buffers.items())
            if t is not None and name not in self._non_persistent_buffers_set
        }
        assign = local_metadata.get("assign_to_params_buffers", False)
        for name, t in own.items():
            key = prefix + name
            if key in state_dict:
                error = self._load_one(name, t, key, state_dict[key], assign)
                if error:
                    error_msgs.append(error)
            elif strict:
                missing_keys.append(key)
        extra = prefix + _EXTRA
        if type(self).set_extra_state is not StateDict.set_extra_state:
            if extra in state_dict:
                self.set_extra_state(state_dict[extra])
            elif strict:
                missing_keys.append(extra)
        elif strict and extra in state_dict:
            unexpected_keys.append(extra)
        if strict:
            for key in state_dict:
                if key.startswith(prefix) and key != extra:
                    first, dot, _ = key[len(prefix) :].partition(".")
                    if first not in (self._modules if dot else own):
                        unexpected_keys.append(key)

    def _load_one(self, name: str, t: Tensor, key: str, given: Any, assign: bool) -> str | None:
        """Copy one tensor. Returns what is wrong with it, if anything."""
        if not isinstance(given, Tensor):
            return (
                f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like object from checkpoint '
                f"but received {type(given)}"
            )
        if is_lazy(t):
            if not is_lazy(given):
                t.materialize(given.shape)  # type: ignore[attr-defined]
            else:
                return None
        if isinstance(given, UninitializedTensorMixin):
            given.shape  # noqa: B018  (raises the error that says so)
        if t.ndim == 0 and given.ndim == 1 and given._array.shape[0] == 1:
            given = given[0]
        if given._array.shape != t._array.shape:
            return (
                f"size mismatch for {key}: copying a param with shape {given.shape} from checkpoint, the shape in current "
                f"model is {t.shape}."
            )
        try:
            with no_grad():
                if not assign:
                    t.copy_(given)
                elif not isinstance(t, Parameter):
                    setattr(self, name, given)
                elif isinstance(given, Parameter):
                    setattr(self, name, given.requires_grad_(t._rg))
                else:
                    setattr(self, name, Parameter(given, t._rg))
        except Exception as error:
            return (
                f'While copying the parameter named "{key}", whose dimensions in the model are {t.size()} and whose '
                f"dimensions in the checkpoint are {given.size()}, an exception occurred : {error.args}."
            )
        return None

    def register_load_state_dict_pre_hook(self, hook: Any) -> RemovableHandle:
        """`hook(module, state_dict, prefix, local_metadata, strict, missing, unexpected, errors)` before loading."""
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(self, hook: Any, with_module: bool = False) -> RemovableHandle:
        hooks = self._own_hooks()  # type: ignore[attr-defined]
        return hooks.add(hooks.load_pre, _WithModule(hook, self) if with_module else hook)

    def register_load_state_dict_post_hook(self, hook: Any) -> RemovableHandle:
        """`hook(module, incompatible_keys)` after loading; it may change the two lists."""
        hooks = self._own_hooks()  # type: ignore[attr-defined]
        return hooks.add(hooks.load_post, hook)


class _WithModule:
    """A hook that gets its module first, without keeping the module alive."""

    def __init__(self, hook: Any, module: Any) -> None:
        self.hook, self.module = hook, weakref.ref(module)
        functools.update_wrapper(self, hook)

    def __call__(self, *args: Any) -> Any:
        return self.hook(self.module(), *args)

    def __deepcopy__(self, memo: dict[int, Any]) -> _WithModule:
        return _WithModule(self.hook, memo.get(id(self.module()), self.module()))

    def __reduce__(self) -> Any:
        return (_WithModule, (self.hook, self.module()))


def _quoted(name: str) -> str:
    return f'"{name}"'
