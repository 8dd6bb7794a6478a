"""Calling a module with parameters from outside, and stacking the parameters of several modules."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: Any,
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call `module` with the given tensors in place of its parameters and buffers; the module is left as it was.

    With `tie_weights`, tensors that the module shares between names stay shared. `strict` refuses missing or unexpected
    names.
    """
    if isinstance(parameter_and_buffer_dicts, (list, tuple)):
        given: dict[str, Any] = {}
        for d in parameter_and_buffer_dicts:
            repeated = set(given) & set(d)
            if repeated:
                raise ValueError(
                    f"{sorted(repeated)} appear in multiple dictionaries; behavior of functional call is ambiguous"
                )
            given.update(d)
    else:
        given = dict(parameter_and_buffer_dicts)
    own: dict[str, Any] = {}
    for kind in (module.named_parameters, module.named_buffers):
        for name, t in kind(remove_duplicate=False):
            own[name] = t
    unexpected = [n for n in given if n not in own]
    missing = [n for n in own if n not in given]
    if strict and (unexpected or missing):
        raise RuntimeError(
            "Error(s) in strict functional_call: "
            + "; ".join(
                f"{what} key(s): {', '.join(map(repr, names))}"
                for what, names in (("unexpected", unexpected), ("missing", missing))
                if names
            )
        )
    if tie_weights:
        for name, t in own.items():
            if name not in given:
                twin = next((n for n, u in own.items() if u is t and n in given), None)
                if twin is not None:
                    given[name] = given[twin]
    changed: list[tuple[Any, str, str, Any]] = []
    try:
        for name, t in given.items():
            if name not in own:
                continue
            path, _, last = name.rpartition(".")
            owner = module.get_submodule(path)
            for store in ("_parameters", "_buffers"):
                if last in owner.__dict__[store]:
                    changed.append((owner, store, last, owner.__dict__[store][last]))
                    owner.__dict__[store][last] = t
        positional = () if args is None else args if isinstance(args, tuple) else (args,)
        return module(*positional, **(kwargs or {}))
    finally:
        for owner, store, last, old in reversed(changed):
            owner.__dict__[store][last] = old


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters and buffers of modules of one architecture, each stacked along a new first dimension, as leaves."""
    from ..ops.joining import stack

    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if not (all(m.training for m in models) or not any(m.training for m in models)):
        raise RuntimeError("stack_module_state: Expected all models to have the same training/eval mode.")
    kind = type(models[0])
    if not all(type(m) is kind for m in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    parameters = {}
    for name, first in models[0].named_parameters():
        stacked = stack([dict(m.named_parameters())[name] for m in models]).detach()
        parameters[name] = stacked.requires_grad_(first.requires_grad)
    buffers = {
        name: stack([dict(m.named_buffers())[name] for m in models]).detach() for name, _ in models[0].named_buffers()
    }
    _ = copy
    return parameters, buffers
