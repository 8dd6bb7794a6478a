"""Einstein's summation: products written with named indices.

`einsum` reads the notation and is a composite: diagonals for a repeated index, then operands multiplied from left to
right, each pair as one batched matrix product over what both share and what is summed.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

from ..core.op import composite
from .matmul import bmm
from .parts import diagonal
from .reductions import sum
from .shape import permute, reshape, unsqueeze

__all__ = ["einsum"]

ELLIPSIS = "..."


def _letters(text: str, which: str) -> list[str]:
    """A subscript as a list of labels. RuntimeError, in PyTorch's words, for what is none."""
    labels: list[str] = []
    i = 0
    text = text.replace(" ", "")
    while i < len(text):
        c = text[i]
        if c == ".":
            if text[i : i + 3] != ELLIPSIS:
                raise RuntimeError(f"einsum(): found '.' for {which} that is not part of any ellipsis")
            if ELLIPSIS in labels:
                raise RuntimeError(f"einsum(): found '.' for {which} for which an ellipsis was already found")
            labels.append(ELLIPSIS)
            i += 3
            continue
        if not (c.isascii() and c.isalpha()):
            raise RuntimeError(
                f"einsum(): invalid subscript given at index {i} in the equation string, subscripts must be in [a-zA-Z]"
            )
        labels.append(c)
        i += 1
    return labels


@lru_cache(maxsize=512)
def _parse(equation: str, count: int) -> tuple[list[list[str]], list[str] | None]:
    """The labels of each operand and of the result (None: not given). They are shared between calls: do not change them."""
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    inputs = [_letters(term, f"operand {k}") for k, term in enumerate(terms)]
    if len(inputs) < count:
        raise RuntimeError("einsum(): more operands were provided than specified in the equation")
    if len(inputs) > count:
        raise RuntimeError("einsum(): fewer operands were provided than specified in the equation")
    if not arrow:
        return inputs, None
    output = _letters(right, "the output")
    known = {c for term in inputs for c in term}
    for c in output:
        if output.count(c) > 1:
            raise RuntimeError(f"einsum(): output subscript {c} appears more than once in the output")
        if c != ELLIPSIS and c not in known:
            raise RuntimeError(f"einsum(): output subscript {c} does not appear in the equation for any input operand")
    return inputs, output


def _sublists(operands: tuple[Any, ...]) -> tuple[str, list[Any]]:
    """`einsum(A, [0, 1], B, [1, 2], [0, 2])` as an equation and operands."""

    def text(sub: Any) -> str:
        out = ""
        for s in sub:
            if s is Ellipsis:
                out += ELLIPSIS
                continue
            if not 0 <= s < 52:
                raise ValueError("einsum(): invalid value in the sublist format: indices must be in [0, 52)")
            out += chr(s + ord("A")) if s < 26 else chr(s - 26 + ord("a"))
        return out

    if len(operands) < 2:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or at least one operand and its "
            "subscripts list"
        )
    pairs = len(operands) // 2
    equation = ",".join(text(operands[2 * k + 1]) for k in range(pairs))
    if len(operands) % 2:
        equation += "->" + text(operands[-1])
    return equation, [operands[2 * k] for k in range(pairs)]


@composite("einsum", method=False)
def einsum(*args: Any) -> Any:
    """Sums of products in Einstein's notation: `einsum("bij,bjk->bik", A, B)` or `einsum(A, [0, 1], B, [1, 2], [0, 2])`.

    Without `->` the result has the indices that occur once, in alphabetical order. `...` stands for dimensions that
    broadcast. RuntimeError for a malformed equation, or sizes that do not fit.
    """
    if not args:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or at least one operand and its "
            "subscripts list"
        )
    if isinstance(args[0], str):
        equation, operands = args[0], list(args[1:])
        if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
            operands = list(operands[0])
        if not operands:
            raise ValueError(
                "einsum(): must specify the equation string and at least one operand, or at least one operand and its "
                "subscripts list"
            )
    else:
        equation, operands = _sublists(args)
    inputs, output = _parse(equation, len(operands))
    named, wide = [], 0
    for k, (term, x) in enumerate(zip(inputs, operands, strict=True)):
        wide = max(wide, _extra(term, x, k))
    # Dimensions under the ellipsis get names of their own, aligned from the right.
    for term, x in zip(inputs, operands, strict=True):
        extra = x.ndim - len(term) + 1
        named.append([c for t in term for c in (_under(wide)[wide - extra :] if t == ELLIPSIS else [t])])
    if output is None:
        flat = [c for term in inputs for c in term]
        output = sorted(c for c in set(flat) if c != ELLIPSIS and flat.count(c) == 1)
        if any(ELLIPSIS in term for term in inputs):
            output = [ELLIPSIS, *output]
    labels = [c for t in output for c in (_under(wide) if t == ELLIPSIS else [t])]
    sizes = _sizes(named, operands)
    pieces = [_plain(x, term, sizes) for x, term in zip(operands, named, strict=True)]
    value, have = pieces[0]
    for k, (x, term) in enumerate(pieces[1:], 1):
        later = {c for _, t in pieces[k + 1 :] for c in t} | set(labels)
        value, have = _pair(value, have, x, term, later)
    return _arranged(value, have, labels)


