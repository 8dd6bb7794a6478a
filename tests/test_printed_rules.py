"""Every rule of the tables prints itself: called with symbols, what it prints, read back, gives the numbers it gives.

For each test row (`tests/rows`): the node's own compiled `run` is called with arrays and with symbols. The expression
must mention no name that the row does not declare, and its text, turned into Python, must compute the same numbers:
so parentheses, signs and powers are right for every operation.
"""

from __future__ import annotations

import importlib
import math
import pkgutil
import re
from typing import Any

import numpy as np
import pytest

import rows
import wengert
from rows.sample import ROWS, arguments
from wengert.core.op import TABLE
from wengert.core.tensor import Tensor
from wengert.explain.latex import latex
from wengert.explain.notation import public_name, text
from wengert.explain.rules import gradient_names, rule_of, symbols_for
from wengert.explain.symbols import Call, Name, Symbol, value_of

for module in pkgutil.iter_modules(rows.__path__):
    importlib.import_module(f"rows.{module.name}")

SAMPLES = [(name, i) for name, samples in sorted(ROWS.items()) for i in range(len(samples))]
IDS = [f"{name}-{i}" for name, i in SAMPLES]
Printed = tuple[Any, list[Any], list[Any], dict[str, Any]]


def printed(name: str, i: int) -> Printed:
    """(node, its gradients as numbers, as expressions, what each name stands for)."""
    args, kwargs = arguments(ROWS[name][i])
    result = TABLE[name].function(*args, **kwargs)
    made = [t for t in (result if isinstance(result, tuple) else (result,)) if isinstance(t, Tensor) and t._edge]
    if not made:
        pytest.skip("no differentiable output for this sample")
    node = made[0]._edge[0]
    outs = [node.output_meta(k) for k in range(node.n_outputs)]
    rng = np.random.default_rng(1)

    def random(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
        a = rng.standard_normal(shape)
        return (a + 1j * rng.standard_normal(shape) if dtype.kind == "c" else np.asarray(a)).astype(dtype)

    given = [random(*meta) if meta[1].kind in "fc" else None for meta in outs]
    real = node.run(given[0] if node.n_outputs == 1 else list(given), True)
    saved = symbols_for(node)
    names = gradient_names(node.op, node.n_outputs)
    gradients = [None if g is None else Name(n, g) for n, g in zip(names, given, strict=True)]
    found = rule_of(type(node), saved, node.next, outs, gradients)
    known = {n: g for n, g in zip(names, given, strict=True) if g is not None}
    for key, value in saved.items():
        if isinstance(value, list):
            known |= {v.name: v.value for v in value if isinstance(v, Name)}
        else:
            known[key] = value_of(value)
    return node, list(real), found, known


def names_in(x: Any) -> set[str]:
    if isinstance(x, Name):
        return {x.name}
    if isinstance(x, Call):
        return set().union(*(names_in(a) for a in x.args))
    return set().union(*(names_in(a) for a in x)) if isinstance(x, (tuple, list)) else set()


FUNCTIONS = {public_name(n): op.function for n, op in reversed(TABLE.items())}
FUNCTIONS |= {n: op.function for n, op in TABLE.items() if n.isidentifier()}
FUNCTIONS |= {"real": np.real, "imag": np.imag, "abs": np.abs, "conj": np.conjugate, "unique": np.unique, "eye": np.eye}
FUNCTIONS |= {
    "unsqueeze": lambda x, dims: TABLE["unsqueeze_dims"].function(x, dims if isinstance(dims, tuple) else (dims,)),
    "squeeze": lambda x, dims=None: np.squeeze(x, dims),
}
FUNCTIONS |= {str(np.dtype(t)): np.dtype(t).type for t in "fdFDilq"}
CONSTANTS = {"π": math.pi, "e": math.e, "ln2": math.log(2), "ln10": math.log(10), "inf": math.inf, "nan": math.nan}
WORDS = [("√(2π)", "sqrt2pi"), ("√π", "sqrtpi"), ("√½", "sqrthalf"), ("·", "*"), ("≤", "<="), ("≥", ">="), ("≠", "!="),
         (" = ", " == "), (" ^ ", " XOR "), ("^", "**"), (" XOR ", " ^ "), ("ᵀ", ".mT"), ("dim=", "dim=")]  # fmt: skip
CONSTANTS |= {"sqrt2pi": math.sqrt(2 * math.pi), "sqrtpi": math.sqrt(math.pi), "sqrthalf": math.sqrt(0.5)}


def read(shown: str, known: dict[str, Any]) -> Any:
    """The number that a printed formula stands for."""
    code = re.sub("[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda m: f"**({m[0].translate(SUPERSCRIPTS)})", shown)
    for sign, python in WORDS:
        code = code.replace(sign, python)
    return eval(code, {**FUNCTIONS, **CONSTANTS, **known})


SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


@pytest.mark.parametrize(("name", "i"), SAMPLES, ids=IDS)
def test_what_a_rule_prints_is_what_it_computes(name: str, i: int) -> None:
    node, real, found, known = printed(name, i)
    assert len(found) == len(real)
    options = {id(v): k for k, v in known.items() if not isinstance(v, (int, float, complex, bool, str, type(None)))}
    wanted = [k for k, (target, _) in enumerate(node.next) if target is not None]
    assert any(found[k] is not None for k in wanted), "no argument gets a gradient"
    for number, expression in zip(real, found, strict=True):
        assert (number is None) == (expression is None)
        if expression is None:
            continue
        assert isinstance(expression, Symbol)
        assert names_in(expression) <= set(known), "a name that the row does not declare"
        np.testing.assert_array_equal(np.asarray(value_of(expression)), number)
        shown = text(expression, options=options)
        assert "object at" not in shown
        np.testing.assert_allclose(np.asarray(read(shown, known)), number, rtol=2e-5, atol=2e-5, err_msg=shown)


@pytest.mark.parametrize(("name", "i"), SAMPLES, ids=IDS)
def test_the_latex_of_a_rule_is_well_formed(name: str, i: int) -> None:
    for expression in printed(name, i)[2]:
        if expression is None:
            continue
        shown = latex(expression)
        assert shown
        assert shown.count("{") == shown.count("}"), shown
        assert shown.count(r"\left") == shown.count(r"\right"), shown
        assert not re.search(r"[∇·²≤≥]|\{\{|object at|<\w", shown), shown


def test_a_rule_that_ran_is_what_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Break the compiled rule, and the printed one breaks with it: there is no second copy."""
    x = wengert.tensor([0.5], requires_grad=True)
    node = wengert.sin(x)._edge[0]
    outs = [node.output_meta(0)]
    shown = rule_of(type(node), symbols_for(node), node.next, outs, [Name("g", np.ones(1, np.float32))])
    assert text(shown[0]) == "g · cos(input)"
    monkeypatch.setattr(type(node), "run", lambda n, g, keep: (g * 3,))
    shown = rule_of(type(node), symbols_for(node), node.next, outs, [Name("g", np.ones(1, np.float32))])
    assert text(shown[0]) == "3 · g"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda x, y: x * y + 1, "x · y + 1"),
        (lambda x, y: (x + 1) * y, "(x + 1) · y"),
        (lambda x, y: x - (y - 1), "x - (y - 1)"),
        (lambda x, y: -x * -y, "x · y"),
        (lambda x, y: x * (1 / y), "x / y"),
        (lambda x, y: x / (y * y), "x / y²"),
        (lambda x, y: x / (y * x), "x / (y · x)"),
        (lambda x, y: -(x + y), "-(x + y)"),
        (lambda x, y: (-x) ** 2, "(-x)²"),
        (lambda x, y: (x + y) ** -0.5, "(x + y)^(-0.5)"),
        (lambda x, y: 2 ** (x + 1), "2^(x + 1)"),
        (lambda x, y: x - -y, "x + y"),
        (lambda x, y: (x > 0) & (y <= 1), "(x > 0) & (y ≤ 1)"),
        (lambda x, y: wengert.exp(-x) / (1 + wengert.exp(-x)), "exp(-x) / (1 + exp(-x))"),
        (lambda x, y: x[0] * y[1:], "x[0] · y[1:]"),
        (lambda x, y: x.sum() * y, "sum(x) · y"),
        (lambda x, y: wengert.softmax(x, 0), "softmax(x, 0)"),
    ],
)
def test_parentheses_only_where_they_mean_something(make: Any, expected: str) -> None:
    x, y = (Name(n, np.array([0.5, 0.7])) for n in "xy")
    assert text(make(x, y)) == expected
