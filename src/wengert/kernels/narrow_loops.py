# mypy: ignore-errors
"""Loops over narrow matrices, many rows of few numbers, which may lie in memory in any way; see `kernels/narrow`.

Only `compiled.narrow` imports this module, for it needs Numba. A matrix with one column stands for as many as the others
have; as a result it takes the sum over the columns.
"""

from __future__ import annotations

import numba
from numba import types

ADD, SUBTRACT, MULTIPLY, DIVIDE = range(4)
_loop = numba.njit(nogil=True, fastmath={"contract"}, error_model="numpy", cache=True)


@_loop
def pair(out, a, b, what):
    """`out = a + b`, `a - b`, `a * b` or `a / b`; out may be a."""
    rows, columns = out.shape
    ja, jb = int(a.shape[1] > 1), int(b.shape[1] > 1)
    if what == ADD:
        for i in range(rows):
            for j in range(columns):
                out[i, j] = a[i, j * ja] + b[i, j * jb]
    elif what == SUBTRACT:
        for i in range(rows):
            for j in range(columns):
                out[i, j] = a[i, j * ja] - b[i, j * jb]
    elif what == MULTIPLY:
        for i in range(rows):
            for j in range(columns):
                out[i, j] = a[i, j * ja] * b[i, j * jb]
    else:
        for i in range(rows):
            for j in range(columns):
                out[i, j] = a[i, j * ja] / b[i, j * jb]


@_loop
def product_back(ga, gb, g, a, b):
    """The gradients of a and b, whose product has the gradient g."""
    rows, columns = g.shape
    zero = g.dtype.type(0)
    if a.shape[1] == columns and b.shape[1] == columns:
        for i in range(rows):
            for j in range(columns):
                ga[i, j] = g[i, j] * b[i, j]
                gb[i, j] = g[i, j] * a[i, j]
    elif b.shape[1] == 1:
        for i in range(rows):
            factor, total = b[i, 0], zero
            for j in range(columns):
                ga[i, j] = g[i, j] * factor
                total += g[i, j] * a[i, j]
            gb[i, 0] = total
    else:
        for i in range(rows):
            factor, total = a[i, 0], zero
            for j in range(columns):
                gb[i, j] = g[i, j] * factor
                total += g[i, j] * b[i, j]
            ga[i, 0] = total


@_loop
def quotient_back(ga, gb, g, a, b):
    """The gradients of a and b, which has one column, whose quotient has the gradient g."""
    rows, columns = g.shape
    one, zero = g.dtype.type(1), g.dtype.type(0)
    for i in range(rows):
        divisor, total = b[i, 0], zero
        factor = one / divisor
        for j in range(columns):
            ga[i, j] = g[i, j] * factor
            total += g[i, j] * a[i, j]
        gb[i, 0] = -total / divisor / divisor


@_loop
def cross(out, a, b):
    """The vector products of rows of three."""
    for i in range(out.shape[0]):
        a0, a1, a2 = a[i, 0], a[i, 1], a[i, 2]
        b0, b1, b2 = b[i, 0], b[i, 1], b[i, 2]
        out[i, 0] = a1 * b2 - a2 * b1
        out[i, 1] = a2 * b0 - a0 * b2
        out[i, 2] = a0 * b1 - a1 * b0


def prepare(loop, dtype):
    """Compile a loop for matrices of `dtype` in any layout, which are all that it will ever be called with."""
    kind = numba.from_dtype(dtype)
    matrix, given = types.Array(kind, 2, "A"), types.Array(kind, 2, "A", readonly=True)
    known = {"out": matrix, "ga": matrix, "gb": matrix, "what": types.int64}
    code = loop.py_func.__code__
    loop.disable_compile(False)
    loop.compile(tuple(known.get(name, given) for name in code.co_varnames[: code.co_argcount]))
    loop.disable_compile()  # so that calls look for this, and do not compile for the layouts that they bring
