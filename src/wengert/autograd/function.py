"""`Function`: an operation of the user's own, with a forward and a backward in Python.

Each call makes a node (a subclass of `Node` made for each Function) and the context that its methods get (see
`autograd.context`). Which values were inputs, outputs or something computed on the way (an intermediate) is settled when
the forward is over: see Note [Lost intermediates].

Note [Lost intermediates]
    The forward runs without recording. A tensor computed in it, saved, and used in backward is therefore a constant to
    a *second* derivative, though it depends on the inputs: PyTorch silently gives wrong numbers there. While a forward
    runs that will be recorded, `_Watch` follows what depends on the inputs; a saved tensor that does and is neither
    input nor output comes out of `saved_tensors`, when backward is itself recorded, hung on a `LostIntermediate` node.
    A gradient that arrives there is the mistake, and raises. A mask or a constant is never hung so.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.backward import as_gradient, as_tensor, materialise, modified_error
from ..core.forward_ad import attach, has_tangents, strip, tangent_at, tangent_level
from ..core.modes import LOCAL, Observer, set_mode
from ..core.node import FREED_MESSAGE, NO_EDGE, SEQUENCE, Node, leaf_edge
from ..core.op import LIST
from ..core.pytree import broadcast_to, describe, flatten, unflatten
from ..core.saved import Packed, SavedTensor, keep_tensor
from ..core.tensor import Tensor, wrap
from ..core.views import bump, check_creation, check_inplace, rebase, register_view
from .context import Context, FunctionCtx

__all__ = ["Function", "FunctionCtx", "VmapInfo", "once_differentiable"]


NO_CONTEXT = (
    "In order to use an autograd.Function with functorch transforms (vmap, grad, jvp, jacrev, ...), it must override the "
    "setup_context staticmethod. For more details, please see https://pytorch.org/docs/main/notes/extending.func.html"
)


class LostIntermediate(Node):
    """Where a second derivative would have to pass through a forward that was not recorded."""

    __slots__ = ("owner",)

    def __init__(self, owner: Node, t: Tensor) -> None:
        self.seq = next(SEQUENCE)
        self.extra = None
        self.freed = False
        self.shape, self.dtype = t._array.shape, t._array.dtype
        self.next = owner.next
        self.owner = owner.name()

    def run(self, g: Any, keep: bool) -> tuple[Any, ...]:
        raise RuntimeError(
            f"{self.owner}: a second derivative was asked for, but backward uses a tensor that forward computed from its "
            "inputs and saved without returning it. How it depends on the inputs was not recorded, so the result would be "
            "wrong (PyTorch returns it without a word). Compute the tensor again in backward from saved inputs, or return "
            "it as an output of forward; or mark backward with @once_differentiable."
        )

    run_recorded = run


class Error(Node):
    """What @once_differentiable hangs its results on."""

    __slots__ = ("results",)

    def __init__(self, t: Tensor, results: tuple[Any, ...], edges: tuple[Any, ...]) -> None:
        self.seq = next(SEQUENCE)
        self.extra = None
        self.freed = False
        self.shape, self.dtype = t._array.shape, t._array.dtype
        self.results = results
        self.next = (*results, *edges)

    @property
    def next_functions(self) -> tuple[Any, ...]:
        return self.results  # as PyTorch shows it; what they were computed from is there for the walk to come this way

    def run(self, g: Any, keep: bool) -> tuple[Any, ...]:
        raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")

    run_recorded = run


def _edge(t: Any) -> Any:
    return (t._edge or leaf_edge(t)) if isinstance(t, Tensor) and t._rg else NO_EDGE


def _hung(t: Tensor, node: Node) -> Tensor:
    """The same values, at another place in the graph."""
    alias = wrap(t._array)
    alias._vc = t._vc
    alias._rg, alias._edge = True, (node, 0)
    return alias


class Saved:
    """One tensor a Function saved: an input, output number `output`, or (`lost`) an intermediate."""

    __slots__ = ("counter", "lost", "output", "tangents", "value", "version")

    def __init__(self, node: Node, t: Tensor | None, output: int | None, lost: bool) -> None:
        self.output = output
        self.lost = lost
        self.counter = None
        self.version = 0
        self.tangents: dict[int, Any] | None = None  # of an output, in forward mode
        if t is not None:
            if t._vc is None:
                t._vc = [0, None]
            self.counter, self.version = t._vc, t._vc[0]
        self.value = keep_tensor(t, output)

    def unpack(self, node: Node) -> Tensor | None:
        value = self.value
        if value is None:
            return None
        if isinstance(value, Packed):
            return value.unpack(node)
        assert self.counter is not None
        if self.counter[0] != self.version:
            array = value if self.output is not None else value._array
            edge = (node, self.output) if self.output is not None else value._edge
            raise modified_error(array, self.counter, self.version, edge, node, "saved_tensors")
        if self.output is not None:
            t = wrap(value)
            t._vc = self.counter
            t._rg, t._edge = True, (node, self.output)
            if self.tangents:
                t.more().tangents = dict(self.tangents)
            return t
        if self.lost and LOCAL.grad:
            return _hung(value, LostIntermediate(node, value))
        return value


class BackwardCFunction(Node):
    """The node of a Function. A subclass, `<name>Backward`, is made for each."""

    user_code = True
    _forward_cls: Any

    def __init__(self) -> None:
        self.ctx = Context(self)
        self.seq = next(SEQUENCE)
        self.extra = None
        self.freed = False
        self.next = ()
        self.shape = None
        self.outs = ()
        self._kept: tuple[Saved, ...] = ()
        self._are_tensors: tuple[bool, ...] = ()
        self._lost: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<torch.autograd.function.{type(self).__name__} object at {hex(id(self))}>"

    def __getattr__(self, name: str) -> Any:
        ctx = self.__dict__.get("ctx")
        return ctx.__dict__[name] if ctx is not None and name in ctx.__dict__ else super().__getattr__(name)

    @property
    def own(self) -> dict[str, Any]:
        """What was set on this node itself."""
        return self.__dict__

    def operation(self) -> str:
        return self._forward_cls.__name__

    def output_meta(self, nr: int) -> Any:
        return self.outs[nr]

    # -- saved tensors ---------------------------------------------------------------------------------------------
    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        if self.freed:
            if getattr(self._forward_cls, "clear_saved_tensors_on_access", False) and self.__dict__.get("_accessed"):
                raise RuntimeError(
                    "saved_tensors can only be accessed once when clear_saved_tensors_on_access=True is set on the "
                    "autograd.Function. Either access saved_tensors only once, or set "
                    "clear_saved_tensors_on_access=False."
                )
            raise RuntimeError(FREED_MESSAGE)
        found = tuple(s.unpack(self) for s in self._kept)
        if self._forward_cls.clear_saved_tensors_on_access and self._kept:
            self._accessed = True
            self.release()
        return found

    @property
    def _raw_saved_tensors(self) -> tuple[SavedTensor, ...]:
        if self.freed:
            raise RuntimeError(FREED_MESSAGE)
        return tuple(SavedTensor(s, "value", self) for s in self._kept)

    def release(self) -> None:
        self._kept = ()
        self.freed = True

    # -- backward --------------------------------------------------------------------------------------------------
    def run(self, g: Any, keep: bool) -> tuple[Any, ...]:
        found = self._user_backward(g, False, False)
        if not keep:
            self.release()
        return tuple(as_gradient(x, False) for x in found)

    def run_recorded(self, g: Any, keep: bool) -> tuple[Any, ...]:
        attributes = self.ctx.__dict__
        originals = {name: attributes[name] for name in self._lost}
        for name, t in originals.items():
            attributes[name] = _hung(t, LostIntermediate(self, t))
        try:
            found = self._user_backward(g, LOCAL.grad, True)
        finally:
            attributes.update(originals)
        if not keep:
            self.release()
        return found

    def _user_backward(self, g: Any, create: bool, tensors: bool) -> tuple[Any, ...]:
        cls = self._forward_cls
        if cls.backward is not Function.backward and cls.vjp is not Function.vjp:
            raise RuntimeError(
                "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You should only implement "
                "one of them."
            )
        rule = cls.vjp if cls.vjp is not Function.vjp else cls.backward
        grads = [g] if self.n_outputs == 1 else [None] * self.n_outputs if g is None else list(g)
        given = [
            as_tensor(materialise(self, k, tensors) if x is None and self.ctx._materialize and self._wants[k] else x)
            for k, x in enumerate(grads)
        ]
        before = set_mode("grad", create)
        current, LOCAL.node = LOCAL.node, self
        try:
            result = rule(self.ctx, given) if cls.boxed_grads_call else rule(self.ctx, *given)
        finally:
            LOCAL.node = current
            set_mode("grad", before)
        return self._checked(result)

    def _checked(self, result: Any) -> tuple[Any, ...]:
        """One gradient for each tensor argument, from what the user's backward returned."""
        found = list(result) if isinstance(result, (tuple, list)) else [result]
        count = len(self._are_tensors)
        if len(found) > count and all(x is None for x in found[count:]):
            found = found[:count]
        name = self.name()
        if len(found) != count:
            raise RuntimeError(
                f"function {name} returned an incorrect number of gradients (expected {count}, got {len(found)})"
            )
        kept = []
        for i, (x, is_tensor) in enumerate(zip(found, self._are_tensors, strict=True)):
            if not is_tensor:
                if x is not None:
                    raise RuntimeError(
                        f"function {name} returned a gradient different than None at position {i + 1}, but the "
                        "corresponding forward input was not a Variable"
                    )
                continue
            if x is not None and not isinstance(x, Tensor):
                raise RuntimeError(f"expected Variable or None (got {type(x).__name__})")
            kept.append(x)
        return tuple(kept)


