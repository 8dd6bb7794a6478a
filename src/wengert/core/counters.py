"""Version counters that tell on: how changes through `t.data` are counted. How counters are used is in `views`."""

from __future__ import annotations

from typing import Any


class DataCounter(list[Any]):
    """The version counter of `t.data`, `[version, views]`. PyTorch leaves `t._version` alone when `t.data` is changed
    in place, and then computes a wrong gradient if `t` was saved. Here the counter of `t` counts such changes too, so
    that backward notices them, and beside that how many they were, so that `t._version` can leave them out.
    """

    __slots__ = ("source",)

    def __init__(self, source: list[Any]) -> None:
        super().__init__((0, None))
        self.source = source

    def tell(self) -> None:
        """The memory was changed: count it where `.data` was read."""
        source = self.source
        source[2:] = [unseen(source) + 1]
        source[0] += 1
        if source.__class__ is DataCounter:
            source.tell()


def unseen(counter: list[Any]) -> int:
    """How many of the changes that `counter` has counted were made through `.data`."""
    return counter[2] if len(counter) > 2 else 0
