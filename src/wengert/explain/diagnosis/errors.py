"""`why_error(exc)`: an error of autograd explained: whose line, which tensor, what to write instead.

The engine's frames in the traceback still hold the node and the tensors it worked on, so nothing had to be noted
beforehand; what a trace has noted is used where there is one.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable
from typing import Any

from ...core.tensor import Tensor
from . import advice, reading
from .answer import Site, Why
from .freed import freed
from .graphless import no_grad_fn, unused
from .modified import changed_in_place
from .places import function_of, line_of_node, operation, rule_line
from .trail import Trail, step_of_node


def why_error(error: BaseException | None = None) -> Why:
    """Explain an exception that autograd raised; without one, the exception being handled, or the last one (interactively).

    `kind`: "freed", "in place", "not scalar", "no grad_fn", "unused", "shape", "leaf in place", "numpy", ...; "other" for an
    error that is not autograd's, of which only the line is told.
    """
    if error is None:
        error = sys.exception() or getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    if not isinstance(error, BaseException):
        raise TypeError("why_error(): argument 'error' must be an exception")
    trail = Trail(error)
    for pattern, explain in _KNOWN:
        if re.search(pattern, trail.message, re.DOTALL):
            why = explain(trail)
            break
    else:
        why = _other(trail)
    if why.line is None:
        why.line = trail.line
    return why


def _other(trail: Trail) -> Why:
    shown = trail.message.splitlines()[0] if trail.message else ""
    why = Why("other", f"{type(trail.error).__name__}: {shown}", line=trail.line, notes=trail.tensors())
    if isinstance(trail.error, NotImplementedError):
        node = trail.node()
        why.kind = "not implemented"
        if node is not None:
            found = step_of_node(node)
            why.sites.append(
                Site(f"{operation(node)} was called here", line_of_node(node, found[1] if found else None, trail.names))
            )
        why.advice = (
            "the message names what is missing: use the operation it suggests, or write the derivative in a "
            "torch.autograd.Function."
        )
    elif trail.raised_inside:
        why.advice = "the message says what this call does not take; the tensors on the line are listed above."
    else:
        deepest = trail.deepest
        if deepest is not None and trail.user is not None and deepest[0] is not trail.user[0]:
            frame, line, _ = deepest
            why.line = reading.code_at(frame.f_code.co_filename, line)
            why.sites.append(Site(f"raised in {frame.f_code.co_name}, which backward called", why.line))
        why.advice = "this error is the program's own and not autograd's."
    return why


def _not_scalar(trail: Trail) -> Why:
    held = trail.local("first_gradient", "out")
    out = held[0] if held is not None else None
    name = trail.names.of(out, "the result") if out is not None else "the result"
    shape = (
        f" has {out._array.size} elements (shape {tuple(out.shape)})" if out is not None else " has several elements"
    )
    if out is not None and out._array.dtype.kind == "c":
        return Why(
            "not scalar",
            f"{name} is complex: backward() starts by itself only from one real number.",
            line=trail.line,
            advice="make a real number of it first: .abs(), .real, or (z * z.conj()).real.",
        )
    rewrite = _summed(trail, name)
    return Why(
        "not scalar",
        f"{name}{shape}: the derivative of several numbers is no gradient but a matrix, and backward() starts by itself only "
        "from one number.",
        line=trail.line,
        advice="reduce it to one number first (sum or mean; a loss without reduction='none'), or give the vector of a "
        f"vector-Jacobian product: backward(gradient=torch.ones_like({name})).",
        rewrite=rewrite,
    )


def _summed(trail: Trail, name: str) -> list[str]:
    line = trail.line
    if line is None or f"{name}.backward(" not in line[2]:
        return []
    statement = reading.statement_at(line[0], line[1])
    text = ast.unparse(statement) if isinstance(statement, ast.Expr) else line[2]
    return [text.replace(f"{name}.backward(", f"{name}.sum().backward(")]


def _input_needs_none(trail: Trail) -> Why:
    held = trail.local("grad", "t") or trail.local("backward", "t")
    t = held[0] if held is not None else None
    name = trail.names.of(t, "one of the inputs") if isinstance(t, Tensor) else "one of the inputs"
    return Why(
        "requires_grad",
        f"{name} does not require grad, so nothing was recorded about it.",
        line=trail.line,
        advice=f"call {name}.requires_grad_() before it is used.",
    )


def _mismatch(trail: Trail) -> Why:
    held = trail.local("first_gradient", "out", "g")
    notes = []
    if held is not None and isinstance(held[0], Tensor) and isinstance(held[1], Tensor):
        out, g = held
        notes = [
            f"{trail.names.of(out, 'the output')}: {tuple(out.shape)} {out.dtype}",
            f"the gradient given for it{f' ({n})' if (n := trail.names.known(g)) else ''}: {tuple(g.shape)} {g.dtype}",
        ]
    return Why(
        "shape",
        "The gradient that backward is to start from must look like the result it is the gradient of.",
        line=trail.line,
        advice="give one number for each element of the result, of the same shape and kind: torch.ones_like(result), for "
        "example.",
        notes=notes,
    )


def _invalid_gradient(trail: Trail) -> Why:
    held = trail.local("conform", "g", "source", "node", "nr")
    source = held[1] if held is not None else trail.node()
    shown = trail.message.splitlines()[0]
    if source is None:
        return Why("shape", shown, line=trail.line)
    if source.user_code:
        return _function(
            trail, source, "a gradient must have the shape of the argument it belongs to: sum what was broadcast"
        )
    return Why("shape", shown, line=trail.line, advice="a hook has changed the gradient's shape; return the same one.")


def _function(trail: Trail, node: Any = None, change: str = "") -> Why:
    """A mistake in the user's own Function."""
    node = node if node is not None else trail.node()
    cls = function_of(node) or _function_called(trail.message.split(":")[0].removesuffix("Backward"))
    line = rule_line(cls)
    count = ""
    if cls is not None:
        try:
            takes = [p for p in inspect.signature(cls.forward).parameters if p != "ctx"]
            count = f"forward takes {len(takes)} arguments ({', '.join(takes)})"
        except (TypeError, ValueError):
            count = ""
    return Why(
        "function",
        trail.message.splitlines()[0],
        [Site(f"the backward of {cls.__name__}" if cls is not None else "a Function's backward", line, "function")],
        line or trail.line,
        (
            change
            or "backward returns one gradient for each argument of forward, in order, None for those that need none"
        )
        + ".",
        notes=[count] if count else [],
    )


