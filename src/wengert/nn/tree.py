"""A module as a tree of modules: walking it, finding a part by its dotted name, and changing every tensor in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..core.device import absent, as_device
from ..core.modes import no_grad
from ..core.tensor import Tensor
from ..ops.conversion import to_arguments
from .parameter import Parameter, is_lazy


class Tree:
    """The part of Module that walks its children."""

    training: bool
    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    _modules: dict[str, Any]

    # -- walking -----------------------------------------------------------------------------------------------
    def named_children(self) -> Iterator[tuple[str, Any]]:
        """The children with their names, each once."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Any]:
        for _, module in self.named_children():
            yield module

    def named_modules(
        self, memo: set[Any] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
        """This module and all below it, with dotted names."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self) -> Iterator[Any]:
        for _, module in self.named_modules():
            yield module

    def _named_members(
        self,
        get_members_fn: Callable[[Any], Any],
        prefix: str = "",
        recurse: bool = True,
        remove_duplicate: bool = True,
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, member in get_members_fn(module):
                if member is None or id(member) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(member))
                yield f"{path}.{name}" if path else name, member

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters with dotted names, each once."""
        yield from self._named_members(lambda m: m._parameters.items(), prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        for _, p in self.named_parameters(recurse=recurse):
            yield p

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers with dotted names, each once."""
        yield from self._named_members(lambda m: m._buffers.items(), prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        for _, b in self.named_buffers(recurse=recurse):
            yield b

    # -- finding -----------------------------------------------------------------------------------------------
    def get_submodule(self, target: str) -> Any:
        """The module of this dotted name. AttributeError if there is none."""
        from .module import Module

        found: Any = self
        for name in target.split(".") if target else ():
            if not hasattr(found, name):
                raise AttributeError(f"{found._get_name()} has no attribute `{name}`")
            found = getattr(found, name)
            if not isinstance(found, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return found

    def set_submodule(self, target: str, module: Any, strict: bool = False) -> None:
        """Put `module` in the place of this dotted name; with `strict`, only where a module already is."""
        from .module import Module

        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{parent._get_name()} has no attribute `{name}`")
        if hasattr(parent, name) and not isinstance(getattr(parent, name), Module):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def _owner_of(self, target: str) -> tuple[Any, str]:
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        if not hasattr(owner, name):
            raise AttributeError(f"{owner._get_name()} has no attribute `{name}`")
        return owner, name

    def get_parameter(self, target: str) -> Parameter:
        """The parameter of this dotted name."""
        owner, name = self._owner_of(target)
        found = getattr(owner, name)
        if not isinstance(found, Parameter):
            raise AttributeError(f"`{name}` is not an nn.Parameter")
        return found

    def get_buffer(self, target: str) -> Tensor:
        """The buffer of this dotted name."""
        owner, name = self._owner_of(target)
        if name not in owner._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        return owner._buffers[name]

    # -- changing ----------------------------------------------------------------------------------------------
    def apply(self, fn: Callable[[Any], None]) -> Any:
        """Call `fn` with every module below and then this one. Returns this one."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """Replace the numbers of every parameter, gradient and buffer by what `fn` makes of them.

        Parameters stay the objects they are, so an optimizer keeps hold of them.
        """
        if recurse:
            for module in self.children():
                module._apply(fn)
        with no_grad():
            for p in self._parameters.values():
                if p is None:
                    continue
                if is_lazy(p):
                    p.apply_(fn)
                    continue
                new = fn(p)
                if new is not p:
                    p.data = new
                grad = getattr(p, "_grad", None)
                if grad is not None:
                    new = fn(grad)
                    if new is not grad:
                        grad.data = new
            for name, b in self._buffers.items():
                if b is not None:
                    if is_lazy(b):
                        b.apply_(fn)
                    else:
                        self._buffers[name] = fn(b)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Convert floating and complex parameters and buffers to a dtype: `to(dtype)`, `to("cpu")`, `to(tensor)`.

        `memory_format`: the order in memory of tensors with 4 or 5 dimensions.
        """
        said = to_arguments(args, kwargs)
        dtype, order = said.dtype, said.memory_format
        if order is not None:
            self._apply(lambda t: t.contiguous(memory_format=order) if t.ndim in (4, 5) else t)
        if dtype is None:
            return self
        if not (dtype.is_floating_point or dtype.is_complex):
            raise TypeError(
                f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}"
            )
        return self._apply(lambda t: _in(t, dtype))

    def type(self, dst_type: Any) -> Any:
        return self._apply(lambda t: t.type(dst_type))

    def float(self) -> Any:
        return self._apply(lambda t: t.float() if t.is_floating_point() else t)

    def double(self) -> Any:
        return self._apply(lambda t: t.double() if t.is_floating_point() else t)

    def half(self) -> Any:
        return self._apply(lambda t: t.half() if t.is_floating_point() else t)

    def bfloat16(self) -> Any:
        return self._apply(lambda t: t.bfloat16() if t.is_floating_point() else t)

    def cpu(self) -> Any:
        return self

    def cuda(self, device: Any = None) -> Any:
        """AssertionError, as in PyTorch without a GPU."""
        raise absent("cuda")

    def xpu(self, device: Any = None) -> Any:
        as_device("xpu")

    def ipu(self, device: Any = None) -> Any:
        as_device("ipu")

    def mtia(self, device: Any = None) -> Any:
        as_device("mtia")

    def to_empty(self, *, device: Any = None, recurse: bool = True) -> Any:
        """Fresh memory for every tensor, its numbers not set."""
        from ..ops.filling import empty_like

        as_device(device)
        return self._apply(empty_like, recurse=recurse)

    def share_memory(self) -> Any:
        raise NotImplementedError("Module.share_memory: threads share memory already; pass state_dict() to processes")

    def train(self, mode: bool = True) -> Any:
        """Set training (or, with False, evaluation) mode here and below."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Any:
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Ask for gradients of all parameters (or stop asking)."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the parameters' gradients, or with `set_to_none=False` fill them with zeros."""
        for p in self.parameters():
            grad = p._grad if hasattr(p, "_grad") else None
            if grad is None:
                continue
            if set_to_none:
                p.grad = None
            elif grad.grad_fn is not None:
                grad.detach_().zero_()
            else:
                grad.requires_grad_(False).zero_()


def _in(t: Tensor, dtype: Any) -> Tensor:
    return t.to(dtype) if t.is_floating_point() or t.is_complex() else t
