"""Calling a module with parameters from outside, and stacking the parameters of several modules."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from ..core.tensor import Tensor


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
    if tie_weights:
        _tie(own, given)
    if strict:
        wrong = {"Unexpected": [n for n in given if n not in own], "Missing": [n for n in own if n not in given]}
        lines = [f"{what} key(s): {', '.join(map(repr, sorted(names)))}." for what, names in wrong.items() if names]
        if lines:
            raise RuntimeError(f"Error(s) in reparametrizing for {module._get_name()}:\n\t" + "\n\t".join(lines))
    changed: list[tuple[str, Any, Any]] = []
    try:
        for name, t in given.items():
            if name not in own:
                continue
            if not isinstance(t, Tensor):
                raise TypeError(f"{t} is not an instance of torch.Tensor")
            path, _, last = name.rpartition(".")
            owner = module.get_submodule(path)
            store = owner._parameters if last in owner._parameters else owner._buffers
            changed.append((name, store, store[last]))
            store[last] = t
        positional = () if args is None else args if isinstance(args, tuple) else (args,)
        return module(*positional, **(kwargs or {}))
    finally:
        for name, store, old in reversed(changed):
            last = name.rpartition(".")[2]
            # A buffer that the call replaced (and did not change in place) is handed back in the dictionary.
            if isinstance(parameter_and_buffer_dicts, dict) and name in parameter_and_buffer_dicts:
                parameter_and_buffer_dicts[name] = store[last]
            store[last] = old


def _tie(own: dict[str, Any], given: dict[str, Any]) -> None:
    """Names that share a tensor get the one that is given for any of them."""
    groups: dict[int, list[str]] = {}
    for name, t in own.items():
        groups.setdefault(id(t), []).append(name)
    for names in groups.values():
        here = [n for n in names if n in given]
        if len(names) < 2 or not here:
            continue
        if len({id(given[n]) for n in here}) > 1:
            raise ValueError(
                f"functional_call got multiple values for keys {sorted(names)}, which are tied. Consider using "
                "tie_weights=False"
            )
        for n in names:
            given[n] = given[here[0]]


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
        found = [dict(m.named_parameters())[name] for m in models]
        if any(p.requires_grad != first.requires_grad for p in found):
            raise RuntimeError(
                f"Expected {name} from each model to have the same .requires_grad setting (they are stacked into one leaf)"
            )
        stacked = stack(found).detach()
        parameters[name] = stacked.requires_grad_(first.requires_grad)
    buffers = {
        name: stack([dict(m.named_buffers())[name] for m in models]).detach() for name, _ in models[0].named_buffers()
    }
    return parameters, buffers


def replace_all_batch_norm_modules_(root: Any) -> Any:
    """Batch norms in `root` forget their running statistics, which a `vmap` cannot keep for each example. Returns `root`."""
    # By name, for `nn.utils` imports this module.
    kind = importlib.import_module("..nn.modules.batchnorm", __package__)._BatchNorm
    for module in root.modules():
        if isinstance(module, kind):
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root
