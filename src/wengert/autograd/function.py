"""`Function`: an operation of the user's own, with a forward and a backward in Python.

Each call makes a node (`function_node`) and the context that its methods get (`context`); what was an input, an output or
something computed on the way is settled when the forward is over (`function_outputs`). Forward mode and vmap: `function_modes`.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

from ..core.forward_ad import has_tangents, strip, tangent_level
from ..core.modes import LOCAL, set_mode
from ..core.node import NO_EDGE, leaf_edge
from ..core.pytree import flatten
from ..core.tensor import Tensor, wrap
from .context import Context, FunctionCtx
from .function_modes import NO_CONTEXT, VmapInfo, mapped, push
from .function_node import BackwardCFunction, Error, edge, hung
from .function_outputs import Watch, hang, keep

__all__ = ["Function", "FunctionCtx", "VmapInfo", "once_differentiable"]


# -- Function --------------------------------------------------------------------------------------------------------


class FunctionMeta(type):
    """Makes the node class of each Function."""

    def __init__(cls, name: str, bases: tuple[type, ...], attributes: dict[str, Any]) -> None:
        cls._backward_cls = type(name + "Backward", (BackwardCFunction,), {"_forward_cls": cls})
        # The name its nodes have inside grad, vjp, vmap and the like.
        cls._generated_cls = type(name + "GeneratedBackward", (BackwardCFunction,), {"_forward_cls": cls})
        super().__init__(name, bases, attributes)


class Function(metaclass=FunctionMeta):
    """Subclass it with a static `forward` and `backward`; call `YourFunction.apply(...)`.

    `forward(ctx, *args)` or, with `setup_context(ctx, inputs, output)`, `forward(*args)`. `backward(ctx, *grads)` gets a
    gradient for each output and returns one for each argument (None for what is no tensor). `jvp(ctx, *tangents)` is
    forward mode. Only tensors given as arguments themselves are tracked, not those in lists.
    """

    generate_vmap_rule = False
    clear_saved_tensors_on_access = False
    boxed_grads_call = False
    _backward_cls: Any
    _generated_cls: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warnings.warn(
            f"{self.__class__} should not be instantiated. Methods on autograd functions are all static, so you should "
            "invoke them on the class itself. Instantiating an autograd function will raise an error in a future version "
            "of PyTorch.",
            DeprecationWarning,
            stacklevel=2,
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use new-style autograd function "
            "with static forward method. (Example: https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function)"
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the outputs. Yours to override."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Save for backward, where forward does not get `ctx`. Yours to override."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Gradients of the arguments from those of the outputs. Yours to override."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with "
            "backward mode AD."
        )

    vjp = backward

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """Tangents of the outputs from those of the arguments. Yours to override."""
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with forward mode AD."
        )

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *args: Any) -> Any:
        """How the Function is mapped over a batch. Yours to override."""
        raise NotImplementedError(
            "To use autograd.Function with vmap, you must either override the vmap staticmethod or set "
            "generate_vmap_rule=True."
        )

    @classmethod
    def overrides(cls, name: str) -> bool:
        """Has the user written this method?"""
        return getattr(cls, name) is not getattr(Function, name)

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run forward on the arguments and record it."""
        separate = cls.overrides("setup_context")
        if separate:
            args, kwargs = _bound(cls.forward, args, kwargs), {}
        if LOCAL.vmap_levels and any(isinstance(a, Tensor) and a._is_batched() for a in flatten(args)[0]):
            result = mapped(cls, args, separate)
            if result is not NotImplemented:
                return result
        if LOCAL.transforms and not separate:
            raise RuntimeError(NO_CONTEXT)
        node = cls._generated_cls() if LOCAL.transforms else cls._backward_cls()
        ctx = node.ctx
        ctx.needs_input_grad = tuple(isinstance(a, Tensor) and a._rg for a in args)
        records = LOCAL.grad and any(ctx.needs_input_grad)
        level = -1
        plain = args
        if LOCAL.dual_level >= 0 and has_tangents(list(args)):
            level = max(tangent_level(a) for a in args)
            plain = tuple(strip(a, level) for a in args)
        versions = {id(a): a._vc[0] if a._vc is not None else 0 for a in plain if isinstance(a, Tensor)}
        watch = Watch(plain) if records else None
        began = perf_counter_ns() if LOCAL.observers else 0
        before = set_mode("grad", False)
        pushing, LOCAL.push = LOCAL.push, False
        observers = set_mode("observers", (*LOCAL.observers, watch)) if watch is not None else LOCAL.observers
        try:
            if separate:
                raw = cls.forward(*plain)
                cls.setup_context(ctx, plain, raw)
                _check_returned(ctx, plain, raw)
            else:
                raw = cls.forward(ctx, *plain, **kwargs)
        finally:
            set_mode("observers", observers)
            LOCAL.push = pushing
            set_mode("grad", before)
        outputs = raw if isinstance(raw, tuple) else (raw,)
        results = hang(node, plain, outputs, records, versions, level >= 0)
        if watch is not None:
            keep(node, plain, args, results, watch)
        if began:
            LOCAL.began = began
        for observer in observers:
            observer.applied(node, args, results)
        if level >= 0:
            results = push(cls, node, args, plain, results, level)
        ctx.dirty_tensors = ctx.non_differentiable = None  # an output among them would hold its own node
        if records and LOCAL.anomaly is not None:
            LOCAL.anomaly.made(node, list(args), list(results))
        return results if isinstance(raw, tuple) else results[0]


