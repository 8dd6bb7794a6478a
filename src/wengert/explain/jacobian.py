"""The local Jacobian of one step: the matrix that its rule multiplies by, found by giving the rule unit vectors.

Backward never makes this matrix. Row k is what the node's own `run` gives for a gradient of 1 at element k of the result;
the product of its transpose with the gradient of the pass is compared with what the engine gave.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from ..core.tensor import Tensor
from .again import block_of, place_of, pull, value_of
from .cards import _term_rule
from .export import _nested, _number, tex_array
from .ledger import Block, Ledger, Term, operation
from .notation import number, text
from .numbers import shape_text, shot_text
from .part import Part
from .recording import Shot, Value
from .rules import rule_of
from .screen import rename

MATRIX = 4096  # elements: up to here the whole matrix is made
SHOWN = 12  # rows and columns that are printed
LOOKED_AT = 8  # rows of a larger one, from which its structure is told


class LocalJacobian(Part):
    """∂(result)/∂(argument) of one step, with the kind of matrix it is."""

    def __init__(self, ledger: Ledger, of: Any, argument: Any = None) -> None:
        self.block: Block = block_of(ledger, of)
        self.terms: list[Term] = _arguments(self.block, argument)
        self.target = self.terms[0].target
        step = self.block.step
        came = [k for k, g in enumerate(self.block.gradient) if g is not None]
        named = None if isinstance(of, (int, Block)) else value_of(ledger, of)
        chosen = [k for k in came if named is None or self.block.outputs[k] is named]
        if len(chosen) != 1:
            names = ", ".join(self.block.outputs[k].name or "?" for k in came)
            raise ValueError(f"step {step.number} {operation(step)} has several results, say of which: {names}")
        self.nr = chosen[0]
        self.alone = len(came) == 1
        self.out = self.block.outputs[self.nr]
        self.meta_out = self.block.ran.node.output_meta(self.nr)
        target, nr = self.block.ran.node.next[self.block.places[place_of(self.block, self.terms[0])]]
        self.meta_in = target.output_meta(nr)
        if "c" in (self.meta_out[1].kind, self.meta_in[1].kind):
            raise NotImplementedError(
                f"jacobian() of {operation(step)} on complex numbers, where it is no complex matrix in general; use "
                "torch.view_as_real, or torch.autograd.functional.jacobian"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Elements of the result, elements of the argument."""
        return math.prod(self.meta_out[0]), math.prod(self.meta_in[0])

    def row(self, k: int) -> Any:
        """The derivatives of element k of the result."""
        unit = np.zeros(self.shape[0], self.meta_out[1])
        unit[k] = 1
        return self.times(unit.reshape(self.meta_out[0]))

    def times(self, g: Any) -> Any:
        """The transposed matrix times `g`, by the rule: without the matrix."""
        gradients = [None] * len(self.block.outputs)
        gradients[self.nr] = g
        found = pull(self.block, gradients)
        mine = [found[place_of(self.block, t)] for t in self.terms]
        total = sum((x for x in mine if x is not None), np.zeros(self.meta_in[0], self.meta_in[1]))
        return np.asarray(total).reshape(-1)

    @functools.cached_property
    def matrix(self) -> Any:
        """The whole matrix, one row for each element of the result."""
        rows, columns = self.shape
        if rows * columns > MATRIX:
            raise ValueError(
                f"this Jacobian has {rows} × {columns} elements, more than {MATRIX}; `.row(k)` gives one row, "
                "`.times(g)` its transpose times a gradient, `.structure` what kind of matrix it is"
            )
        return np.stack([self.row(k) for k in range(rows)]) if rows else np.zeros((0, columns))

    @property
    def small(self) -> bool:
        return math.prod(self.shape) <= MATRIX

    @functools.cached_property
    def structure(self) -> str:
        """What kind of matrix it is: told from its elements, or for a large one from some of its rows."""
        if self.small:
            return structure_of(self.matrix)
        rows, columns = self.shape
        some = np.linspace(0, rows - 1, min(rows, LOOKED_AT)).astype(int)
        found = [self.row(int(k)) for k in some]
        counts = [int(np.count_nonzero(r)) for r in found]
        looked = f"{len(some)} of {rows} rows looked at"
        if rows == columns and all(
            c <= 1 and (c == 0 or r[k] != 0) for k, r, c in zip(some, found, counts, strict=True)
        ):
            return f"diagonal ({looked})"
        if max(counts) <= columns // 2:
            return f"sparse: at most {max(counts)} of {columns} elements in a row are not 0 ({looked})"
        return f"dense ({looked})"

    @functools.cached_property
    def agreement(self) -> float | None:
        """The largest difference between Jᵀ·∇out, multiplied out, and what the engine gave. None if it was not kept."""
        g, given = self.block.gradient[self.nr], self._given
        if g is None or not g.whole or given is None or not self.small or not self.alone:
            return None
        product = self.matrix.T @ np.asarray(g.array).reshape(-1)
        return float(np.abs(product - given.reshape(-1)).max(initial=0))

    @property
    def _given(self) -> Any:
        """What the engine gave to the argument along this step, if it was kept."""
        values = [t.value for t in self.terms]
        if any(v is None or not v.whole for v in values):
            return None
        return np.asarray(sum(v.array for v in values if v is not None))

    @functools.cached_property
    def factor(self) -> str | None:
        """Of an elementwise step, the partial derivative as a formula; it is what stands on the diagonal."""
        return None if len(self.terms) > 1 else factor(self.block, self.terms[0])

    @property
    def rule(self) -> str:
        return " + ".join(_term_rule(self.block, t) for t in self.terms)

    @property
    def title(self) -> str:
        step = self.block.step
        rows, columns = self.shape
        return (
            f"step {step.number} {operation(step)}: ∂{self.out.name}/∂{self.target.name} is "
            f"{rows} × {columns}, {self.structure}"
        )

    @property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]
        if not self._printed:
            return ()
        name = self.target.name or "?"
        return ("", *(_element(name, self.meta_in[0], k) for k in range(self.shape[1])))

    @property
    def _printed(self) -> bool:
        return self.small and max(self.shape) <= SHOWN

    def rows(self) -> list[list[str]]:
        if not self._printed:
            return []
        name = self.out.name or "?"
        return [
            [_element(name, self.meta_out[0], k), *(number(x) for x in row)]
            for k, row in enumerate(self.matrix.tolist())
        ]

    def remarks(self) -> list[str]:
        name, out = self.target.name, self.out.name
        said = [f"the rule, which never makes this matrix: ∇{name} = {self.rule}"]
        if self.factor is not None:
            said.append(f"the partial derivative: ∂{out}/∂{name} = {self.factor}")
        if self.agreement is not None:
            said.append(
                f"Jᵀ · ∇{out} = {shot_text(Shot(self._given))}: differs from the engine's ∇{name} by {self.agreement:.2g}"
            )
        return said

    def _repr_latex_(self) -> str:
        from .latex import tex_name

        left = rf"\frac{{\partial {tex_name(self.out.name or '?')}}}{{\partial {tex_name(self.target.name or '?')}}}"
        if not self._printed:
            return rf"$${left} \in \mathbb R^{{{self.shape[0]} \times {self.shape[1]}}}$$"
        return f"$${left} = {tex_array(self.matrix)}$$"

    def to_data(self) -> dict[str, Any]:
        return {
            "step": self.block.step.number,
            "of": self.out.name,
            "with_respect_to": self.target.name,
            "shape": list(self.shape),
            "structure": self.structure,
            "matrix": _nested(self.matrix) if self.small else None,
            "rule": self.rule,
            "partial": self.factor,
            "differs_by": None if self.agreement is None else _number(self.agreement),
        }


