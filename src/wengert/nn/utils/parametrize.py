"""Parametrizations: a parameter computed from others by modules, each time it is read.

`register_parametrization(module, "weight", p)` moves the weight to `module.parametrizations.weight.original` and lets
`module.weight` be `p(original)`. The module gets a class of its own, whose property computes. What computes is a
`ParametrizationList`; ready-made parametrizations are in `parametrizations`.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from typing import Any

from ...core.modes import no_grad
from ...core.tensor import Tensor
from ..module import Module
from ..modules.container import ModuleDict, ModuleList
from ..parameter import Parameter

__all__ = [
    "ParametrizationList", "cached", "is_parametrized", "register_parametrization", "remove_parametrizations",
    "transfer_parametrizations_and_params", "type_before_parametrizations",
]  # fmt: skip


class _Cache:
    """Values read within `cached()`: by module and name, until the outermost one ends."""

    depth = 0
    values: dict[tuple[int, str], Any] = {}  # noqa: RUF012


@contextlib.contextmanager
def cached() -> Iterator[None]:
    """Within it every parametrized tensor is computed once, however often it is read."""
    _Cache.depth += 1
    try:
        yield
    finally:
        _Cache.depth -= 1
        if not _Cache.depth:
            _Cache.values = {}


def _register(module: Any, name: str, t: Any) -> None:
    if isinstance(t, Parameter):
        module.register_parameter(name, t)
    else:
        module.register_buffer(name, t)


def _kind(x: Any) -> str:
    return type(x).__name__


def _inverse(module: Any, value: Any) -> Any:
    try:
        return module.right_inverse(value)
    except NotImplementedError:
        return value


def _compare(
    before: Tensor, after: Any, what: str, names: tuple[str, str], flag: str = "unless the `unsafe` flag"
) -> None:
    """Raise if a parametrization changed dtype or shape."""
    for attribute in ("dtype", "shape"):
        old, new = getattr(before, attribute), getattr(after, attribute)
        if old != new:
            raise ValueError(
                f"{what.format(attribute)}, {flag} is enabled.\n"
                f"{names[0].format(attribute)}: {old}\n{names[1].format(attribute)}: {new}"
            )


class ParametrizationList(ModuleList):
    """The modules that compute one tensor, and what they compute it from: `original`, or `original0`, `original1` ..."""

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if not len(modules):
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        before = original.detach()
        new: Any = original
        with no_grad():
            for module in reversed(list(self)):
                if hasattr(module, "right_inverse"):
                    new = _inverse(module, new)
        several = isinstance(new, Sequence)
        wrong = "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
        if not (isinstance(new, Tensor) or several):
            raise ValueError(f"{wrong}Got {_kind(new)}")
        self.is_tensor = not several
        self.ntensors = len(new) if several else 1
        if several:
            for i, t in enumerate(new):
                if not isinstance(t, Tensor):
                    raise ValueError(f"{wrong}Got element {i} of the sequence with type {_kind(t)}.")
                if isinstance(original, Parameter):
                    t = Parameter(t, original.requires_grad)
                t.requires_grad_(original.requires_grad)
                _register(self, f"original{i}", t)
        else:
            if original.dtype != new.dtype:
                raise ValueError(
                    "When `right_inverse` outputs one tensor, it may not change the dtype.\n"
                    f"original.dtype: {original.dtype}\nright_inverse(original).dtype: {new.dtype}"
                )
            original.data = new.detach()
            _register(self, "original", original)
        if not unsafe:
            value = self()
            if not isinstance(value, Tensor):
                raise ValueError(f"A parametrization must return a tensor. Got {_kind(value)}.")
            _compare(
                before,
                value,
                "Registering a parametrization may not change the {} of the tensor",
                ("unparametrized {}", "parametrized {}"),
                "unless `unsafe` flag",
            )

    def right_inverse(self, value: Any) -> None:
        """Set the originals so that the parametrized tensor becomes `value`, by the modules' own right inverses."""
        with no_grad():
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(f"parametrization {_kind(module)} does not implement right_inverse.")
                value = module.right_inverse(value)
        if self.is_tensor:
            if not isinstance(value, Tensor):
                raise ValueError(f"`right_inverse` should return a tensor. Got {_kind(value)}")
            if value.dtype != self.original.dtype:
                raise ValueError(
                    f"The tensor returned by `right_inverse` has dtype {value.dtype} "
                    f"while `original` has dtype {self.original.dtype}"
                )
            self.original.data = value.detach()
            return
        if not isinstance(value, Sequence):
            raise ValueError(f"'right_inverse' must return a sequence of tensors. Got {_kind(value)}.")
        if len(value) != self.ntensors:
            raise ValueError(
                f"'right_inverse' must return a sequence of tensors of length {self.ntensors}. Got a sequence of length "
                f"{len(value)}."
            )
        for i, t in enumerate(value):
            original = getattr(self, f"original{i}")
            if not isinstance(t, Tensor):
                raise ValueError(
                    f"'right_inverse' must return a sequence of tensors or reference-type opaques. Got element {i} of type "
                    f"{_kind(t)}."
                )
            if t.dtype != original.dtype:
                raise ValueError(
                    f"Tensor {i} returned by `right_inverse` has dtype {t.dtype} while `original{i}` has dtype "
                    f"{original.dtype}"
                )
            original.data = t.detach()

    def originals(self) -> list[Any]:
        """What the first module is given."""
        return [self.original] if self.is_tensor else [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def forward(self) -> Any:
        first, *others = self
        value = first(*self.originals())
        for module in others:
            value = module(value)
        return value


# -- the class of a parametrized module --------------------------------------------------------------------------


def _refuse_state(self: Any) -> Any:
    raise RuntimeError(
        "Serialization of parametrized modules is only supported through state_dict(). See:\n"
        "https://pytorch.org/tutorials/beginner/saving_loading_models.html"
        "#saving-loading-a-general-checkpoint-for-inference-and-or-resuming-training"
    )


def _deepcopy(self: Any, memo: dict[int, Any]) -> Any:
    if id(self) not in memo:
        cls: Any = type(self)
        memo[id(self)] = twin = cls.__new__(cls)
        twin.__setstate__(copy.deepcopy(super(cls, self).__getstate__(), memo))
    return memo[id(self)]


def _own_class(module: Any) -> None:
    """Give the module a class of its own, to put properties on."""
    cls = type(module)
    members: dict[str, Any] = {"__getstate__": _refuse_state}
    if not hasattr(cls, "__deepcopy__"):
        members["__deepcopy__"] = _deepcopy
    module.__class__ = type(f"Parametrized{cls.__name__}", (cls,), members)


def _property(name: str) -> property:
    def read(self: Any) -> Any:
        if not _Cache.depth:
            return self.parametrizations[name]()
        key = (id(self), name)
        if key not in _Cache.values:
            _Cache.values[key] = self.parametrizations[name]()
        return _Cache.values[key]

    def write(self: Any, value: Any) -> None:
        self.parametrizations[name].right_inverse(value)

    return property(read, write)


# -- what users call ---------------------------------------------------------------------------------------------


def register_parametrization(module: Any, tensor_name: str, parametrization: Any, *, unsafe: bool = False) -> Any:
    """Let `module.<tensor_name>` be computed by `parametrization`, and by those registered before it. Returns the module.

    If it has a `right_inverse`, the value at registration becomes `right_inverse(value)`, and the tensor can be assigned
    to. A change of dtype or shape is refused unless `unsafe`.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            _check_chain(module, tensor_name, parametrization)
        chain = module.parametrizations[tensor_name]
        chain.append(parametrization)
        chain.unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        chain = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _own_class(module)
            module.parametrizations = ModuleDict()
        if hasattr(module, tensor_name):
            raise AssertionError(f"Module already has an attribute named '{tensor_name}'")
        setattr(type(module), tensor_name, _property(tensor_name))
        module.parametrizations[tensor_name] = chain
    else:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name '{tensor_name}'"
        )
    return module


def _check_chain(module: Any, name: str, parametrization: Any) -> None:
    """One more parametrization must keep dtype and shape, and so must its right inverse."""
    before = getattr(module, name)
    after = parametrization(before)
    if not isinstance(after, Tensor):
        raise ValueError(f"A parametrization must return a tensor. Got {_kind(after)}.")
    _compare(
        before,
        after,
        "Registering a parametrization may not change the {} of the tensor",
        (f"module.{name}.{{}}", f"parametrization(module.{name}).{{}}"),
    )
    if hasattr(parametrization, "right_inverse"):
        try:
            back = parametrization.right_inverse(after)
        except NotImplementedError:
            return
        if not isinstance(back, Tensor):
            raise ValueError(f"parametrization.right_inverse must return a tensor. Got: {_kind(back)}")
        _compare(
            before,
            back,
            f"The tensor returned by parametrization.right_inverse must have the same {{}} as module.{name}",
            (f"module.{name}.{{}}", "returned {}"),
        )


def is_parametrized(module: Any, tensor_name: str | None = None) -> bool:
    """Has the module parametrizations, of this tensor or of any?"""
    found = getattr(module, "parametrizations", None)
    if not isinstance(found, ModuleDict):
        return False
    return len(found) > 0 if tensor_name is None else tensor_name in found


def remove_parametrizations(module: Any, tensor_name: str, leave_parametrized: bool = True) -> Any:
    """Make the tensor an ordinary parameter again: with its present value, or (`leave_parametrized=False`) its original."""
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    chain = module.parametrizations[tensor_name]
    if chain.is_tensor:
        original = chain.original
        if leave_parametrized:
            with no_grad():
                original.data = getattr(module, tensor_name).detach()
    elif leave_parametrized:
        value = getattr(module, tensor_name)
        original = Parameter(value.detach()) if value.requires_grad else value
    else:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a "
            "sequence of tensors."
        )
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register(module, tensor_name, original)
    if not is_parametrized(module):
        del module.parametrizations
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Any) -> type:
    """The class that the module had, or still has."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(from_module: Any, to_module: Any, tensor_name: str | None = None) -> Any:
    """Give `to_module` the parametrizations of `from_module` (of one tensor, or all) and their originals. Returns it."""
    if is_parametrized(from_module):
        for name in from_module.parametrizations if tensor_name is None else [tensor_name]:
            source = from_module.parametrizations[name]
            if not hasattr(to_module, name):
                setattr(to_module, name, Parameter(getattr(from_module, name).detach()))
            for parametrization in source:
                register_parametrization(to_module, name, parametrization)
            target = to_module.parametrizations[name]
            for part in ["original"] if source.is_tensor else [f"original{i}" for i in range(source.ntensors)]:
                setattr(target, part, getattr(source, part))
    return to_module
