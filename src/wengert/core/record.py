"""The way forward: how a call of an operation becomes a result and a Node.

Each row is compiled to Python source when it is stated: a *fast road* with everything inlined for the ordinary case
(plain tensors of one dtype, no special mode) and, behind it, the *careful road*, the function `careful`, which
knows dtype promotion, Python numbers, modes, forward mode, vmap, `out=`, and whose errors say what was wrong. The
fast road leaves to the careful one whatever it does not recognise, so there is one meaning, in two speeds.

Compiled alongside, for each pattern of arguments (T a tensor, S a number or None): the Node class with one slot for
each saved value, its `run` (on arrays) and `run_recorded` (on Tensors), both calling the very rule of the row.
"""

from __future__ import annotations

import threading
from time import perf_counter_ns
from types import FunctionType
from typing import Any

import numpy as np

from ..kernels.threads import LARGE
from . import dtypes
from .backward import check_version, materialise, saved_output, versions_of
from .batched import Batched, first_example, run_forward, top_level
from .blocks import COMPILED, blockwise
from .modes import LOCAL, MODES
from .node import FREED_MESSAGE, NO_EDGE, SEQUENCE, Node, leaf_edge
from .op import LIST, OPTIONAL, TENSOR, Op, Rule
from .signatures import PublicSignature, execute, parameters
from .tensor import PLAIN_TYPES, Tensor, mark_inference, wrap

# What a rule may be called with and computes on directly: arrays and the scalars NumPy makes of 0-dim results.
_SCALARS = (
    *(np.float64, np.float32, np.float16, np.complex128, np.complex64, np.bool_),
    *(np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64),
)
ARRAY_TYPES: set[type] = {np.ndarray, *_SCALARS}  # and that of bfloat16, once it is used


def _as_array(x: Any) -> Any:
    """NumPy's scalars as arrays; a batch stays one."""
    return x if x.__class__ is Batched else np.asarray(x)


_F32, _F64 = np.dtype(np.float32), np.dtype(np.float64)
NUMBER_TYPES = frozenset([int, float, bool, complex])

_new = object.__new__
# A saved tensor, in generated source: itself, or what its unpack hook gives.
_PLACED = "s if isinstance(s, Tensor) else s.unpack(n)"
# From NumPy 2.3 on, `out=...` makes a ufunc return a 0-dim array where it would return a scalar.
_KEEPS_ARRAYS = tuple(int(n) for n in np.__version__.split(".")[:2]) >= (2, 3)
_GLOBALS: dict[str, Any] = {
    "PLAIN": PLAIN_TYPES,
    "ARRAYS": ARRAY_TYPES,
    "NUMBERS": NUMBER_TYPES,
    "MODES": MODES,
    "Tensor": Tensor,
    "new": _new,
    "ndarray": np.ndarray,
    "as_array": _as_array,
    "SEQUENCE": SEQUENCE,
    "NO_EDGE": NO_EDGE,
    "leaf_edge": leaf_edge,
    "FREED": FREED_MESSAGE,
    "check_version": check_version,
    "versions_of": versions_of,
    "saved_output": saved_output,
    "materialise": materialise,
    "wrap": wrap,
    "LARGE": LARGE,
    "FUSED_FROM": 1 << 14,
    "blockwise": blockwise,
    "F32": np.dtype(np.float32),
    "F64": np.dtype(np.float64),
}


# -- what a pattern saves --------------------------------------------------------------------------------------