def _element(name: str, shape: tuple[int, ...], k: int) -> str:
    index = ", ".join(map(str, np.unravel_index(k, shape))) if shape else ""
    return f"{name}[{index}]" if shape else name


def _arguments(block: Block, argument: Any) -> list[Term]:
    """The terms that go to one argument: given by the row's name of it, by its own name, as a Tensor, or the only one."""
    if not block.terms:
        raise ValueError(f"step {block.step.number} {operation(block.step)} hands no gradient on")
    names = ", ".join(f"{t.argument} ({t.target.name})" for t in block.terms)
    if argument is None:
        if len({id(t.target) for t in block.terms}) > 1:
            raise ValueError(f"step {block.step.number} has several arguments, say which: {names}")
        return block.terms
    found = [
        t
        for t in block.terms
        if argument is t.target or (isinstance(argument, str) and argument == t.target.name) or _is(t.target, argument)
    ]
    found = found or [t for t in block.terms if isinstance(argument, str) and argument == t.argument]
    if not found:
        raise KeyError(f"step {block.step.number} hands no gradient to {argument!r}; it has: {names}")
    return found


def _is(value: Value, x: Any) -> bool:
    return isinstance(x, Tensor) and value.tensor is not None and value.tensor() is x


def factor(block: Block, term: Term) -> str | None:
    """The partial derivative of an elementwise step as a formula: its rule, called with 1 for the gradient."""
    node = block.ran.node
    if getattr(node, "op", None) is None or node.op.kind != "elementwise" or getattr(node, "variant", None) is None:
        return None
    outs = [node.output_meta(k) for k in range(node.n_outputs)]
    try:
        rules = rule_of(type(node), block.saved_symbols(), node.next, outs, [1])
        return text(rules[block.places[place_of(block, term)]], rename(block))
    except Exception:  # a mask that wants an array: the rule as it stands says it
        return None


