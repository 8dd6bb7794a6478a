"""How recorded values look in a line of text: small ones whole, large ones by shape, norm and extremes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .notation import number
from .recording import Shot

WIDE = 40  # characters that a value may take inside a formula


def array_text(a: Any, digits: int = 4) -> str:
    """An array as nested lists, on one line."""
    return _listed(np.asarray(a).tolist(), digits)


def _listed(x: Any, digits: int) -> str:
    return "[" + ", ".join([_listed(y, digits) for y in x]) + "]" if x.__class__ is list else number(x, digits)


def whole_text(shot: Shot) -> str:
    """All numbers of a value that is kept whole."""
    if shot.text is None:
        shot.text = array_text(shot.array)
    return shot.text


def shape_text(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) if shape else "()"


def shot_text(shot: Shot | None, wide: int = WIDE) -> str:
    """A value: whole if that fits in `wide` characters, else in summary."""
    if shot is None:
        return "?"
    if shot.whole:
        if shot.size == 0:
            return f"empty {shape_text(shot.shape)}"
        shown = whole_text(shot) if 3 * shot.size <= wide + 4 else None
        if shown is not None and len(shown) <= wide:
            return shown
    elif shot.low is None:
        return f"shape {shape_text(shot.shape)}"
    return summary(shot)


def summary(shot: Shot) -> str:
    low, high, norm = shot.stats()
    bad = shot.non_finite()
    found = f"{shape_text(shot.shape)}, norm {number(norm, 3)}, {number(low, 3)} to {number(high, 3)}"
    return found + (f", {bad} not finite" if bad else "")


def is_short(shot: Shot | None, wide: int = WIDE) -> bool:
    """Can the value stand in a formula?"""
    return shot is not None and shot.whole and 0 < 3 * shot.size <= wide + 4 and len(whole_text(shot)) <= wide