# -- following what depends on the inputs ---------------------------------------------------------------------------


def _memory(array: Any) -> Any:
    """The array that owns the memory: aliases of one tensor share it."""
    while isinstance(getattr(array, "base", None), np.ndarray):
        array = array.base
    return array


class _Watch(Observer):
    """Follows, while a forward runs, which memory holds values that depend differentiably on the inputs."""

    def __init__(self, inputs: tuple[Any, ...]) -> None:
        self.known: dict[Any, Any] = {}
        for t in inputs:
            if isinstance(t, Tensor) and t._rg:
                self.add(t)

    def add(self, t: Tensor) -> None:
        owner = _memory(t._array)
        self.known[id(owner)] = owner  # held, so that its identity is not given to another

    def depends(self, t: Any) -> bool:
        return isinstance(t, Tensor) and t._array.dtype.kind in "fcV" and id(_memory(t._array)) in self.known

    def recorded(self, op: Any, vals: Sequence[Any], outputs: Sequence[Any]) -> None:
        for p, v in zip(op.params, vals, strict=True):
            if not p.is_tensor or (op.joint is None and p.name not in op.rules):
                continue
            rule = op.rules.get(p.name)
            if rule is not None and rule.constant and rule.fn == 0:
                continue
            if any(self.depends(x) for x in (v if p.kind == LIST else (v,))):
                for t, d in zip(outputs, op.differentiable_among(outputs), strict=True):
                    if d:
                        self.add(t)
                return

    def changed(self, op: Any, vals: list[Any], target: Tensor) -> None:
        self.recorded(op, vals, [target])

    def applied(self, node: Any, args: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
        """A Function was applied inside."""
        if any(self.depends(a) for a in args):
            for t in outputs:
                if isinstance(t, Tensor):
                    self.add(t)


# -- Function --------------------------------------------------------------------------------------------------------


class FunctionMeta(type):
    """Makes the node class of each Function."""

    def __init__(cls, name: str, bases: tuple[type, ...], attributes: dict[str, Any]) -> None:
        cls._backward_cls = type(name + "Backward", (BackwardCFunction,), {"_forward_cls": cls})
        # The name its nodes have inside grad, vjp, vmap and the like.
        cls._generated_cls = type(name + "GeneratedBackward", (BackwardCFunction,), {"_forward_cls": cls})
        super().__init__(name, bases, attributes)


class VmapInfo(NamedTuple):
    """What a Function's `vmap` is told."""

    batch_size: int
    randomness: str


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
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run forward on the arguments and record it."""
        separate = cls.setup_context is not Function.setup_context
        if separate:
            args, kwargs = _bound(cls.forward, args, kwargs), {}
        if LOCAL.vmap_levels and any(isinstance(a, Tensor) and a._is_batched() for a in flatten(args)[0]):
            mapped = _mapped(cls, args, separate)
            if mapped is not NotImplemented:
                return mapped
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
        watch = _Watch(plain) if records else None
        before = set_mode("grad", False)
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
            set_mode("grad", before)
        outputs = raw if isinstance(raw, tuple) else (raw,)
        results = _hang(node, plain, outputs, records, versions)
        if watch is not None:
            _keep(node, plain, args, results, watch)
        for observer in observers:
            observer.applied(node, args, results)
        if level >= 0:
            results = _push(cls, node, args, plain, results, level)
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


def _hang(
    node: Any, args: tuple[Any, ...], outputs: tuple[Any, ...], records: bool, versions: dict[int, int]
) -> tuple[Any, ...]:
    """Make `node` the grad_fn of the outputs (which are changed, or replaced where they are inputs as they came)."""
    ctx = node.ctx
    dirty = _tensors(ctx.dirty_tensors, "mark_dirty can only accept variables, but argument ")
    constant = _tensors(ctx.non_differentiable, "mark_non_differentiable only accepts variable arguments, but got ")
    returned = {id(o) for o in outputs}
    if any(id(t) not in returned for t in dirty):
        raise RuntimeError(
            "Some elements marked as dirty during the forward method were not returned as output. The inputs that are "
            "modified inplace must all be outputs of the Function."
        )
    inputs = {id(a) for a in args if isinstance(a, Tensor)}
    for t in dirty:
        if id(t) not in inputs:
            message = (
                "ctx.mark_dirty() received a tensor that was not an input. Only input Tensors that have been mutated should be "
                "passed to ctx.mark_dirty()."
            )
            if t._is_view():
                raise RuntimeError(message)
            warnings.warn(message, UserWarning, stacklevel=4)
    fixed = {id(t) for t in constant}
    changed = {id(t) for t in dirty}
    pure = bool(getattr(ctx, "_is_pure_view", False))
    if pure and (len(inputs) != 1 or len(outputs) != 1):
        raise RuntimeError(
            "Pure view custom Function can only have one input Tensor and one output Tensor. Open an issue if you need to "
            "support more."
        )
    if records:
        node._are_tensors = tuple(isinstance(a, Tensor) for a in args)
        node.next = tuple(_edge(a) for a in args if isinstance(a, Tensor))
        node.outs = tuple(
            (o._array.shape, o._array.dtype) if isinstance(o, Tensor) else ((), np.dtype(np.float32)) for o in outputs
        )
        zeros = ctx._materialize_non_diff_grads
        node._wants = tuple(isinstance(o, Tensor) and (zeros or id(o) not in fixed) for o in outputs)
        node.n_outputs = len(outputs)
        if len(outputs) == 1:
            node.shape, node.dtype = node.outs[0]
        for t in dirty:
            _check_dirty(t, len(outputs))
    results = []
    for k, o in enumerate(outputs):
        if not isinstance(o, Tensor):
            results.append(o)
            continue
        if id(o) in changed and (o._vc[0] if o._vc is not None else 0) >= versions.get(id(o), 0):
            bump(o)
        if not records or id(o) in fixed or o._array.dtype.kind not in "fcV":
            if (o._rg or id(o) in inputs) and id(o) not in changed:
                o = o.detach()
            elif LOCAL.grad and o._is_view() and id(o) not in inputs:
                o._extra.creation = "custom_function"  # type: ignore[union-attr]
            results.append(o)
        elif id(o) in changed:
            if o._is_view():
                rebase(o, node)
            else:
                rebase(o, node, k)
            results.append(o)
        else:
            results.append(_output(node, o, k, id(o) in inputs, len(outputs), pure))
    return tuple(results)


def _tensors(given: Any, message: str) -> tuple[Any, ...]:
    found = given or ()
    for i, t in enumerate(found):
        if not isinstance(t, Tensor):
            raise TypeError(f"{message}{i} is of type {type(t).__name__}")
    return found


def _check_dirty(t: Tensor, n_outputs: int) -> None:
    if t._rg and t._edge is None and not t._is_view():
        raise RuntimeError("a leaf Variable that requires grad has been used in an in-place operation.")
    if t._is_view():
        check_creation(t)
        check_inplace(t, True)
        if n_outputs > 1:
            raise RuntimeError(
                "If your Function modifies inplace an input that is a view of another Tensor, your Function cannot return "
                "more than one Tensor. This is not supported by the current autograd engine. You should either make sure "
                "the input is not a view (using .clone() for example) or make your Function only return one Tensor "
                "(potentially splitting it into two Functions: one doing the inplace that returns a single Tensor and a "
                "second one that does the other operations). You can ask on the forum https://discuss.pytorch.org/ if you "
                "need help to do this change."
            )


def _output(node: Any, o: Tensor, k: int, is_input: bool, n_outputs: int, pure: bool) -> Tensor:
    if is_input:  # returned as it came: a view of it, for the Function's backward is not the input's
        base = o._base if o._is_view() else o
        if o._vc is None:
            o._vc = [0, None]
        source, o = o, wrap(o._array)
        o._vc = source._vc
        o.more().base = base
        register_view(o, o._vc or [0, None])
    if o._is_view():
        assert o._extra is not None
        o._extra.creation = None if pure else "custom_function"
        o._extra.multi_view = n_outputs > 1
    o._rg, o._edge = True, (node, k)
    return o


def _keep(node: Any, args: tuple[Any, ...], given: tuple[Any, ...], results: tuple[Any, ...], watch: _Watch) -> None:
    """Save what forward asked to be saved, now that it is known what is an output.

    `given` are the arguments with their tangents: in forward over reverse they are what backward must see.
    """
    ctx = node.ctx
    # A view that was changed: its grad_fn reads the base, which has the node.
    dirty = {id(t) for t in ctx.dirty_tensors or ()}
    places = {
        id(o): k
        for k, o in enumerate(results)
        if isinstance(o, Tensor) and o._edge is not None and (o._edge[0] is node or id(o) in dirty)
    }
    inputs = {id(a): b for a, b in zip(args, given, strict=True)}
    saved = []
    to_save, ctx.to_save = ctx.to_save, None  # also where a pack hook raises: no result may then be kept by its node
    for i, t in enumerate(to_save or ()):
        if t is not None and not isinstance(t, Tensor):
            raise TypeError(
                f"save_for_backward can only save variables, but argument {i} is of type {type(t).__name__}"
            )
        output = places.get(id(t)) if t is not None else None
        lost = t is not None and output is None and id(t) not in inputs and watch.depends(t)
        saved.append(Saved(node, inputs.get(id(t), t), output, lost))
    node._kept = tuple(saved)
    node._lost = tuple(
        name
        for name, t in ctx.__dict__.items()
        if isinstance(t, Tensor) and id(t) not in places and id(t) not in inputs and watch.depends(t)
    )


def _push(
    cls: Any, node: Any, args: tuple[Any, ...], plain: tuple[Any, ...], results: tuple[Any, ...], level: int
) -> tuple[Any, ...]:
    """Forward mode: the user's jvp gives the tangents of the outputs."""
    ctx = node.ctx
    given = []
    for a in args:
        t = tangent_at(a, level) if isinstance(a, Tensor) else None
        if t is None and isinstance(a, Tensor) and ctx._materialize and a._array.dtype.kind in "fcV":
            t = wrap(np.zeros(a._array.shape, a._array.dtype))
        given.append(t)
    versions = {id(t): t._version for t in given if t is not None}
    ctx._in_jvp = True
    try:
        pushed = cls.jvp(ctx, *given)
    finally:
        del ctx.__dict__["_in_jvp"]
    found = pushed if isinstance(pushed, tuple) else (pushed,)
    if len(found) != len(results):
        raise RuntimeError(
            f"{cls.__name__}.jvp returned {len(found)} tangents, but forward returned {len(results)} outputs"
        )
    constant = {id(t) for t in ctx.non_differentiable or ()}
    dirty = {id(t) for t in ctx.dirty_tensors or ()}
    sources = {id(p): (a, t) for p, a, t in zip(plain, args, given, strict=True) if isinstance(p, Tensor)}
    returned = list(results)
    for k, (o, t) in enumerate(zip(results, found, strict=True)):
        if t is None or not isinstance(o, Tensor):
            continue
        if id(o) in constant or o._array.dtype.kind not in "fcV":
            raise RuntimeError(
                f"Function's jvp returned a gradient at position {k}, but the corresponding forward output is not a "
                "differentiable Tensor. You should return None at that position instead."
            )
        if id(o) in dirty and id(o) in sources:
            dual, tangent = sources[id(o)]
            unchanged = t is not tangent or tangent is None or tangent._version == versions[id(t)]
            returned[k] = _changed_dual(o, t, dual, unchanged, level)
            continue
        if isinstance(t, Tensor):
            _check_view_tangent(o, t, given, plain)
        if not isinstance(t, Tensor):
            raise RuntimeError(f"expected Variable or None (got {type(t).__name__}) for grad output {k}.")
        if t._array.shape != o._array.shape:
            raise RuntimeError(
                "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not "
                f"supported. Tensor is of size {list(o.shape)} while the given forward gradient is of size "
                f"{list(t.shape)}."
            )
        attach(o, t, level)
    for saved in node._kept:
        if saved.output is not None:
            saved.tangents = returned[saved.output]._extra.tangents
    return tuple(returned)


def _changed_dual(o: Tensor, t: Any, dual: Tensor, unchanged: bool, level: int) -> Tensor:
    """An argument that forward changed in place (`o` is its primal): jvp must have changed its tangent likewise."""
    if unchanged:
        raise RuntimeError(
            "An inplace custom Function is not modifying the forward mode gradients inplace. If the forward is modifying an "
            "input inplace, then the jvp function must modify the corresponding gradient inplace."
        )
    if dual is not o:
        dual._array, dual._rg, dual._edge, dual._vc = o._array, o._rg, o._edge, o._vc
    return attach(dual, t, level)


def _check_view_tangent(o: Tensor, t: Tensor, given: list[Any], plain: tuple[Any, ...]) -> None:
    """Where forward returns a view of an argument, jvp must return that view of its tangent."""
    base = o._base
    if base is None:
        return
    of = [g for p, g in zip(plain, given, strict=True) if isinstance(p, Tensor) and (p is base or p._base is base)]
    if not of:
        return
    if not t._is_view():
        raise RuntimeError(
            "A custom Function's forward is returning a view (or an input as-is) but the jvp is not returning a view."
        )
    roots = [g._base if isinstance(g, Tensor) and g._is_view() else g for g in of]
    if not any(t._base is r for r in roots):
        raise RuntimeError(
            "A custom Function is returning a view but the jvp is not returning a view of "
            + ("the given grad input." if base._base is None and any(p is base for p in plain) else "the same base.")
        )


def _mapped(cls: Any, args: tuple[Any, ...], separate: bool) -> Any:
    """Apply under vmap; NotImplemented where forward may simply run on the batch."""
    if not separate:
        raise RuntimeError(NO_CONTEXT)
    own = cls.vmap is not Function.vmap
    more = "For more details, please see https://pytorch.org/docs/main/notes/extending.func.html"
    if cls.generate_vmap_rule:
        if own:
            raise RuntimeError(
                f"You tried to vmap over {cls.__name__}, but it has both generate_vmap_rule=True and an overridden vmap "
                "staticmethod. Please set generate_vmap_rule=False or delete the overridden vmap staticmethod to avoid "
                f"ambiguity. {more}"
            )
        return NotImplemented
    if not own:
        raise RuntimeError(
            f"You tried to vmap over {cls.__name__}, but it does not have vmap support. Please override and implement the "
            f"vmap staticmethod or set generate_vmap_rule=True. {more}"
        )
    from ..core.batched import is_at
    from ..func.vmap import from_examples, to_examples

    levels = LOCAL.vmap_levels
    level = levels[-1]
    leaves, spec = flatten(args)
    batched = [isinstance(a, Tensor) and is_at(a._array, level.number) for a in leaves]
    before = set_mode("vmap_levels", levels[:-1])
    try:
        if not any(batched):
            return cls.apply(*args)
        found = [level.given_for(a) if b else None for a, b in zip(leaves, batched, strict=True)]
        places = [(f[1] if f is not None else 0) if b else None for f, b in zip(found, batched, strict=True)]
        whole = [
            a if d is None else from_examples(a, d, level.number, level.size)
            for a, d in zip(leaves, places, strict=True)
        ]
        answer = cls.vmap(VmapInfo(level.size, level.randomness), unflatten(places, spec), *unflatten(whole, spec))
    finally:
        set_mode("vmap_levels", before)
    if not isinstance(answer, tuple) or len(answer) != 2:
        got = f"{len(answer)} returns" if isinstance(answer, tuple) else f"a {type(answer)}"
        raise RuntimeError(
            "Expected the vmap staticmethod to have two returns, an output and out_dims with pytree structure compatible "
            f"with the output. Got {got} instead"
        )
    result, out_dims = answer
    leaves, spec = flatten(result)
    out_places = broadcast_to(out_dims, spec)
    if out_places is None or any(isinstance(d, (tuple, list)) for d in out_places):
        raise RuntimeError(
            "The autograd.Function's vmap staticmethod returned an incompatible (output, out_dims) tuple. Expected "
            f"out_dims={out_dims} to be compatible with the structure of `output`. out_dims has structure "
            f"{describe(flatten(out_dims)[1])} but output has structure {describe(spec)}. {more}"
        )
    shown = [
        x if d is None or not isinstance(x, Tensor) else to_examples(x, d, level.number, level.size)
        for x, d in zip(leaves, out_places, strict=True)
    ]
    return unflatten(shown, spec)


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
            e for e in (*(ctx._node.next if isinstance(ctx, Context) else ()), *map(_edge, args)) if e[0] is not None
        )
        found = outputs if isinstance(outputs, tuple) else (outputs,)
        results = tuple(leaf_edge(wrap(t._array, True)) if isinstance(t, Tensor) else NO_EDGE for t in found)
        hung = tuple(_hung(t, Error(t, results, edges)) if isinstance(t, Tensor) and edges else t for t in found)
        return hung if isinstance(outputs, tuple) else hung[0]

    return wrapper


class InplaceFunction(Function):
    """A Function under an old name: `mark_dirty` says what forward changed in place."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


def __getattr__(name: str) -> Any:
    if name == "NestedIOFunction":
        raise NotImplementedError(
            "torch.autograd.function.NestedIOFunction is a relic that Wengert does not have. Subclass Function and give it "
            "tensors one by one."
        )
    raise AttributeError(f"module 'wengert.autograd.function' has no attribute {name!r}")