class Variant:
    """One operation under one pattern of arguments: its Node class and the function that records it."""

    def __init__(self, op: Op, pattern: str, complex: bool = False, mixed: bool = False) -> None:
        self.op = op
        self.pattern = pattern
        self.complex = complex  # partial derivatives are conjugated
        self.mixed = mixed  # operands of other dtypes: rules get them in the one that the forward computed in
        # Arguments that a gradient can go to, with their rule, in order.
        self.targets = [
            (i, p)
            for i, (p, c) in enumerate(zip(op.tensor_params, pattern, strict=True))
            if c in "TL" and (p.name in op.rules or op.joint is not None)
        ]
        self.saves = self._saves()
        self.node: type[Node] = self._node_class()

    def rule(self, name: str) -> Rule:
        op = self.op
        return op.joint if op.joint is not None else op.rules[name]

    def _saves(self) -> dict[str, tuple[str, set[int]]]:
        """saved name -> (how, indices of the targets whose rules read it)."""
        op = self.op
        tensor_kinds = {p.name: c for p, c in zip(op.tensor_params, self.pattern, strict=True)}
        found: dict[str, tuple[str, set[int]]] = {}
        plain = {p.name for p in op.params if not p.is_tensor}
        for i, p in self.targets:
            rule = self.rule(p.name)
            for name in rule.names:
                if name in ("g", "needs") or name.startswith("g_"):
                    continue
                base = name.removesuffix("_shape")
                if name in tensor_kinds:
                    how = {"T": "tensor", "S": "plain", "L": "list"}[tensor_kinds[name]]
                elif name in op.outputs:
                    how = "output"
                elif name in op.aux:
                    how = "aux"
                elif name in plain:
                    how = "plain"
                elif base != name and base in tensor_kinds:
                    how = {"T": "shape", "S": "scalar_shape", "L": "shapes"}[tensor_kinds[base]]
                elif base != name and base in op.outputs:
                    how = "output_shape"
                else:
                    raise ValueError(f"{op.name}: the rule for {p.name!r} asks for {name!r}, which nothing provides")
                found.setdefault(name, (how, set()))[1].add(i)
        if op.composite is not None and self.targets:
            # The second derivative goes through the definition, which takes the arguments themselves.
            everyone = {i for i, _ in self.targets}
            for p in op.params:
                kind = {"T": "tensor", "S": "plain", "L": "list"}[tensor_kinds[p.name]] if p.is_tensor else "plain"
                found[p.name] = (kind, everyone)
        return found

    @property
    def holds_tensors(self) -> bool:
        return any(how in ("tensor", "list", "output", "aux") for how, _ in self.saves.values())

    # -- the Node class and its two runs -----------------------------------------------------------------------
    def _node_class(self) -> type[Node]:
        op = self.op
        slots = list(self.saves)
        if any(how in ("tensor", "list") for how, _ in self.saves.values()):
            slots.append("versions")
        if any(how == "output" for how, _ in self.saves.values()):
            slots += ["out_counters", "out_versions"]
        attributes: dict[str, Any] = {
            "__slots__": tuple(slots),
            "__module__": "wengert.ops",
            "op": op,
            "variant": self,
        }
        if op.variadic:
            attributes["__slots__"] += ("n_outputs",)
        else:
            attributes["n_outputs"] = len(op.outputs)
        cls = type(op.node_names.get(self.pattern, op.node_name), (Node,), attributes)
        env = dict(_GLOBALS)
        for arg, r in op.rules.items():
            env[f"RULE_{arg}"] = r.fn
        if op.joint is not None:
            env["JOINT"] = op.joint.fn
        if op.fused is not None:
            env["FUSED"] = op.fused.fn
        source = "\n".join(
            self._emit_run("run", False, env) + self._emit_run("run_recorded", True, env) + self._emit_release()
        )
        execute(source, f"{op.name} {self.pattern} backward", env)
        for name in ("run", "run_recorded", "release"):
            setattr(cls, name, env[name])
        if op.composite is not None:
            from .backward import run_composite

            setattr(cls, "run_recorded", run_composite)  # noqa: B010
        return cls

    def _reads(self, names: tuple[str, ...], recorded: bool) -> tuple[list[str], str]:
        """Lines that fetch what a rule's parameters name, and the argument list."""
        lines = []
        args = []
        for name in names:
            if name == "needs":
                args.append("needs")
            elif name == "g" or name.startswith("g_"):
                args.append(name)
            else:
                how = self.saves[name][0]
                if how == "tensor":
                    lines.append(f"s = n.{name}")
                    lines.append(f"if s._vc is not None: check_version(n, {name!r}, s)")
                    lines.append(f"v_{name} = {_PLACED}" if recorded else f"v_{name} = s._array")
                    if not recorded and self.op.kind == "elementwise":
                        # 0-dim: NumPy is several times faster with its scalars than with 0-dim arrays.
                        lines.append(f"if g.__class__ is not ndarray: v_{name} = v_{name}[()]")
                    if self.mixed:
                        lines.append(f"v_{name} = v_{name}.{'to' if recorded else 'astype'}(g.dtype)")
                    args.append(f"v_{name}")
                elif how == "list":
                    lines.append(f"for s in n.{name}:")
                    lines.append(f"    if s._vc is not None: check_version(n, {name!r}, s)")
                    lines.append(
                        f"v_{name} = "
                        + (f"[({_PLACED}) for s in n.{name}]" if recorded else f"[s._array for s in n.{name}]")
                    )
                    args.append(f"v_{name}")
                elif how == "output":
                    k = self.op.outputs.index(name)
                    lines.append(f"v_{name} = saved_output(n, {name!r}, {k}, {recorded})")
                    args.append(f"v_{name}")
                elif how == "aux" and recorded:
                    args.append(f"(None if n.{name} is None else wrap(n.{name}))")
                else:
                    args.append(f"n.{name}")
        return lines, ", ".join(args)

    def _emit_run(self, function: str, recorded: bool, env: dict[str, Any]) -> list[str]:
        op = self.op
        body = []
        if self.holds_tensors:
            body.append("if n.freed: raise RuntimeError(FREED)")
        grads = {name for _, p in self.targets for name in self.rule(p.name).names if name.startswith("g_")}
        if op.variadic:
            body.append("if n.n_outputs == 1: g = (g,)")
            body.append(f"g = [materialise(n, k, {recorded}) if x is None else x for k, x in enumerate(g)]")
        elif len(op.outputs) > 1:
            if not op.undefined:
                for k, name in enumerate(op.outputs):
                    if f"g_{name}" in grads:
                        body.append(f"g_{name} = g[{k}] if g[{k}] is not None else materialise(n, {k}, {recorded})")
            else:
                for k, name in enumerate(op.outputs):
                    if f"g_{name}" in grads:
                        body.append(f"g_{name} = g[{k}]")
            differentiable = [k for k, d in enumerate(op.differentiable) if d]
            if len(differentiable) == 1:
                k = differentiable[0]
                body.append(f"g = g[{k}]")
                body.append(f"if g is None: g = materialise(n, {k}, {recorded})")
            elif not op.undefined:
                body.append(f"g = [materialise(n, k, {recorded}) if x is None else x for k, x in enumerate(g)]")
        has_list = "L" in self.pattern
        if op.joint is not None:
            count = len(self.pattern)
            if has_list:
                body.append("needs = n.needs_by_argument()")
            else:
                body.append(f"needs = tuple(e[0] is not None for e in n.next[:{count}])")
            lines, args = self._reads(op.joint.names, recorded)
            body += [*lines, f"r = JOINT({args})"]
        elif any(p.kind == LIST for _, p in self.targets):
            # One argument is a list: its rule returns one gradient for each element.
            (_, p) = self.targets[0]
            if len(self.targets) != 1:
                raise ValueError(f"{op.name}: a list argument with other differentiable ones needs a joint rule")
            lines, args = self._reads(op.rules[p.name].names, recorded)
            body += [*lines, f"r = RULE_{p.name}({args})"]
        else:
            rules_begin = len(body)
            results = {i: f"r{i}" for i, _ in self.targets}
            single = len(self.targets) == 1
            for i, p in self.targets:
                rule = op.rules[p.name]
                lines, args = self._reads(rule.names, recorded)
                if rule.constant:
                    value = {1: "g", -1: "-g"}.get(rule.fn, f"g * {rule.fn!r}")
                elif rule.takes_g:
                    value = f"RULE_{p.name}({args})"
                    if op.kind == "elementwise" and not recorded:
                        value += (
                            f" if g.__class__ is not ndarray or g.size < LARGE else blockwise(RULE_{p.name}, {args})"
                        )
                elif op.kind == "elementwise":
                    if rule.identity is not None:
                        partial = args = args.split(", ")[rule.identity]
                    else:
                        partial = f"RULE_{p.name}({args})"
                    value = f"g * {partial}" + (".conjugate()" if self.complex else "")
                    if not recorded and not self.complex:
                        env[f"PULL_{p.name}"] = np.multiply if rule.identity is not None else _pull(rule.fn)
                        value += (
                            f" if g.__class__ is not ndarray or g.size < LARGE else blockwise(PULL_{p.name}, g, {args})"
                        )
                else:
                    raise ValueError(f"{op.name}: the rule for {p.name!r} must take g first")
                block = [*lines, f"r{i} = {value}"]
                if single:
                    body += block
                else:
                    # Was this argument's gradient wanted? What is saved for it alone tells; if nothing is, the edge.
                    mine = [s for s in rule.names if s in self.saves and self.saves[s] == ("tensor", {i})]
                    test = f"n.{mine[0]} is None" if mine else f"n.next[{i}][0] is None"
                    body.append(f"if {test}: r{i} = None")
                    body.append("else:")
                    body += ["    " + line for line in block]
            items = ", ".join(results.get(i, "None") for i in range(len(self.pattern)))
            body.append(f"r = ({items},)")
            if op.fused is not None and not recorded and set(self.pattern) == {"T"}:
                body[rules_begin:] = self._emit_fused(op.fused, body[rules_begin:])
        if self.holds_tensors:
            held = [name for name, (how, _) in self.saves.items() if how in ("tensor", "list", "output", "aux")]
            body.append("if not keep:")
            body += [f"    n.{name} = None" for name in held]
            body.append("    n.freed = True")
        body.append("return r")
        return [f"def {function}(n, g, keep):"] + ["    " + line for line in body]

    def _emit_fused(self, fused: Rule, rules: list[str]) -> list[str]:
        """Lines that ask the row's kernel for all gradients together, where all are wanted, before they take the `rules`."""
        lines, args = self._reads(fused.names, False)
        wanted = " and ".join(f"n.next[{i}][0] is not None" for i, _ in self.targets)
        return [
            "r = None",
            f"if g.__class__ is ndarray and g.size >= FUSED_FROM and {wanted}:",
            *("    " + line for line in [*lines, f"r = FUSED({args})"]),
            "if r is None:",
            *("    " + line for line in rules),
        ]

    def _emit_release(self) -> list[str]:
        held = [name for name, (how, _) in self.saves.items() if how in ("tensor", "list", "output", "aux")]
        lines = ["def release(n):"]
        if held:
            lines.append("    " + " = ".join(f"n.{name}" for name in held) + " = None")
            if any(how == "output" for how, _ in self.saves.values()):
                lines.append("    n.out_counters = None")
            lines.append("    n.freed = True")
        else:
            lines.append("    return None")
        return lines

    # -- recording ---------------------------------------------------------------------------------------------
    def emit_record(self, results: list[str], aux: list[str]) -> list[str]:
        """Lines that make `node_` and hang it on the result tensors `t0`, `t1`, ... (arrays `results`)."""
        op = self.op
        names = [p.name for p in op.tensor_params]
        tensors = [names[i] for i, _ in self.targets]
        lines = ["node_ = new(NODE)", "node_.seq = next(SEQUENCE)", "node_.extra = None"]
        if self.holds_tensors:
            lines.append("node_.freed = False")
        if len(op.outputs) == 1:
            lines += [f"node_.shape = {results[0]}.shape", f"node_.dtype = {results[0]}.dtype"]
        else:
            lines.append("node_.shape = None")
            lines.append("node_.outs = (" + ", ".join(f"({r}.shape, {r}.dtype)" for r in results) + ",)")
        edges = []
        for i, name in enumerate(names):
            if name not in tensors:
                edges.append("NO_EDGE")
            elif len(tensors) == 1:
                edges.append(f"{name}._edge or leaf_edge({name})")
            else:
                edges.append(f"({name}._edge or leaf_edge({name})) if q{i} else NO_EDGE")
        lines.append("node_.next = (" + ", ".join(edges) + ",)")
        return lines + self._emit_saves(aux)

    def _emit_saves(self, aux: list[str]) -> list[str]:
        op = self.op
        lines = []
        indices = {i for i, _ in self.targets}
        saved_tensors = []
        saved_outputs = []
        for name, (how, users) in self.saves.items():
            everyone = users == indices or op.joint is not None
            condition = "" if everyone else " or ".join(f"q{i}" for i in sorted(users))
            if how == "tensor":
                saved_tensors.append(name)
                lines.append(f"node_.{name} = {name}" + (f" if {condition} else None" if condition else ""))
            elif how == "plain":
                lines.append(f"node_.{name} = {name}")
            elif how == "shape":
                lines.append(f"node_.{name} = {name.removesuffix('_shape')}._array.shape")
            elif how == "scalar_shape":
                lines.append(f"node_.{name} = ()")
            elif how == "output":
                saved_outputs.append(name)
                k = op.outputs.index(name)
                lines.append(f"node_.{name} = x{k}")
            elif how == "output_shape":
                k = op.outputs.index(name.removesuffix("_shape"))
                lines.append(f"node_.{name} = x{k}.shape")
            elif how == "aux":
                lines.append(f"node_.{name} = {aux[op.aux.index(name)]}")
        if saved_tensors:
            unshared = " and ".join(f"{t}._vc is None" for t in saved_tensors)
            pairs = ", ".join(f"({t!r}, node_.{t})" for t in saved_tensors)
            lines.append(f"node_.versions = None if {unshared} else versions_of(({pairs},))")
        if saved_outputs:
            counters = []
            for name in saved_outputs:
                k = op.outputs.index(name)
                # The result itself must not be kept (it would hold this node: a cycle), but its version must.
                lines.append(f"t{k}._vc = c{k} = [0, None]")
                counters.append(f"c{k}")
            lines.append("node_.out_counters = (" + ", ".join(counters) + ",)")
            lines.append("node_.out_versions = (" + ", ".join("0" for _ in counters) + ",)")
        return lines