def _bound(forward: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """All arguments by position, defaults included."""
    bound = inspect.signature(forward).bind(*args, **kwargs)
    bound.apply_defaults()
    if bound.kwargs and LOCAL.transforms:
        raise NotImplementedError(
            "Run vmap on autograd.Function with kwarg-only Tensor args. Please do not pass kwarg-only Tensors to "
            f"autograd.Function. Got: {bound.kwargs}"
        )
    if bound.kwargs:
        raise TypeError(
            f"forward() got an unexpected keyword argument '{next(iter(bound.kwargs))}': keyword-only arguments of a Function "
            "with setup_context are not passed on; make them positional ones with defaults"
        )
    return bound.args


def _check_returned(ctx: Any, args: tuple[Any, ...], raw: Any) -> None:
    """Refuse to save an argument that forward returned as it came: what is saved would not be told from the output."""
    dirty = {id(t) for t in ctx.dirty_tensors or ()}
    outputs = {id(o) for o in (raw if isinstance(raw, tuple) else (raw,))}
    same = {id(a) for a in args if isinstance(a, Tensor)} & outputs - dirty
    if any(id(t) in same for t in (*(ctx.to_save or ()), *(ctx.saved_for_forward or ()))):
        raise RuntimeError(
            "An input that has been returned as-is as output is being saved for backward. This is not supported if you "
            "override setup_context. You should return and save a view of the input instead, e.g. with x.view_as(x) or "
            "setup ctx inside the forward function itself."
        )


# -- once_differentiable ----------------------------------------------------------------------------------------------


def once_differentiable(fn: Callable[..., Any]) -> Callable[..., Any]:
    """For a backward that cannot be differentiated again: a second derivative raises instead of being wrong."""

    @functools.wraps(fn)
    def wrapper(ctx: Any, *args: Any) -> Any:
        before = set_mode("grad", False)
        try:
            outputs = fn(ctx, *args)
        finally:
            set_mode("grad", before)
        if not before:
            return outputs
        # Also where no incoming gradient requires grad: what was saved may, and the second derivative would be wrong.
        edges = tuple(
            e for e in (*(ctx._node.next if isinstance(ctx, Context) else ()), *map(edge, args)) if e[0] is not None
        )
        found = outputs if isinstance(outputs, tuple) else (outputs,)
        results = tuple(leaf_edge(wrap(t._array, True)) if isinstance(t, Tensor) else NO_EDGE for t in found)
        linked = tuple(hung(t, Error(t, results, edges)) if isinstance(t, Tensor) and edges else t for t in found)
        return linked if isinstance(outputs, tuple) else linked[0]

    return wrapper


class InplaceFunction(Function):
    """A Function under an old name: `mark_dirty` says what forward changed in place."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


_SingleLevelFunction = Function  # PyTorch keeps the part that no transform looks into apart


def custom_function_call(cls: type[Function], *args: Any, **kwargs: Any) -> Any:
    """`cls.apply(*args)`, by the name that PyTorch's transforms call it."""
    return cls.apply(*args, **kwargs)


def __getattr__(name: str) -> Any:
    if name == "NestedIOFunction":
        raise NotImplementedError(
            "torch.autograd.function.NestedIOFunction is a relic that Wengert does not have. Subclass Function and give it "
            "tensors one by one."
        )
    raise AttributeError(f"module 'wengert.autograd.function' has no attribute {name!r}")
