"""Modules as functions of their state, which is a tuple: the forms that `torch.func.functional_call` came after."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from ..func.functional_call import functional_call, stack_module_state
from ..nn.modules.module import Module


def _warn(name: str, successor: str) -> None:
    from . import moved

    moved(name, successor)


class FunctionalModuleWithBuffers(Module):
    """`f(params, buffers, *args)`: the module's forward with this state in the order of its names. Tied names share a tensor."""

    def __init__(self, model: Module) -> None:
        super().__init__()
        self.stateless_model = model
        self.param_names = tuple(name for name, _ in model.named_parameters())
        self.buffer_names = tuple(name for name, _ in model.named_buffers())

    def forward(self, params: Sequence[Any], buffers: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
        names = (*self.param_names, *self.buffer_names)
        state = dict(zip(names, (*params, *buffers), strict=True))
        return functional_call(self.stateless_model, state, args, kwargs)


class FunctionalModule(FunctionalModuleWithBuffers):
    """`f(params, *args)`: the same for a module without buffers."""

    def forward(self, params: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
        return super().forward(params, (), *args, **kwargs)


def _state(model: Module, disable_autograd_tracking: bool) -> tuple[Module, tuple[Any, ...], tuple[Any, ...]]:
    """A copy of the module, and the parameters and buffers of another one."""
    source = copy.deepcopy(model)
    if disable_autograd_tracking:
        source.requires_grad_(False)
    return copy.deepcopy(model), tuple(source.parameters()), tuple(source.buffers())


def make_functional(model: Module, disable_autograd_tracking: bool = False) -> tuple[FunctionalModule, tuple[Any, ...]]:
    """The module as `f(params, *args)`, and its parameters. RuntimeError if it has buffers."""
    _warn("make_functional", "torch.func.functional_call")
    if next(iter(model.buffers()), None) is not None:
        raise RuntimeError(
            "make_functional(model): `model` has buffers. Please use make_functional_with_buffers(model) instead."
        )
    copied, params, _ = _state(model, disable_autograd_tracking)
    return FunctionalModule(copied), params


def make_functional_with_buffers(
    model: Module, disable_autograd_tracking: bool = False
) -> tuple[FunctionalModuleWithBuffers, tuple[Any, ...], tuple[Any, ...]]:
    """The module as `f(params, buffers, *args)`, its parameters and its buffers."""
    _warn("make_functional_with_buffers", "torch.func.functional_call")
    copied, params, buffers = _state(model, disable_autograd_tracking)
    return FunctionalModuleWithBuffers(copied), params, buffers


def combine_state_for_ensemble(
    models: Sequence[Module],
) -> tuple[FunctionalModuleWithBuffers, tuple[Any, ...], tuple[Any, ...]]:
    """Modules of one architecture as `f(params, buffers, *args)`, with their parameters and buffers stacked: for `vmap`."""
    _warn("combine_state_for_ensemble", "torch.func.stack_module_state")
    try:
        params, buffers = stack_module_state(models)
    except RuntimeError as error:
        raise RuntimeError(str(error).replace("stack_module_state", "combine_state_for_ensemble")) from None
    return FunctionalModuleWithBuffers(copy.deepcopy(models[0])), tuple(params.values()), tuple(buffers.values())