# -- structure ---------------------------------------------------------------------------------------------------------


def structure_of(m: Any) -> str:
    """The kind of a matrix, in words."""
    rows, columns = m.shape
    if not np.isfinite(m).all():
        return "with elements that are not finite"
    filled = m != 0
    if not filled.any():
        return "zero"
    by_row, by_column = filled.sum(1), filled.sum(0)
    constant = np.unique(m[filled])
    one = len(constant) == 1
    c = number(constant[0])
    times = "" if c == "1" else f"{c} times "
    if rows == columns and not filled[~np.eye(rows, dtype=bool)].any():
        if one and by_row.all():
            return f"{times}the identity" if times else "the identity"
        return "diagonal"
    if one and (by_row == 1).all() and (by_column == 1).all():
        return f"{times}a permutation"
    if one and (by_row <= 1).all() and (by_column <= 1).all():
        return f"{times}a selection of elements"
    if one and (by_row == 1).all():
        return f"{times}a copy: each element of the argument goes to several of the result"
    if one and (by_column == 1).all():
        return f"{times}a sum: each element of the result adds up several"
    if one and (by_column <= 1).all():
        return f"{times}a sum of some of the elements"
    blocks = _blocks(m)
    if blocks is not None:
        return blocks
    if min(rows, columns) > 1 and _rank_one(m):
        return "an outer product (rank one)"
    zeros = m.size - int(filled.sum())
    return "dense" if zeros <= m.size // 2 else f"sparse: {m.size - zeros} of {m.size} elements are not 0"


def _rank_one(m: Any) -> bool:
    i, j = np.unravel_index(np.abs(m).argmax(), m.shape)
    return bool(np.allclose(m, np.outer(m[:, j], m[i]) / m[i, j], rtol=1e-6, atol=0))


def _blocks(m: Any) -> str | None:
    """Is it I ⊗ A (the same block again and again along the diagonal), or A ⊗ I?"""
    rows, columns = m.shape
    for n in range(math.gcd(rows, columns), 1, -1):
        h, w = rows // n, columns // n
        if h * w == 1:
            continue
        first = m[:h, :w]
        if np.array_equal(m, np.kron(np.eye(n), first)):
            return f"block diagonal: {n} times the same block of {shape_text((h, w))}"
        if np.array_equal(m, np.kron(m[::n, ::n], np.eye(n))):
            return f"A ⊗ I: a block A of {shape_text((h, w))}, applied to each of {n} columns"
    return None