def _pull(partial: Any) -> Any:
    """The vjp of one argument, from its partial derivative, as a pointwise function of arrays."""

    def pull(g: Any, *values: Any) -> Any:
        return g * partial(*values)

    if partial in COMPILED:
        COMPILED[pull] = COMPILED[partial]
    return pull


def variant(op: Op, pattern: str, complex: bool = False, mixed: bool = False) -> Variant:
    found = op.variants.get((pattern, complex, mixed))
    if found is None:
        found = op.variants[pattern, complex, mixed] = Variant(op, pattern, complex, mixed)
    return found


# -- the function users call -----------------------------------------------------------------------------------


def _patterns(op: Op) -> list[str]:
    """The argument patterns worth a fast road."""
    params = op.tensor_params
    if any(p.kind == LIST for p in params) or not params or op.variadic:
        return []
    full = "T" * len(params)
    patterns = [full]
    if op.kind == "elementwise" and len(params) == 2 and op.promote in ("default", "float", "bool"):
        patterns += [p for p, ok in (("TS", params[1].scalar), ("ST", params[0].scalar)) if ok]
    optional = [i for i, p in enumerate(params) if p.kind == OPTIONAL]
    for n in range(1, len(optional) + 1):
        cut = optional[-n:]
        patterns.append("".join("S" if i in cut else "T" for i in range(len(params))))
    return patterns


