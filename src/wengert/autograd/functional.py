"""Jacobians, Hessians and their products with vectors, of a function of tensors. `wengert.func` has them composable.

Here: the functions and what they check. Each differentiates at fresh places in the graph, so the `.grad` of the inputs is
never touched; with `create_graph` results are linked to inputs that require grad.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.backward import grad as engine_grad
from ..core.modes import LOCAL, set_mode
from ..core.tensor import Tensor, wrap
from . import grad as _grad

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


# -- inputs and outputs ----------------------------------------------------------------------------------------------


def _refuse_inside() -> None:
    """These functions are for tensors outside a transform, as in PyTorch; `func` has those that nest."""
    if LOCAL.transforms:
        LOCAL.transforms[-1].refuse("requires_grad_()")


def _as_tuple(given: Any, what: str, name: str) -> tuple[bool, tuple[Tensor, ...]]:
    """(was it a tuple?, the tensors). `what` is said in the error."""
    message = f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but the "
    single = not isinstance(given, tuple)
    found = (given,) if single else given
    for i, t in enumerate(found):
        if not isinstance(t, Tensor):
            place = f"given {what}" if single else f"value at index {i}"
            raise TypeError(f"{message}{place} has type {type(t)}.")
    return not single, found


class _Call:
    """One call of the user's function at fresh places; grad mode is on until `close`."""

    def __init__(self, func: Callable[..., Any], inputs: Any, create: bool, name: str) -> None:
        self.name = name
        self.create = create
        self.many_in, given = _as_tuple(inputs, "inputs", name)
        self.inputs = tuple(_place(t, create) for t in given)
        self.many_out, self.outputs = _as_tuple(func(*self.inputs), "outputs of the user-provided function", name)

    def single_value(self) -> None:
        if self.many_out:
            raise RuntimeError(f"The function given to {self.name} should return a single Tensor")
        if self.outputs[0]._array.size != 1:
            raise RuntimeError(
                f"The Tensor returned by the function given to {self.name} should contain a single element"
            )

    def vector(self, v: Any, like: tuple[Tensor, ...], many: bool, missing: str) -> tuple[Tensor, ...]:
        """`v`, checked against what it is multiplied with; 1 where that has one element."""
        if v is None:
            if len(like) != 1 or like[0]._array.size != 1:
                raise RuntimeError(f"The vector v can only be None if {missing} a single Tensor with a single element.")
            return (wrap(np.ones(like[0]._array.shape, like[0]._array.dtype)),)
        _, found = _as_tuple(v, "v", self.name)
        if len(found) != len(like):
            raise RuntimeError(
                f"v is a tuple of invalid length: should be {len(like)} but got {len(found)}."
                if many
                else "The given v should contain a single Tensor."
            )
        for i, (a, b) in enumerate(zip(found, like, strict=True)):
            if a._array.shape != b._array.shape:
                entry = f"Entry {i} in " if many else ""
                raise RuntimeError(f"{entry}v has invalid size: should be {b.size()} but got {a.size()}.")
        return tuple(_place(t, self.create, False) for t in found)

    def answer(self, product: tuple[Tensor, ...], many: bool) -> tuple[Any, Any]:
        outputs, product = self.finish(self.outputs), self.finish(product)
        return (outputs if self.many_out else outputs[0]), (product if many else product[0])

    def finish(self, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tensors if self.create else tuple(t.detach() for t in tensors)


def _place(t: Tensor, create: bool, wanted: bool = True) -> Tensor:
    if create and t._rg:
        return t.view_as(t)
    place = t.detach()
    if wanted and not place._rg:
        if place._array.dtype.kind not in "fcV":
            raise RuntimeError("only Tensors of floating point dtype can require gradients")
        place._rg = True
    return place


class _Recording:
    """Grad mode on, as these functions work also under `no_grad`."""

    def __enter__(self) -> None:
        self.before = set_mode("grad", True)

    def __exit__(self, *exc: Any) -> None:
        set_mode("grad", self.before)


# -- strict mode -----------------------------------------------------------------------------------------------------

_STRICT = "This is not allowed in strict mode."


def _require_grad(tensors: tuple[Any, ...], kind: str) -> None:
    """In strict mode everything must depend differentiably on the inputs."""
    for i, t in enumerate(tensors):
        if t is None:
            raise RuntimeError(f"The output of the user-provided function is independent of input {i}. {_STRICT}")
        if t._rg:
            continue
        if kind == "jacobian":
            raise RuntimeError(
                "While computing the hessian, found that the jacobian of the user-provided function with respect to input "
                f"{i} is independent of the input. {_STRICT} You should ensure that your function is twice differentiable "
                "and that the jacobian depends on the inputs (this would be violated by a linear function for example)."
            )
        if kind == "gradients":
            raise RuntimeError(
                f"The gradient with respect to input {i} is independent of the inputs of the user-provided function. "
                f"{_STRICT}"
            )
        raise RuntimeError(
            f"Output {i} of the user-provided function does not require gradients. The outputs must be computed in a "
            "differentiable manner from the input when running in strict mode."
        )


_MISSING = {
    "back": "The output of the user-provided function is independent of input {}. ",
    "back_trick": "The gradient with respect to the input is independent of entry {} in the grad_outputs when using the "
    "double backward trick to compute forward mode gradients. ",
    "double_back": "The jacobian of the user-provided function is independent of input {}. ",
}


def _zeros_for_none(
    grads: tuple[Any, ...], like: tuple[Tensor, ...], strict: bool, create: bool, stage: str
) -> tuple[Tensor, ...]:
    found = []
    for i, (g, t) in enumerate(zip(grads, like, strict=True)):
        if g is None:
            if strict:
                raise RuntimeError(_MISSING[stage].format(i) + _STRICT)
            g = wrap(np.zeros(t._array.shape, t._array.dtype))
        elif strict and create and not g._rg:
            which = "hessian" if stage == "double_back" else "jacobian"
            raise RuntimeError(
                f"The {which} of the user-provided function is independent of input {i}. This is not allowed in strict mode "
                "when create_graph=True."
            )
        found.append(g)
    return tuple(found)


def _gradients(
    outputs: tuple[Any, ...], inputs: tuple[Any, ...], cotangents: Any = None, create: bool = False, keep: Any = None
) -> tuple[Any, ...]:
    """Gradients, None for what does not depend; outputs that require no grad count as constants."""
    starts = cotangents if cotangents is not None else (None,) * len(outputs)
    pairs = [(o, v) for o, v in zip(outputs, starts, strict=True) if o is not None and o._rg]
    if not pairs:
        return (None,) * len(inputs)
    return engine_grad([o for o, _ in pairs], inputs, [v for _, v in pairs], keep, create, allow_unused=True)


# -- products --------------------------------------------------------------------------------------------------------


def vjp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """`(func(*inputs), v times the Jacobian)`: one gradient for each input, in one backward pass."""
    _refuse_inside()
    with _Recording():
        call = _Call(func, inputs, create_graph, "vjp")
        if strict:
            _require_grad(call.outputs, "outputs")
        vs = call.vector(v, call.outputs, call.many_out, "the user-provided function returns")
        found = _gradients(call.outputs, call.inputs, vs, create_graph)
        return call.answer(_zeros_for_none(found, call.inputs, strict, create_graph, "back"), call.many_in)


def jvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """`(func(*inputs), the Jacobian times v)`, by transposing the vjp; `wengert.func.jvp` does it forwards."""
    _refuse_inside()
    with _Recording():
        call = _Call(func, inputs, create_graph, "jvp")
        vs = call.vector(v, call.inputs, call.many_in, "the input to the user-provided function is")
        if strict:
            _require_grad(call.outputs, "outputs")
        probes = tuple(wrap(np.zeros(o._array.shape, o._array.dtype), True) for o in call.outputs)
        back = _gradients(call.outputs, call.inputs, probes, True)
        if strict:
            _require_grad(back, "gradients")
        found = _gradients(back, probes, vs, create_graph)
        return call.answer(_zeros_for_none(found, call.outputs, strict, create_graph, "back_trick"), call.many_out)


def _hessian_product(
    name: str, func: Callable[..., Any], inputs: Any, v: Any, create: bool, strict: bool
) -> tuple[Any, Any]:
    _refuse_inside()
    with _Recording():
        call = _Call(func, inputs, create, name)
        vs = call.vector(v, call.inputs, call.many_in, "the input to the user-provided function is")
        call.single_value()
        if strict:
            _require_grad(call.outputs, "outputs")
        jacobian = _gradients(call.outputs, call.inputs, None, True)
        if strict:
            _require_grad(jacobian, "jacobian")
        found = _gradients(jacobian, call.inputs, vs, create)
        return call.answer(_zeros_for_none(found, call.inputs, strict, create, "double_back"), call.many_in)


def vhp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """`(func(*inputs), v times the Hessian)` of a function with one number as its value."""
    return _hessian_product("vhp", func, inputs, v, create_graph, strict)


def hvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """`(func(*inputs), the Hessian times v)`. The Hessian is symmetric: it is computed as `vhp` is."""
    return _hessian_product("hvp", func, inputs, v, create_graph, strict)


# -- whole matrices --------------------------------------------------------------------------------------------------


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian, of shape `output.shape + input.shape`; a tuple of outputs gives a tuple, of inputs a tuple in that.

    `vectorize` computes all rows in one batched pass. `strategy="forward-mode"` goes by columns, and needs it.
    """
    _refuse_inside()
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your function has more outputs than '
            'inputs, "forward-mode" tends to be more performant. Otherwise, prefer to use "reverse-mode".'
        )
    if strategy == "forward-mode":
        return _forward_jacobian(func, inputs, create_graph, strict, vectorize)
    return _reverse_jacobian(func, inputs, create_graph, strict, vectorize)


def _reverse_jacobian(func: Callable[..., Any], inputs: Any, create_graph: bool, strict: bool, vectorize: bool) -> Any:
    with _Recording():
        call = _Call(func, inputs, create_graph, "jacobian")
        if strict:
            _require_grad(call.outputs, "outputs")
            if vectorize:
                raise RuntimeError(
                    "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not supported together. "
                    "Please either set `strict=False` or `vectorize=False`."
                )
        rows = _rows_at_once if vectorize else _rows_one_by_one
        found = tuple(call.finish(rows(call, o, strict)) for o in call.outputs)
    shown = tuple(r if call.many_in else r[0] for r in found)
    return shown if call.many_out else shown[0]


def _rows_one_by_one(call: _Call, out: Tensor, strict: bool) -> tuple[Tensor, ...]:
    from ..ops.joining import stack

    flat = out.reshape(-1)
    rows: list[tuple[Tensor, ...]] = []
    for j in range(out._array.size):
        found = _gradients((flat[j],), call.inputs, None, call.create, True)
        if strict and call.create:
            for i, g in enumerate(found):
                if g is not None and not g._rg:
                    raise RuntimeError(
                        f"The jacobian of the user-provided function is independent of input {i}. This is not allowed in "
                        "strict mode when create_graph=True."
                    )
        if strict and None in found:
            raise RuntimeError(
                f"Output {j} of the user-provided function is independent of input {found.index(None)}. {_STRICT}"
            )
        rows.append(_zeros_for_none(found, call.inputs, False, call.create, "back"))
    return tuple(
        stack([r[i] for r in rows]).reshape(tuple(out.shape) + tuple(t.shape))
        if rows
        else wrap(np.zeros(out._array.shape + t._array.shape, out._array.dtype))
        for i, t in enumerate(call.inputs)
    )


def _rows_at_once(call: _Call, out: Tensor, strict: bool) -> tuple[Tensor, ...]:
    n = out._array.size
    shapes = [tuple(out.shape) + tuple(t.shape) for t in call.inputs]
    if not out._rg or n == 0:
        return tuple(wrap(np.zeros(s, t._array.dtype)) for s, t in zip(shapes, call.inputs, strict=True))
    units = wrap(np.eye(n, dtype=out._array.dtype).reshape(n, *out._array.shape))
    found = _grad(out, call.inputs, units, True, call.create, allow_unused=True, is_grads_batched=True)
    return tuple(
        wrap(np.zeros(s, t._array.dtype)) if g is None else g.reshape(s)
        for g, s, t in zip(found, shapes, call.inputs, strict=True)
    )


def _construct_standard_basis_for(tensors: Sequence[Tensor], tensor_numels: Sequence[int]) -> tuple[Tensor, ...]:
    """The columns of one identity matrix, shared out to `tensors` in order: each gets its own, in its own dtype."""
    if len(tensors) != len(tensor_numels) or not tensors:
        raise ValueError("one number of elements for each tensor is needed, and at least one tensor")
    ends = np.cumsum(tensor_numels)
    unit = np.eye(int(ends[-1]))
    blocks = np.split(unit, ends[:-1], axis=1)
    return tuple(wrap(b.astype(t._array.dtype)) for b, t in zip(blocks, tensors, strict=True))


def _forward_jacobian(func: Callable[..., Any], inputs: Any, create: bool, strict: bool, vectorize: bool) -> Any:
    reason = (
        '`{}=True` and `strategy="forward-mode"` are not supported together (yet). Please either set `{}=False` or '
        '`strategy="reverse-mode"`.'
    )
    for on, name in ((create, "create_graph"), (strict, "strict")):
        if on:
            error = NotImplementedError if name == "create_graph" else RuntimeError
            raise error("torch.autograd.functional.jacobian: " + reason.format(name, name))
    if not vectorize:
        raise NotImplementedError(
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian isonly implemented for `vectorize=True`."
        )
    from ..func import jacfwd

    many_in, given = _as_tuple(inputs, "inputs", "jacobian")
    many_out = False

    def checked(*args: Any) -> Any:
        nonlocal many_out
        result = func(*args)
        many_out, _ = _as_tuple(result, "outputs of the user-provided function", "jacobian")
        return result

    found = jacfwd(checked, argnums=tuple(range(len(given))))(*(t.detach() for t in given))
    if many_in:
        return found
    return tuple(r[0] for r in found) if many_out else found[0]


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The Hessian of a function with one number as its value: the Jacobian of its gradient."""
    _refuse_inside()
    many_in, given = _as_tuple(inputs, "inputs", "hessian")
    if outer_jacobian_strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError('Expected strategy to be either "forward-mode" or "reverse-mode".')

    def value(*args: Any) -> Any:
        out = func(*args)
        many_out, found = _as_tuple(out, "outputs of the user-provided function", "hessian")
        if many_out:
            raise RuntimeError("The function given to hessian should return a single Tensor")
        if found[0]._array.size != 1:
            raise RuntimeError("The Tensor returned by the function given to hessian should contain a single element")
        if strict:
            _require_grad(found, "outputs")
        return out.squeeze()

    def gradient(*args: Any) -> Any:
        if outer_jacobian_strategy == "forward-mode":
            for t in args:
                t._rg = True  # dual numbers of our own making: a detached copy would lose the tangents
        found = _reverse_jacobian(value, args, True, False, False)
        if strict:
            _require_grad(found, "jacobian")
        return found

    result = jacobian(
        gradient, given, create_graph=create_graph, strict=strict, vectorize=vectorize, strategy=outer_jacobian_strategy
    )
    return result if many_in else result[0][0]
