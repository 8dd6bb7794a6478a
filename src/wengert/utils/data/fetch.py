"""How the samples of one batch are taken from a dataset."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ...core.tensor import wrap
from ...ops.slices import index_select
from .collate import default_collate
from .dataset import IterableDataset, TensorDataset


class Fetcher:
    """`fetch(indices)` gives the collated batch. With `auto_collation` off there is one index, and one sample."""

    def __init__(self, dataset: Any, auto_collation: bool, collate_fn: Any, drop_last: bool) -> None:
        self.dataset, self.auto_collation, self.collate_fn, self.drop_last = (
            dataset,
            auto_collation,
            collate_fn,
            drop_last,
        )
        self.stream = iter(dataset) if isinstance(dataset, IterableDataset) else None
        # Stacking the rows of tensors is the same as taking them all at once.
        self.at_once = (
            type(dataset) is TensorDataset
            and auto_collation
            and collate_fn is default_collate
            and not any(t._rg or not t.ndim for t in dataset.tensors)
        )

    def fetch(self, indices: Any) -> Any:
        if self.stream is not None:
            return self._from_stream(indices)
        if self.at_once and len(indices) and all(type(i) is int and i >= 0 for i in indices):
            return [index_select(t, 0, _places(indices)) for t in self.dataset.tensors]
        if not self.auto_collation:
            return self.collate_fn(self.dataset[indices])
        several = getattr(self.dataset, "__getitems__", None)
        return self.collate_fn(several(indices) if several else [self.dataset[i] for i in indices])

    def _from_stream(self, indices: Any) -> Any:
        assert self.stream is not None
        if not self.auto_collation:
            return self.collate_fn(next(self.stream))
        samples = list(itertools.islice(self.stream, len(indices)))
        if not samples or (self.drop_last and len(samples) < len(indices)):
            raise StopIteration
        return self.collate_fn(samples)


def _places(indices: list[int]) -> Any:
    return wrap(np.array(indices, np.int64))