def _emit_road(op: Op, pattern: str, env: dict[str, Any]) -> list[str]:
    """The fast road for one pattern: lines to stand where every tensor argument has been recognised."""
    v = variant(op, pattern)
    node = f"NODE_{pattern}"
    env[node] = v.node
    params = op.tensor_params
    arrays = {p.name: f"a{i}" for i, (p, c) in enumerate(zip(params, pattern, strict=True)) if c == "T"}
    body = [f"{a} = {name}._array" for name, a in arrays.items()]
    first = next(iter(arrays.values()))
    bail = "return CAREFUL(OP, VALUES)"
    if op.promote in ("default", "float"):
        # Float32 and float64 stay what they are. Integers, bools and mixtures have rules of their own, and so do
        # complex numbers, whose partial derivatives are conjugated.
        same = "".join(f"{a}.dtype is not d or " for a in list(arrays.values())[1:])
        body += [f"d = {first}.dtype", f"if {same}d is not F32 and d is not F64: {bail}"]
    elif op.promote in ("bool", "same") and len(arrays) > 1:
        same = " and ".join(f"{a}.dtype is {first}.dtype" for a in list(arrays.values())[1:])
        body.append(f"if not ({same}): {bail}")
    elif op.promote == "bool" and "S" in pattern:
        # Integers would be compared with a fraction after it was cut, or in another dtype.
        body.append(f"if {first}.dtype is not F32 and {first}.dtype is not F64: {bail}")
    call = "FORWARD(" + ", ".join(
        (f"{p.name}={arrays.get(p.name, p.name)}" if p.keyword_only else arrays.get(p.name, p.name)) for p in op.params
    )
    call += ")"
    n_out = len(op.outputs)
    raw = [f"x{k}" for k in range(n_out)]
    aux = [f"y{k}" for k in range(len(op.aux))]
    target = ", ".join(raw + aux)
    after: list[str] = []
    if isinstance(op.forward, np.ufunc) and _KEEPS_ARRAYS:
        call = call[:-1] + ", out=...)"
    else:
        after = [f"if {x}.__class__ is not ndarray: {x} = as_array({x})" for x in raw]
        if op.kind == "elementwise" and op.promote in ("default", "float") and "S" in pattern:
            after.append("if x0.dtype is not d: x0 = x0.astype(d)")  # what was made of the number alone is float64
    attempt = [f"{target} = {call}"]
    pointwise = op.kind == "elementwise" and n_out == 1 and not aux
    if pointwise and not any(p.keyword_only for p in op.params):
        positional = ", ".join(arrays.get(p.name, p.name) for p in op.params)
        attempt = [f"if {first}.size >= LARGE: x0 = blockwise(FORWARD, {positional})", f"else: x0 = {call}"]
    if getattr(op.check, "always", False):
        env["CHECK"] = op.check
        attempt.insert(0, f"CHECK({', '.join(arrays.get(p.name, p.name) for p in op.params)})")
    body += [
        "try:",
        *("    " + line for line in attempt),
        "except Exception:",
        "    return CAREFUL(OP, VALUES)",
        *after,
    ]
    for k in range(n_out):
        body += [f"t{k} = new(Tensor)", f"t{k}._array = x{k}", f"t{k}._vc = None", f"t{k}._extra = None"]
    if op.view:
        body.append(f"mark_view(t0, {params[0].name}, {op.view == 'maybe'})")
    if v.targets and any(op.differentiable):
        flags = [f"q{i}" for i, _ in v.targets]
        body += [f"{q} = {params[i].name}._rg" for q, (i, _) in zip(flags, v.targets, strict=True)]
        wanted = " or ".join(flags)
        if any(p.name == "dtype" for p in op.params):  # integers have no gradient
            wanted = f"({wanted}) and x0.dtype.kind in 'fcV'"
        body.append(f"if {wanted}:")
        record = [line.replace("new(NODE)", f"new({node})") for line in v.emit_record(raw, aux)]
        if op.promote in ("default", "float"):
            record = [line.replace("node_.dtype = x0.dtype", "node_.dtype = d") for line in record]
        for k, d in enumerate(op.differentiable):
            record += (
                [f"t{k}._rg = True", f"t{k}._edge = (node_, {k})"] if d else [f"t{k}._rg = False", f"t{k}._edge = None"]
            )
        if op.view:
            record.append("if t0._extra is not None and t0._extra.inference: t0._rg, t0._edge = False, None")
        body += ["    " + line for line in record]
        body.append("else:")
        for k in range(n_out):
            body += [f"    t{k}._rg = False", f"    t{k}._edge = None"]
    else:
        for k in range(n_out):
            body += [f"t{k}._rg = False", f"t{k}._edge = None"]
    if n_out == 1:
        body.append("return t0")
    else:
        results = ", ".join(f"t{k}" for k in range(n_out))
        body.append(f"return ({results},)" if op.result is tuple else f"return RESULT({results})")
    return body