def _function_called(name: str) -> Any:
    """The user's Function of a name, if there is just one."""
    from ...autograd import Function

    found = [c for c in Function.__subclasses__() if c.__name__ == name]
    return found[0] if len(found) == 1 else None


def _saved_intermediate(trail: Trail) -> Why:
    why = _function(
        trail, None, "compute the tensor again in backward from saved inputs, or return it from forward as well"
    )
    why.kind = "saved intermediate"
    return why


def _once(trail: Trail) -> Why:
    why = _function(
        trail, None, "take @once_differentiable away, if backward is made of differentiable operations, or do without the second "
        "derivative"
    )  # fmt: skip
    why.kind = "once differentiable"
    return why


def _leaf_in_place(trail: Trail) -> Why:
    held = trail.local("check_inplace", "t")
    name = trail.names.of(held[0], "the leaf") if held is not None else "the leaf"
    view = "view of a leaf" in trail.message
    line = trail.line
    rewrite = ["with torch.no_grad():", "    " + line[2]] if line is not None and line[2] else []
    return Why(
        "leaf in place",
        f"{name} is {'a view of ' if view else ''}a leaf that requires grad, and this line changes it in place: the old value, "
        "whose gradient is wanted, would be lost.",
        line=line,
        advice="if it is an update (a step of an optimizer, an initialisation) do it outside the graph, as below; if it is "
        f"part of the computation, work on a copy: y = {name}.clone().",
        rewrite=rewrite,
    )


