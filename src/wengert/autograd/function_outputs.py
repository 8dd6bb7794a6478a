"""What becomes of a Function's outputs when its forward is over, and of what it asked to be saved.

Note [Lost intermediates].

Note [Lost intermediates]
    The forward runs without recording. A tensor computed in it, saved, and used in backward is therefore a constant to
    a *second* derivative, though it depends on the inputs: PyTorch silently gives wrong numbers there. While a forward
    runs that will be recorded, `Watch` follows what depends on the inputs; a saved tensor that does and is neither
    input nor output comes out of `saved_tensors`, when backward is itself recorded, hung on a `LostIntermediate` node.
    A gradient that arrives there is the mistake, and raises. A mask or a constant is never hung so.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.modes import LOCAL, Observer
from ..core.op import LIST
from ..core.tensor import Tensor, wrap
from ..core.views import bump, check_creation, check_inplace, rebase, register_view
from .function_node import Saved, edge

_NONE: frozenset[int] = frozenset()


def _memory(array: Any) -> Any:
    """The array that owns the memory: aliases of one tensor share it."""
    while isinstance(getattr(array, "base", None), np.ndarray):
        array = array.base
    return array


class Watch(Observer):
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


def hang(
    node: Any, args: tuple[Any, ...], outputs: tuple[Any, ...], records: bool, versions: dict[int, int], dual: bool
) -> tuple[Any, ...]:
    """Make `node` the grad_fn of the outputs (which are changed, or replaced where they are inputs as they came)."""
    ctx = node.ctx
    dirty = _tensors(ctx.dirty_tensors, "mark_dirty can only accept variables, but argument ")
    constant = _tensors(ctx.non_differentiable, "mark_non_differentiable only accepts variable arguments, but got ")
    if dirty and not {id(t) for t in dirty} <= {id(o) for o in outputs}:
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
    fixed = {id(t) for t in constant} if constant else _NONE
    changed = {id(t) for t in dirty} if dirty else _NONE
    pure = bool(ctx._is_pure_view)
    if pure and (len(inputs) != 1 or len(outputs) != 1):
        raise RuntimeError(
            "Pure view custom Function can only have one input Tensor and one output Tensor. Open an issue if you need to "
            "support more."
        )
    if records:
        node._are_tensors = tuple(isinstance(a, Tensor) for a in args)
        node.next = tuple(edge(a) for a in args if isinstance(a, Tensor))
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
            if id(o) in inputs and dual and id(o) not in changed and not records:
                o = o.view_as(o)  # what jvp returns for it must be a view as well
            elif o._rg and id(o) not in changed:
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


def keep(node: Any, args: tuple[Any, ...], given: tuple[Any, ...], results: tuple[Any, ...], watch: Watch) -> None:
    """Save what forward asked to be saved, now that it is known what is an output.

    `given` are the arguments with their tangents: in forward over reverse they are what backward must see.
    """
    ctx = node.ctx
    to_save, ctx.to_save = ctx.to_save, None  # also where a pack hook raises: no result may then be kept by its node
    own = [(name, t) for name, t in ctx.__dict__.items() if isinstance(t, Tensor)]
    if not to_save and not own:
        return
    # A view that was changed: its grad_fn reads the base, which has the node.
    dirty = {id(t) for t in ctx.dirty_tensors or ()}
    places = {
        id(o): k
        for k, o in enumerate(results)
        if isinstance(o, Tensor) and o._edge is not None and (o._edge[0] is node or id(o) in dirty)
    }
    inputs = {id(a): b for a, b in zip(args, given, strict=True)}
    saved = []
    for i, t in enumerate(to_save or ()):
        if t is not None and not isinstance(t, Tensor):
            raise TypeError(
                f"save_for_backward can only save variables, but argument {i} is of type {type(t).__name__}"
            )
        output = places.get(id(t)) if t is not None else None
        lost = t is not None and output is None and id(t) not in inputs and watch.depends(t)
        saved.append(Saved(node, inputs.get(id(t), t), output, lost))
    node._kept = tuple(saved)
    node._lost = tuple(name for name, t in own if id(t) not in places and id(t) not in inputs and watch.depends(t))
