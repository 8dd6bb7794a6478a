"""Node classes: for each pattern of arguments of a row (T a tensor, S a number or None, L a list), one with a slot for each
saved value and its `run` (on arrays) and `run_recorded` (on Tensors), written as source, both calling the very rule of the row.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..kernels.threads import LARGE
from .batched import Batched
from .blocks import COMPILED, blockwise, enough
from .modes import MODES
from .node import FREED_MESSAGE, NO_EDGE, SEQUENCE, Node, leaf_edge
from .node_calls import check_version, materialise, opposite, saved_output, versions_of
from .op import LIST, Op, Rule
from .signatures import execute
from .tensor import PLAIN_TYPES, Tensor, wrap

# What a rule may be called with and computes on directly: arrays and the scalars NumPy makes of 0-dim results.
_SCALARS = (
    *(np.float64, np.float32, np.float16, np.complex128, np.complex64, np.bool_),
    *(np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64),
)
ARRAY_TYPES: set[type] = {np.ndarray, *_SCALARS}  # and that of bfloat16, once it is used
NUMBER_TYPES = frozenset([int, float, bool, complex])


def _as_array(x: Any) -> Any:
    """NumPy's scalars as arrays; a batch stays one."""
    return x if x.__class__ is Batched else np.asarray(x)


_new = object.__new__
# A saved tensor, in generated source: itself, or what its unpack hook gives.
_PLACED = "s if isinstance(s, Tensor) else s.unpack(n)"
# Might what was saved have been changed, or detached, since? (`versions` notes those that had been changed before.)
_DOUBTFUL = (
    "s._vc is not None and (s._vc[0] or n.versions is not None or s._extra is not None and s._extra.detached > n.seq)"
)
# From NumPy 2.3 on, `out=...` makes a ufunc return a 0-dim array where it would return a scalar.
KEEPS_ARRAYS = tuple(int(n) for n in np.__version__.split(".")[:2]) >= (2, 3)
GLOBALS: dict[str, Any] = {
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
    "FUSED_FROM": 1 << 14,
    "blockwise": blockwise,
    "opposite": opposite,
    "F32": np.dtype(np.float32),
    "F64": np.dtype(np.float64),
}


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

    @functools.cached_property
    def recorder(self) -> Any:
        """`(values, outputs, results) -> node or None`: makes the node as the fast road does; None where that does not know
        how, for lists and results of any number.
        """
        op = self.op
        if "L" in self.pattern or op.variadic or not all(op.differentiable):
            return None
        flags = [f"q{i}" for i, _ in self.targets]
        count = len(op.outputs)
        lines = [f"{p.name} = VALUES[{k}]" for k, p in enumerate(op.params)]
        lines += [f"{q} = {op.tensor_params[i].name}._rg" for q, (i, _) in zip(flags, self.targets, strict=True)]
        lines.append(f"if not ({' or '.join(flags) or 'False'}): return None")
        for k in range(count):
            lines += [f"t{k} = OUTPUTS[{k}]", f"x{k} = t{k}._array"]
        lines += [f"y{k} = RESULTS[{count + k}]" for k in range(len(op.aux))]
        lines += self.emit_record([f"x{k}" for k in range(count)], [f"y{k}" for k in range(len(op.aux))])
        for k in range(count):
            lines += [f"t{k}._rg = True", f"t{k}._edge = (node_, {k})"]
        lines.append("return node_")
        env = {**GLOBALS, "NODE": self.node}
        source = "def record(VALUES, OUTPUTS, RESULTS):\n" + "".join(f"    {line}\n" for line in lines)
        return execute(source, f"{op.name} {self.pattern} record", env)["record"]

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
        env = dict(GLOBALS)
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
        if op.part:
            options = ", ".join(f"n.{p.name}" for p in op.params[1:])
            env["FORWARD"] = op.forward
            part = execute(f"def part(n, whole): return FORWARD(whole, {options})", f"{op.name} part", env)["part"]
            setattr(cls, "part", part)  # noqa: B010
        if op.composite is not None:
            from .node_calls import run_composite

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
                    lines.append(f"if {_DOUBTFUL}: check_version(n, {name!r}, s)")
                    lines.append(f"v_{name} = {_PLACED}" if recorded else f"v_{name} = s._array")
                    if not recorded and self.op.kind == "elementwise":
                        # 0-dim: NumPy is several times faster with its scalars than with 0-dim arrays.
                        lines.append(f"if g.__class__ is not ndarray: v_{name} = v_{name}[()]")
                    if self.mixed:
                        lines.append(f"v_{name} = v_{name}.{'to' if recorded else 'astype'}(g.dtype)")
                    args.append(f"v_{name}")
                elif how == "list":
                    lines.append(f"for s in n.{name}:")
                    lines.append(f"    if {_DOUBTFUL}: check_version(n, {name!r}, s)")
                    lines.append(
                        f"v_{name} = "
                        + (f"[({_PLACED}) for s in n.{name}]" if recorded else f"[s._array for s in n.{name}]")
                    )
                    args.append(f"v_{name}")
                elif how == "output":
                    k = self.op.outputs.index(name)
                    checked = f"v_{name} = saved_output(n, {name!r}, {k}, {recorded})"
                    if not recorded:  # the ordinary case, an array that nobody changed, is decided here
                        i = [s for s, (h, _) in self.saves.items() if h == "output"].index(name)
                        lines += [f"v_{name} = n.{name}", f"c = n.out_counters[{i}]"]
                        unchanged = f"c is not None and c[0] == n.out_versions[{i}]"
                        checked = f"if not (v_{name}.__class__ is ndarray and {unchanged}): {checked}"
                    lines.append(checked)
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
                    if rule.fn == -1 and not recorded and len(self.pattern) > 1:
                        value += f" if g.__class__ is not ndarray or g.size < {LARGE} else opposite(g, n.next[{i}][0])"
                elif rule.takes_g:
                    value = f"RULE_{p.name}({args})"
                    if op.kind == "elementwise" and not recorded:
                        plain = f"g.__class__ is not ndarray or g.size < {enough(rule.fn)}"
                        value += f" if {plain} else blockwise(RULE_{p.name}, {args})"
                elif op.kind == "elementwise":
                    if rule.identity is not None:
                        partial = args = args.split(", ")[rule.identity]
                    else:
                        partial = f"RULE_{p.name}({args})"
                    value = f"g * {partial}" + (".conjugate()" if self.complex else "")
                    if not recorded and not self.complex:
                        pull = env[f"PULL_{p.name}"] = np.multiply if rule.identity is not None else _pull(rule.fn)
                        plain = f"g.__class__ is not ndarray or g.size < {enough(pull)}"
                        value += f" if {plain} else blockwise(PULL_{p.name}, g, {args})"
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
        if op.variadic:
            (many,) = results
            lines += [
                f"node_.n_outputs = len({many})",
                f"if len({many}) == 1: node_.shape, node_.dtype = {many}[0].shape, {many}[0].dtype",
                f"else: node_.shape, node_.outs = None, tuple([(x.shape, x.dtype) for x in {many}])",
            ]
        elif len(op.outputs) == 1:
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
        if self.pattern == "L":
            listed = f"[(x._edge or leaf_edge(x)) if x._rg else NO_EDGE for x in {names[0]}]"
            lines.append(f"node_.next = tuple({listed})")
        else:
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
            elif how == "shapes":
                lines.append(f"node_.{name} = tuple([x._array.shape for x in {name.removesuffix('_shape')}])")
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