def _under(wide: int) -> list[str]:
    return [f"...{i}" for i in range(wide)]


def _extra(term: list[str], x: Any, k: int) -> int:
    """How many dimensions the ellipsis of an operand stands for."""
    have, want = x.ndim, len(term) - (ELLIPSIS in term)
    if ELLIPSIS in term:
        if have < want:
            raise RuntimeError(
                f"einsum(): the number of subscripts in the equation ({want}) is more than the number of dimensions "
                f"({have}) for operand {k}"
            )
        return have - want
    if have != want:
        more = "more than" if want > have else "does not match"
        raise RuntimeError(
            f"einsum(): the number of subscripts in the equation ({want}) "
            + (
                f"is {more} the number of dimensions ({have})"
                if want > have
                else f"{more} the number of dimensions ({have})"
            )
            + f" for operand {k} and no ellipsis was given"
        )
    return 0


def _sizes(named: list[list[str]], operands: list[Any]) -> dict[str, int]:
    """The size of each index; 1 broadcasts."""
    sizes: dict[str, int] = {}
    for k, (term, x) in enumerate(zip(named, operands, strict=True)):
        own: dict[str, int] = {}
        for c, n in zip(term, x.shape, strict=True):
            if own.setdefault(c, n) != n:
                raise RuntimeError(
                    f"einsum(): subscript {c} is repeated for operand {k} but the sizes don't match, {n} != {own[c]}"
                )
        for d, (c, n) in enumerate(zip(term, x.shape, strict=True)):
            known = sizes.get(c, 1)
            if 1 not in (known, n) and known != n:
                raise RuntimeError(
                    f"einsum(): subscript {c} has size {n} for operand {k} which does not broadcast with previously "
                    f"seen size {known}"
                    if not c.startswith(ELLIPSIS)
                    else f"einsum(): the dimensions under the ellipsis do not broadcast: {known} and {n} ({d})"
                )
            sizes[c] = n if known == 1 else known
    return sizes


def _plain(x: Any, term: list[str], sizes: dict[str, int]) -> tuple[Any, list[str]]:
    """An operand with each index once: diagonals taken, and no size of 1 where others have more."""
    have = list(term)
    for c in dict.fromkeys(term):
        while have.count(c) > 1:
            i = have.index(c)
            j = have.index(c, i + 1)
            x = diagonal(x, 0, i, j)
            have = [*have[:i], *have[i + 1 : j], *have[j + 1 :], c]
    single = [i for i, c in enumerate(have) if x.shape[i] == 1 and sizes[c] != 1]
    if single:
        x = reshape(x, tuple(n for i, n in enumerate(x.shape) if i not in single))
        have = [c for i, c in enumerate(have) if i not in single]
    return x, have


def _pair(a: Any, ia: list[str], b: Any, ib: list[str], later: set[str]) -> tuple[Any, list[str]]:
    """The product of two operands, summed over the indices that nobody needs `later`."""
    a, ia = _drop(a, ia, later | set(ib))
    b, ib = _drop(b, ib, later | set(ia))
    both = [c for c in ia if c in ib]
    batch = [c for c in both if c in later]
    inner = [c for c in both if c not in later]
    left = [c for c in ia if c not in both]
    right = [c for c in ib if c not in both]
    out = batch + left + right
    if not inner:
        # Nothing to sum: a product with broadcasting.
        return _spread(a, ia, out) * _spread(b, ib, out), out
    size = dict(zip(ia, a.shape, strict=True)) | dict(zip(ib, b.shape, strict=True))
    nb, nl, nr, nk = (prod(size[c] for c in group) for group in (batch, left, right, inner))
    x = reshape(_ordered(a, ia, batch + left + inner), (nb, nl, nk))
    y = reshape(_ordered(b, ib, batch + inner + right), (nb, nk, nr))
    return reshape(bmm(x, y), tuple(size[c] for c in out)), out


def _drop(x: Any, have: list[str], wanted: set[str]) -> tuple[Any, list[str]]:
    gone = tuple(i for i, c in enumerate(have) if c not in wanted)
    return (sum(x, gone), [c for c in have if c in wanted]) if gone else (x, have)


def _ordered(x: Any, have: list[str], want: list[str]) -> Any:
    return x if have == want else permute(x, tuple(have.index(c) for c in want))


def _spread(x: Any, have: list[str], out: list[str]) -> Any:
    x = _ordered(x, have, [c for c in out if c in have])
    for i, c in enumerate(out):
        if c not in have:
            x = unsqueeze(x, i)
    return x


def _arranged(x: Any, have: list[str], labels: list[str]) -> Any:
    """The result: what is not wanted summed, the rest in order; an index lost to broadcasting has size 1."""
    x, have = _drop(x, have, set(labels))
    x = _ordered(x, have, [c for c in labels if c in have])
    for i, c in enumerate(labels):
        if c not in have:
            x = unsqueeze(x, i)
    return x
