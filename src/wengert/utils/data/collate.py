"""How samples become a batch: `default_collate`, and `default_convert` for single samples."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from ...core.dtypes import float64
from ...core.tensor import Tensor
from ...ops.creation import as_tensor, tensor
from ...ops.joining import stack

CollateMap = dict[Any, Callable[..., Any]]


def default_collate(batch: Any) -> Any:
    """Stack samples in a new first dimension: tensors, arrays and numbers become one tensor.

    Mappings, named tuples and sequences are kept (tuples become lists), their members collated; strings stay a list.
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)


def collate(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Any:
    """`default_collate` with functions of one's own for some types of samples."""
    first = batch[0]
    kind = type(first)
    for types, fn in (collate_fn_map or {}).items():
        if kind is types:
            return fn(batch, collate_fn_map=collate_fn_map)
    for types, fn in (collate_fn_map or {}).items():
        if isinstance(first, types):
            return fn(batch, collate_fn_map=collate_fn_map)
    if isinstance(first, Mapping):
        return _mapping(first, {key: collate([d[key] for d in batch], collate_fn_map=collate_fn_map) for key in first})
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return kind(*(collate(s, collate_fn_map=collate_fn_map) for s in zip(*batch, strict=False)))
    if isinstance(first, Sequence):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        columns = [collate(s, collate_fn_map=collate_fn_map) for s in zip(*batch, strict=True)]
        return columns if isinstance(first, tuple) else _sequence(first, columns)
    raise TypeError(_MESSAGE.format(kind))


def _mapping(like: Any, found: dict[Any, Any]) -> Any:
    """A mapping of the kind of `like`, which may have more attributes, holding what was found."""
    try:
        if isinstance(like, MutableMapping):
            clone = copy.copy(like)
            clone.update(found)
            return clone
        return type(like)(found)
    except TypeError:
        return found


def _sequence(like: Any, found: list[Any]) -> Any:
    try:
        if isinstance(like, MutableSequence):
            clone = copy.copy(like)
            for i, x in enumerate(found):
                clone[i] = x
            return clone
        return type(like)(found)
    except TypeError:
        return found


_MESSAGE = "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"


def _arrays(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Any:
    if batch[0].dtype.kind in "SUO":
        raise TypeError(_MESSAGE.format(batch[0].dtype))
    return collate([as_tensor(b) for b in batch], collate_fn_map=collate_fn_map)


default_collate_fn_map: CollateMap = {
    Tensor: lambda batch, *, collate_fn_map=None: stack(batch, 0),
    np.ndarray: _arrays,
    (np.bool_, np.number, np.object_): lambda batch, *, collate_fn_map=None: as_tensor(np.asarray(batch)),
    float: lambda batch, *, collate_fn_map=None: tensor(batch, dtype=float64),
    int: lambda batch, *, collate_fn_map=None: tensor(batch),
    str: lambda batch, *, collate_fn_map=None: batch,
    bytes: lambda batch, *, collate_fn_map=None: batch,
}


def default_convert(data: Any) -> Any:
    """A sample with its arrays made tensors, wherever they are in it."""
    if isinstance(data, Tensor):
        return data
    if isinstance(data, (np.ndarray, np.generic)):
        return data if data.dtype.kind in "SUO" else as_tensor(data)
    if isinstance(data, Mapping):
        return _mapping(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(default_convert(d) for d in data))
    if isinstance(data, tuple):
        return [default_convert(d) for d in data]
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _sequence(data, [default_convert(d) for d in data])
    return data