def _view_in_place(trail: Trail) -> Why:
    return Why(
        "view in place",
        "This line changes a view in place that autograd cannot keep track of (made under no_grad, by an operation that gives "
        "several views, or by a Function).",
        line=trail.line,
        advice="change the base, or a copy: v = v.clone() before this line.",
        notes=[trail.message.splitlines()[0]],
    )


def _numpy(trail: Trail) -> Why:
    held = trail.local("numpy", "self")
    name = trail.names.of(held[0], "the tensor") if held is not None else "the tensor"
    line = trail.line
    rewrite = [line[2].replace(".numpy()", ".detach().numpy()")] if line is not None and ".numpy()" in line[2] else []
    return Why(
        "numpy",
        f"{name} requires grad, and NumPy would not record what it computes from it: the gradient would be lost in silence.",
        line=line,
        advice="if only the numbers are wanted (to print, to plot), detach first; if the result goes into the loss, use "
        "wengert's functions in place of NumPy's.",
        rewrite=rewrite,
    )


def _integer(trail: Trail) -> Why:
    line = trail.line
    return Why(
        "integer",
        "Whole numbers have no derivative: only floating-point and complex tensors can require grad.",
        line=line,
        advice="make it floating-point: write 1.0 instead of 1, dtype=torch.float32, or .float() before requires_grad_().",
    )


def _anomaly(trail: Trail) -> Why:
    node = trail.node()
    found = re.match(r"Function '(\w+?)(Backward\d*)?' returned (nan|inf)", trail.message)
    op = operation(node) if node is not None else found[1] if found else "the operation"
    line = line_of_node(node, None, trail.names) if node is not None else trail.line
    shown = trail.message.splitlines()
    going = "forward" if "going forward" in trail.message else "backward"
    return Why(
        "nan",
        shown[0],
        [Site(f"{op} made it, going {going}", line, op, [s.strip() for s in shown[1:8]])],
        line,
        advice.nan_advice(op) + ".",
        notes=["why_nan(loss), asked before backward, tells all places at once and follows up a `where`."],
    )


def _sizes(trail: Trail) -> Why:
    node = trail.node()
    why = Why("shape", trail.message.splitlines()[0], line=trail.line, notes=trail.tensors())
    if "cannot be multiplied" in trail.message or "matmul" in trail.message or "mat1" in trail.message:
        why.advice = (
            "a product (n, k) @ (k, m) needs the same k on both sides: transpose one factor (.T), or reshape it."
        )
    elif node is not None:
        why.advice = "a hook or Function has changed the shape of a gradient."
    else:
        why.advice = (
            "shapes are compared from the right, and sizes must be equal or 1: unsqueeze or reshape one of them, or check which "
            "dimension is the batch."
        )
    return why


_KNOWN: list[tuple[str, Callable[[Trail], Why]]] = [
    ("backward through the graph a second time|have already been freed", freed),
    ("modified by an inplace operation", changed_in_place),
    ("grad can be implicitly created only for", _not_scalar),
    ("does not require grad and does not have a grad_fn", no_grad_fn),
    ("appears to not have been used in the graph", unused),
    ("differentiated Tensors does not require grad|can't retain_grad on Tensor", _input_needs_none),
    ("Mismatch in (shape|dtype): grad_output|both grad_output and output", _mismatch),
    ("returned an invalid gradient at index", _invalid_gradient),
    ("second derivative was asked for, but backward uses", _saved_intermediate),
    ("once_differentiable", _once),
    ("returned an incorrect number of gradients|returned a gradient different than None at position", _function),
    ("leaf Variable that requires grad", _leaf_in_place),
    ("is being modified inplace", _view_in_place),
    (r"Can't call numpy\(\)", _numpy),
    ("floating point (and complex )?dtype can require gradients", _integer),
    (r"^Function '\w+' returned (nan|inf) values", _anomaly),
    (
        "must match the size of tensor|shapes cannot be multiplied|mat1 and mat2|broadcast|size mismatch|expected size",
        _sizes,
    ),
]
