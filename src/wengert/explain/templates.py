"""Formulas with holes where names stand, each written once however often it occurs: a loop of a thousand rounds has a few.

Two expressions share a Template if they differ in names only. What writes them down is `notation` and `latex`.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from .latex import Latex, tex_name
from .notation import NUMBERS, Style
from .symbols import Call, Name

HOLES = 0xE000  # private use: hole k is the character HOLES + k
_NUMBER = re.compile(r"-?[\d.]+(e[+-]?\d+)?$|-?(inf|nan)$")
_CONSTANTS = (str, bool, type(None), type(Ellipsis))


class Template:
    """One formula."""

    def __init__(self, x: Any, shown: dict[int, str], holes: dict[str, int]) -> None:
        self._x = x
        self._shown = shown  # by id of a Name
        self._holes = holes  # by name: the number of its hole

    def _name(self, name: Name) -> str:
        shown = self._shown[id(name)]
        return chr(HOLES + self._holes[shown]) if shown in self._holes else shown

    @functools.cached_property
    def text(self) -> str:
        return Style(self._name).write(self._x)

    @functools.cached_property
    def tex(self) -> str:
        def name(name: Name) -> str:
            shown = self._name(name)
            return shown if ord(shown[0]) >= HOLES else tex_name(shown)

        return Latex(name).write(self._x)

    def signed(self, negative: tuple[bool, ...]) -> str:
        """The text where some of the names stand for negative numbers: a hole for what follows the minus."""
        return self._signed(negative)

    @functools.cached_property
    def _signed(self) -> Any:
        def write(negative: tuple[bool, ...]) -> str:
            def name(name: Name) -> str:
                shown = self._name(name)
                at = ord(shown[0]) - HOLES
                return f"-{shown}" if 0 <= at < len(negative) and negative[at] else shown

            return Style(name).write(self._x)

        return functools.cache(write)


class Templates:
    """All formulas of a ledger."""

    def __init__(self) -> None:
        self.known: dict[Any, Template] = {}

    def of(self, x: Any, rename: Any) -> tuple[Template, list[str]]:
        """(the formula of an expression, the names for its holes). A name that is a number has no hole."""
        shown: dict[int, str] = {}
        holes: dict[str, int] = {}
        order: dict[int, int] = {}

        def key(x: Any) -> Any:
            if isinstance(x, Name):
                name = shown.get(id(x))
                if name is None:
                    name = shown[id(x)] = rename(x)
                    order[id(x)] = len(order)
                    if not _NUMBER.match(name):
                        holes.setdefault(name, len(holes))
                return order[id(x)], holes.get(name, name), x._shape, x.ndim if x._shape is None else 0
            if isinstance(x, Call):
                return x.op, *[key(a) for a in x.args]
            if isinstance(x, (tuple, list)):
                return type(x), *[key(a) for a in x]
            if isinstance(x, slice):
                return "slice", key(x.start), key(x.stop), key(x.step)
            if isinstance(x, _CONSTANTS):
                return x.__class__, x
            if isinstance(x, NUMBERS):
                return x.__class__, repr(x)
            return id(x), len(self.known)  # an array, say: a formula of its own

        made = key(x)
        found = self.known.get(made)
        if found is None:
            found = self.known[made] = Template(x, shown, holes)
        return found, list(holes)


def filled(template: str, parts: list[str]) -> str:
    """A template's text with its holes filled."""
    for k, part in enumerate(parts):
        template = template.replace(chr(HOLES + k), part)
    return template