def _first_call(*args: Any, **kwargs: Any) -> Any:
    """The code of every row's function until it is called: see `compile_function`. Its globals are the row's own."""
    COMPILE(OP)  # type: ignore[name-defined]  # noqa: F821
    return OP.function(*args, **kwargs)  # type: ignore[name-defined]  # noqa: F821


def compile_function(op: Op) -> Any:
    """The function users call for a row. Its source is written when it is first called: importing stays quick."""
    simple = op.name.rsplit(".", 1)[-1]
    function = FunctionType(_first_call.__code__, {**_GLOBALS, "OP": op, "COMPILE": _compile}, simple)
    function.__doc__ = op.doc
    function.__module__ = "wengert"
    function.__signature__ = PublicSignature(op.params, op.out, op.names)  # type: ignore[attr-defined]
    function.op = op  # type: ignore[attr-defined]
    return function


_COMPILING = threading.RLock()


def _compile(op: Op) -> None:
    """Write the row's source and give its function that code."""
    with _COMPILING:
        function = op.function
        if function.__code__ is not _first_call.__code__:
            return  # another thread was first
        env = function.__globals__
        compiled = _compiled(op, env)
        function.__defaults__, function.__kwdefaults__ = compiled.__defaults__, compiled.__kwdefaults__
        function.__code__ = compiled.__code__


def _compiled(op: Op, env: dict[str, Any]) -> Any:
    """The function of a row as source, run in `env`."""
    from .views import mark_view

    values = "(" + "".join(p.name + ", " for p in op.params) + ")"
    env.update(FORWARD=op.forward, CAREFUL=careful, RESULT=op.result, mark_view=mark_view)
    params = op.tensor_params
    lines = []
    patterns = _patterns(op)
    plain_call = ", ".join(f"{p.name}={p.name}" if p.keyword_only else p.name for p in op.params)
    if patterns:
        p0 = params[0].name
        guard = "not MODES.active" + (" and out is None" if op.out else "")
        is_tensor = {
            p: " and ".join(
                f"({q.name}.__class__ is Tensor or {q.name}.__class__ in PLAIN)"
                for q, c in zip(params, p, strict=True)
                if c == "T"
            )
            for p in patterns
        }
        keyword = "if"
        lines.append(f"if {guard}:")
        for pattern in patterns:
            tests = [is_tensor[pattern]]
            for q, c in zip(params, pattern, strict=True):
                if c == "S":
                    tests.append(
                        f"{q.name} is None"
                        if q.kind == OPTIONAL
                        else f"{q.name}.__class__ is float or {q.name}.__class__ is int"
                    )
            test = " and ".join(f"({t})" if " or " in t and not t.startswith("(") else t for t in tests)
            lines.append(f"    {keyword} {test}:")
            lines += ["        " + line.replace("VALUES", values) for line in _emit_road(op, pattern, env)]
            keyword = "elif"
        arrays = " and ".join(
            f"{q.name}.__class__ in ARRAYS"
            if not q.scalar and q.kind == TENSOR
            else f"({q.name} is None or {q.name}.__class__ in ARRAYS or {q.name}.__class__ in NUMBERS)"
            for q in params[1:]
        )
        first_array = f"{p0}.__class__ in ARRAYS"
        lines.append(f"if {first_array}" + (f" and {arrays}" if arrays else "") + ":")
        lines.append("    r = FORWARD(" + plain_call + ")")
        n_out, n_aux = len(op.outputs), len(op.aux)
        if n_aux:
            lines.append("    return r[0]" if n_out == 1 else f"    return r[:{n_out}]")
        else:
            lines.append("    return r")
    lines.append(f"return CAREFUL(OP, {values}" + (", out)" if op.out else ")"))
    simple = op.name.rsplit(".", 1)[-1]
    head, first = parameters(simple, op.params, op.out, op.names, env)
    source = f"def {simple}({head}):\n" + "".join(f"    {line}\n" for line in first + lines)
    return execute(source, op.name, env)[simple]


# -- the careful road ------------------------------------------------------------------------------------------


def type_error(op: Op, position: int, name: str, expected: str, value: Any) -> TypeError:
    kind = type(value)
    shown = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    simple = op.name.rsplit(".", 1)[-1]
    name = op.names.get(name, name)
    return TypeError(f"{simple}(): argument '{name}' (position {position}) must be {expected}, not {shown}")


def promote(op: Op, operands: list[Any]) -> dtypes.dtype | None:
    """The dtype to compute in, by `op.promote`: None leaves operands as they are."""
    mode = op.promote
    if mode is None or mode == "none":
        return None
    common = dtypes.result_type(operands)
    if mode == "float" and common.category < dtypes.FLOATING:
        return dtypes.get_default_dtype()
    return common


