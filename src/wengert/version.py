"""`torch.version`. `__version__` names the PyTorch whose behaviour this is, so that scripts that ask "is it at least 2.0" are
answered rightly; the local part after the `+` is Wengert's own version.
"""

from __future__ import annotations

import re
from typing import Any

wengert = "0.1.0"
debug = False
cuda = hip = rocm = xpu = git_version = None


class TorchVersion(str):
    """A version as text, that compares by its numbers with other versions, as text or as a tuple of numbers."""

    __slots__ = ()

    def _with(self, other: Any) -> tuple[Any, Any] | None:
        if isinstance(other, (tuple, list)):
            other = ".".join(map(str, other))
        elif not isinstance(other, str):
            return None
        mine, theirs = _key(self), _key(str(other))
        return (str(self), str(other)) if mine is None or theirs is None else (mine, theirs)

    def __lt__(self, other: Any) -> Any:
        pair = self._with(other)
        return NotImplemented if pair is None else pair[0] < pair[1]

    def __le__(self, other: Any) -> Any:
        pair = self._with(other)
        return NotImplemented if pair is None else pair[0] <= pair[1]

    def __gt__(self, other: Any) -> Any:
        pair = self._with(other)
        return NotImplemented if pair is None else pair[0] > pair[1]

    def __ge__(self, other: Any) -> Any:
        pair = self._with(other)
        return NotImplemented if pair is None else pair[0] >= pair[1]

    def __eq__(self, other: object) -> Any:
        pair = self._with(other)
        return NotImplemented if pair is None else pair[0] == pair[1]

    def __ne__(self, other: object) -> Any:
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    __hash__ = str.__hash__


def _key(text: str) -> Any:
    """What versions are ordered by: the numbers, then whether it is final, then the local part. None if it is no version."""
    found = re.fullmatch(
        r"v?(\d+(?:\.\d+)*)(?:[-_.]?(a|b|rc|alpha|beta|dev|post)[-_.]?(\d*))?(?:\.dev\d+)?(?:\+([\w.]+))?", text
    )
    if found is None:
        return None
    numbers = [int(n) for n in found[1].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    stage = {"dev": -4, "a": -3, "alpha": -3, "b": -2, "beta": -2, "rc": -1, None: 0, "post": 1}[found[2]]
    return (numbers, stage, int(found[3] or 0), found[4] or "")


__version__ = TorchVersion(f"2.13.0+wengert.{wengert}")