def broadcast_check(arrays: list[Any]) -> None:
    """PyTorch's error for shapes that do not broadcast."""
    shapes = [a.shape if hasattr(a, "shape") else () for a in arrays]
    if len(set(shapes) - {()}) < 2:
        return
    known: tuple[int, ...] = ()
    for shape in shapes:
        a, b = known, shape
        n = max(len(a), len(b))
        merged = []
        for d in range(n):
            da = a[d - n + len(a)] if d - n + len(a) >= 0 else 1
            db = b[d - n + len(b)] if d - n + len(b) >= 0 else 1
            if da != db and 1 not in (da, db):
                # PyTorch finds the last dimension that clashes first.
                for e in range(n - 1, -1, -1):
                    ea = a[e - n + len(a)] if e - n + len(a) >= 0 else 1
                    eb = b[e - n + len(b)] if e - n + len(b) >= 0 else 1
                    if ea != eb and 1 not in (ea, eb):
                        raise RuntimeError(
                            f"The size of tensor a ({ea}) must match the size of tensor b ({eb}) at non-singleton "
                            f"dimension {e}"
                        )
            merged.append(db if da == 1 else da)
        known = tuple(merged)


def classify(op: Op, values: tuple[Any, ...]) -> tuple[list[Any], bool, Any]:
    """Check each tensor argument's type. Returns (values as a list, any Tensor among them, interpreter or None).

    An interpreter is an argument that is neither array nor Tensor but knows how to be computed with: it has
    `__wengert_op__(op, values)` (symbols, batched arrays, tracers, Tensor subclasses).
    """
    vals = list(values)
    tensors = False
    interpreter = None
    for i, (p, v) in enumerate(zip(op.params, vals, strict=True)):
        if not p.is_tensor or (v is None and p.kind == OPTIONAL):
            continue
        items: Any = (v,)
        if p.kind == LIST:
            if isinstance(v, (Tensor, np.ndarray)) or not hasattr(v, "__iter__"):
                raise type_error(op, i + 1, p.name, "tuple of Tensors", v)
            vals[i] = items = tuple(v)
        for k, x in enumerate(items):
            cls = x.__class__
            if cls in PLAIN_TYPES:
                tensors = True
            elif cls in ARRAY_TYPES or (p.scalar and cls in NUMBER_TYPES):
                continue
            elif hasattr(cls, "__wengert_op__"):
                interpreter = x if interpreter is None else max(interpreter, x, key=_priority)
            elif isinstance(x, Tensor):
                tensors = True
            elif p.kind == LIST:
                raise TypeError(f"expected Tensor as element {k} in argument {i}, but got {type(x).__name__}")
            elif p.scalar and isinstance(x, (int, float, complex)):
                vals[i] = x if isinstance(x, (bool, int, float, complex)) else float(x)
            else:
                raise type_error(op, i + 1, p.name, "Tensor", x)
    return vals, tensors, interpreter


def _priority(x: Any) -> int:
    return int(getattr(x, "__wengert_priority__", 0))


def careful(op: Op, values: tuple[Any, ...], out: Any = None) -> Any:
    """Run one operation with every check and every mode."""
    observers = LOCAL.observers
    if observers:
        LOCAL.began = perf_counter_ns()
        if LOCAL.special == 1 and out is None:
            # No mode but somebody looking on: take the fast road as if nobody did, then tell.
            result = (op.unwatched or _unwatched(op))(*values)
            if result is not LEFT:
                outputs = result if isinstance(result, tuple) else (result,)
                if isinstance(outputs[0], Tensor):
                    for observer in observers:
                        observer.recorded(op, values, outputs)
                return result
    vals, tensors, interpreter = classify(op, values)
    if interpreter is not None:
        return interpreter.__wengert_op__(op, vals)
    if not tensors:
        return _on_arrays(op, vals)
    if op.composite is not None and MODES.active and out is None and _by_definition(op, vals):
        plain = [v for v, p in zip(vals, op.params, strict=True) if not p.keyword_only]
        return op.composite(*plain, **{p.name: v for v, p in zip(vals, op.params, strict=True) if p.keyword_only})
    if MODES.active and (LOCAL.dual_level >= 0):
        from .forward_ad import careful_jvp, has_tangents

        if has_tangents(vals):
            return careful_jvp(op, vals, out)
    return apply(op, vals, out)


def _by_definition(op: Op, vals: list[Any]) -> bool:
    """Must a fused operation be computed by its definition? Batched arrays and tangents are not for its kernel."""
    flat = [x for v in vals for x in (v if isinstance(v, tuple) else (v,))]
    if any(isinstance(x, Tensor) and x._array.__class__ is Batched for x in flat):
        return op.batch is None
    if LOCAL.dual_level >= 0 and op.jvp is None:
        from .forward_ad import has_tangents

        return has_tangents(vals)
    return False


class _Nobody:
    """Stands for MODES where the fast road is to run as if nobody looked on."""

    active = 0


LEFT = object()  # what such a call gives where the fast road would have left it to the careful one


def _left(op: Op, values: tuple[Any, ...], out: Any = None) -> Any:
    return LEFT


def _unwatched(op: Op) -> Any:
    """The row's function, with MODES and the careful road of its own; it takes every argument by position."""
    _compile(op)
    code, env = op.function.__code__, op.function.__globals__
    count = len(op.params)
    code = code.replace(co_argcount=count, co_kwonlyargcount=code.co_argcount + code.co_kwonlyargcount - count)
    op.unwatched = FunctionType(code, {**env, "MODES": _Nobody, "CAREFUL": _left}, op.function.__name__)
    op.unwatched.__kwdefaults__ = op.function.__kwdefaults__  # of out=, and of NumPy's names for arguments
    return op.unwatched


def _on_arrays(op: Op, vals: list[Any]) -> Any:
    """No tensor among the arguments: a rule at work, or a mistake."""
    positions = [i for i, p in enumerate(op.params) if p.is_tensor]
    if positions and not any(_is_array(vals[i]) for i in positions):
        i = positions[0]
        if op.of_numbers and isinstance(vals[i], (int, float, complex)):
            first = np.asarray(vals[i], dtypes.of_scalar(vals[i]).np)
            return apply(op, [*vals[:i], wrap(first), *vals[i + 1 :]])
        raise type_error(op, i + 1, op.params[i].name, "Tensor", vals[i])
    results = forward(op, vals)
    if op.variadic:
        return tuple(results)
    return results[0] if len(op.outputs) == 1 else tuple(results[: len(op.outputs)])


def _is_array(v: Any) -> bool:
    if isinstance(v, tuple):
        return all(x.__class__ in ARRAY_TYPES for x in v)
    return v.__class__ in ARRAY_TYPES


def forward(op: Op, vals: list[Any]) -> list[Any]:
    """The forward on arrays, with promotion and checks. Returns outputs, then what is saved besides."""
    arrays = [
        v
        if not p.is_tensor
        else tuple(getattr(x, "_array", x) for x in v)
        if p.kind == LIST
        else getattr(v, "_array", v)
        for p, v in zip(op.params, vals, strict=True)
    ]
    if op.check is not None:
        op.check(*(arrays if top_level(arrays) < 0 else first_example(arrays)))
    positions = [i for i, p in enumerate(op.params) if p.is_tensor and vals[i] is not None]
    common = None
    if op.promote in ("default", "float") and op.kind == "elementwise" and _uniform(op, arrays):
        pass
    elif op.promote is not None:
        flat: list[Any] = []
        for i in positions:
            flat.extend(arrays[i]) if op.params[i].kind == LIST else flat.append(arrays[i])
        if op.kind == "elementwise":
            broadcast_check(flat)
        if op.promote == "same":
            _same_dtype(op, flat)
        common = promote(op, flat)
    if common is not None:
        target = common.np
        for i in positions:
            arrays[i] = (
                tuple(cast(a, target) for a in arrays[i]) if op.params[i].kind == LIST else cast(arrays[i], target)
            )
    try:
        results = run_forward(op, arrays)
    except np.linalg.LinAlgError:
        raise
    except (ValueError, TypeError) as error:
        if type(error) is ValueError or "ufunc" in str(error):
            simple = op.name.rsplit(".", 1)[-1]
            if "ufunc" in str(error):
                which = common.name if common is not None else "these"
                raise NotImplementedError(f"\"{simple}\" not implemented for '{_type_name(common, which)}'") from error
            raise RuntimeError(f"{simple}(): {error}") from error
        raise
    if op.single and not op.aux:
        results = (results,)
    results = list(results)
    for k in range(len(results) if op.variadic else len(op.outputs)):
        if results[k].__class__ is not np.ndarray and isinstance(results[k], np.generic):
            results[k] = np.asarray(results[k])
    if op.promote == "default" and common is not None and results[0].dtype.kind != "b":
        results[0] = cast(results[0], common.np)
    return results


def _uniform(op: Op, arrays: list[Any]) -> bool:
    """Are the operands floating-point arrays of one dtype and, if they have dimensions, of one shape?"""
    dtype = shape = None
    for p, a in zip(op.params, arrays, strict=True):
        if not p.is_tensor:
            continue
        if not hasattr(a, "dtype") or (dtype is not None and (a.dtype is not dtype or a.shape != shape)):
            return False
        dtype, shape = a.dtype, a.shape
    return dtype is _F32 or dtype is _F64


def _type_name(common: dtypes.dtype | None, fallback: str) -> str:
    return common.tensor_type if common is not None else fallback


def _same_dtype(op: Op, arrays: list[Any]) -> None:
    first = arrays[0].dtype
    for a in arrays[1:]:
        if a.dtype != first:
            simple = op.name.rsplit(".", 1)[-1]
            raise RuntimeError(
                f"{simple}(): expected all operands to have the same dtype, but got: "
                f"{dtypes.of(first).tensor_type.lower()} != {dtypes.of(a.dtype).tensor_type.lower()}"
            )


def cast(a: Any, target: np.dtype[Any]) -> Any:
    """An array, or a Python number, in dtype `target`. Integers wrap, complex loses its imaginary part."""
    if a.__class__ in NUMBER_TYPES:
        if a.__class__ is int and target.kind in "iu":
            return np.asarray(a & (1 << 64) - 1 if a >= 1 << 63 else a).astype(target)
        return np.asarray(a).astype(target)
    if a.dtype == target:
        return a
    if a.dtype.kind == "c" and target.kind != "c":
        return a.real.astype(target)
    return a.astype(target)


def pattern_of(op: Op, vals: list[Any]) -> str:
    return "".join(
        "L" if p.kind == LIST else "T" if isinstance(v, Tensor) else "S"
        for p, v in zip(op.params, vals, strict=True)
        if p.is_tensor
    )


def apply(op: Op, vals: list[Any], out: Any = None) -> Any:
    """Forward on Tensors and, where gradients are wanted, the node."""
    for i, p in enumerate(op.params):
        if p.is_tensor:
            v = vals[i]
            if p.kind == LIST:
                vals[i] = tuple(wrap(np.asarray(x)) if x.__class__ in ARRAY_TYPES else x for x in v)
            elif v.__class__ in ARRAY_TYPES:
                vals[i] = wrap(np.asarray(v))
    if out is not None:
        refuse_out(op, vals, out)
    results = forward(op, vals) if LOCAL.replay is None else LOCAL.replay(op, vals, forward)
    n_out = len(results) if op.variadic else len(op.outputs)
    outputs = [wrap(np.asarray(x) if x.__class__ in ARRAY_TYPES else x) for x in results[:n_out]]
    if op.view:
        from .views import mark_view

        first = vals[0]  # of a list, each result is a view of the element in its place
        for t, x in zip(outputs, first if isinstance(first, tuple) else (first,) * len(outputs), strict=True):
            mark_view(t, x, op.view == "maybe", op.multi_view)
    if LOCAL.inference:
        for t in outputs:
            base = t._base  # a view of a normal tensor is a normal tensor
            if base is None or (base._extra is not None and base._extra.inference):
                mark_inference(t)
    elif LOCAL.grad:
        record(op, vals, outputs, results)
    if LOCAL.anomaly is not None:
        LOCAL.anomaly.computed(op, vals, outputs)
    if LOCAL.observers:
        for observer in LOCAL.observers:
            observer.recorded(op, vals, outputs)
    if out is not None:
        from .out import write_out

        return write_out(op, vals, out, outputs)
    if op.single:
        return outputs[0]
    return tuple(outputs) if op.result is tuple else op.result(*outputs)


def refuse_out(op: Op, vals: list[Any], out: Any) -> None:
    """`out=` and gradients do not go together."""
    simple = op.name.rsplit(".", 1)[-1]
    outs = out if isinstance(out, (tuple, list)) else (out,)
    if len(outs) != len(op.outputs) or not all(isinstance(t, Tensor) for t in outs):
        raise type_error(op, 0, "out", "Tensor" if len(op.outputs) == 1 else "tuple of Tensors", out)
    flat = [x for p, v in zip(op.params, vals, strict=True) if p.is_tensor for x in (v if p.kind == LIST else (v,))]
    if LOCAL.vmap_levels and any(isinstance(x, Tensor) and x._is_batched() for x in (*flat, *outs)):
        raise RuntimeError(
            f"Batching rule not implemented for aten::{simple}.out; the fallback path doesn't work on out= or view ops."
        )
    if LOCAL.dual_level >= 0:
        from .forward_ad import has_tangents
        from .forward_ad import refuse_out as refuse_dual

        if has_tangents(list(outs)):
            refuse_dual(op.name)
    if not LOCAL.grad:
        return
    if any(isinstance(x, Tensor) and x._rg for x in flat) or any(t._rg for t in outs):
        raise RuntimeError(
            f"{simple}(): functions with out=... arguments don't support automatic differentiation, but one of the "
            "arguments requires grad."
        )


def record(op: Op, vals: list[Any], outputs: list[Any], results: list[Any]) -> Node | None:
    """Make the node of an operation that ran on the careful road, if any argument needs a gradient."""
    if not any(op.differentiable):
        return None
    names = [p.name for p in op.params]
    by_name = dict(zip(names, vals, strict=True))
    if op.kind == "elementwise":
        v = variant(op, pattern_of(op, vals), _any_complex(op, vals, outputs), mixes(op, vals, outputs[0]))
    else:
        v = variant(op, pattern_of(op, vals))
    needs = {}
    for i, p in v.targets:
        value = by_name[p.name]
        needs[i] = any(x._rg for x in value) if p.kind == LIST else value._rg
    if not any(needs.values()):
        return None
    differentiable = op.differentiable_among(outputs)
    if not any(d and o._array.dtype.kind in "fcV" for d, o in zip(differentiable, outputs, strict=True)):
        return None
    n: Any = _new(v.node)
    n.seq = next(SEQUENCE)
    n.extra = None
    n.freed = False
    if op.variadic:
        n.n_outputs = len(outputs)
    if len(outputs) == 1:
        n.shape, n.dtype = outputs[0]._array.shape, outputs[0]._array.dtype
    else:
        n.shape = None
        n.outs = tuple((t._array.shape, t._array.dtype) for t in outputs)
    edges: list[Any] = []
    targets = {i for i, _ in v.targets}
    for i, p in enumerate(op.tensor_params):
        value = by_name[p.name]
        if p.kind == LIST:
            edges.extend((x._edge or leaf_edge(x)) if x._rg and i in targets else NO_EDGE for x in value)
        else:
            edges.append((value._edge or leaf_edge(value)) if needs.get(i) else NO_EDGE)
    n.next = tuple(edges)
    _save(n, v, by_name, needs, outputs, results)
    for k, (t, d) in enumerate(zip(outputs, differentiable, strict=True)):
        if d and t._array.dtype.kind in "fcV":
            t._rg = True
            t._edge = (n, k)
    if LOCAL.anomaly is not None:
        LOCAL.anomaly.made(n, vals, outputs)
    return n


def mixes(op: Op, vals: list[Any], output: Any) -> bool:
    """Was an operand of an elementwise operation promoted to the result's dtype?"""
    if op.promote not in ("default", "float"):
        return False
    d = output._array.dtype
    return any(
        p.is_tensor and isinstance(v, Tensor) and v._array.dtype != d for p, v in zip(op.params, vals, strict=True)
    )


def _any_complex(op: Op, vals: list[Any], outputs: list[Any]) -> bool:
    flat = [x for p, v in zip(op.params, vals, strict=True) if p.is_tensor for x in (v if p.kind == LIST else (v,))]
    return any(
        isinstance(x, complex) or (isinstance(x, Tensor) and x._array.dtype.kind == "c") for x in (*flat, *outputs)
    )


def _save(
    n: Any, v: Variant, by_name: dict[str, Any], needs: dict[int, bool], outputs: list[Any], results: list[Any]
) -> None:
    from .saved import pack

    op = v.op
    saved_tensors = []
    counters: list[Any] = []
    for name, (how, users) in v.saves.items():
        wanted = op.joint is not None or any(needs[i] for i in users)
        if how == "tensor":
            value = pack(n, by_name[name]) if wanted else None
            saved_tensors.append((name, value))
        elif how == "list":
            value = tuple(pack(n, x) for x in by_name[name])
            saved_tensors.extend((name, x) for x in value)
        elif how == "plain":
            value = by_name[name]
        elif how == "shape":
            value = by_name[name.removesuffix("_shape")]._array.shape
        elif how == "scalar_shape":
            value = ()
        elif how == "shapes":
            value = tuple(x._array.shape for x in by_name[name.removesuffix("_shape")])
        elif how == "output":
            t = outputs[op.outputs.index(name)]
            if t._vc is None:
                t._vc = [0, None]
            counters.append(t._vc)
            value = pack(n, t, op.outputs.index(name))
        elif how == "output_shape":
            value = outputs[op.outputs.index(name.removesuffix("_shape"))]._array.shape
        else:
            value = results[len(op.outputs) + op.aux.index(name)]
        setattr(n, name, value)
    if any(how in ("tensor", "list") for how, _ in v.saves.values()):
        n.versions = versions_of(tuple(saved_tensors))
    if counters:
        n.out_counters = tuple(counters)
        n.out_versions = tuple(c[0] for c in counters)
