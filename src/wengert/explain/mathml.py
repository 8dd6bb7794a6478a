"""LaTeX as `latex` writes it, as MathML: browsers show it without any library.

There is no second printer of formulas: an expression is written by `latex`, and this module only reads the small part of
LaTeX that `latex` and the rows' own `tex` use. A command it does not know raises ValueError, so a test over all rows finds
it. Characters of the private use area stand for themselves: `page` puts names in their places.
"""

from __future__ import annotations

import re
from html import escape

_TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|\d+(?:\.\d+)?|\s+|.", re.DOTALL)


def _words(shown: str) -> list[str]:
    return shown.split()


_LETTERS = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho varsigma sigma tau upsilon "
    "phi chi psi omega"
)
_GREEK = {name: chr(0x3B1 + k) for k, name in enumerate(_words(_LETTERS))}
_GREEK |= {"Gamma": "Γ", "Phi": "Φ", "Psi": "Ψ", "Sigma": "Σ", "Delta": "Δ", "infty": "∞", "top": "⊤", "nabla": "∇"}
_OPERATORS = {
    "cdot": "·", "times": "×", "star": "⋆", "ne": "≠", "le": "≤", "ge": "≥", "neg": "¬", "wedge": "∧", "vee": "∨",
    "oplus": "⊕", "div": "÷", "sum": "∑", "prod": "∏", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉",
    "lVert": "‖", "rVert": "‖", "pm": "±", "in": "∈", "circ": "∘", "odot": "⊙", "otimes": "⊗", "to": "→",
    "ldots": "…", "dots": "…", "cdots": "⋯", "mid": "∣", "partial": "∂", "langle": "⟨", "rangle": "⟩", "ast": "∗",
    "lvert": "|", "rvert": "|", "int": "∫", "bmod": "mod",
}  # fmt: skip
_FUNCTIONS = frozenset(
    _words("sin cos tan sinh cosh tanh arcsin arccos arctan ln log exp det arg min max sup inf dim ker gcd cot sec csc")
)
_SPACES = {",": "0.17em", ";": "0.28em", ":": "0.22em", " ": "0.25em", "!": "0", "quad": "1em", "qquad": "2em"}
_IGNORED = {"textstyle", "displaystyle", "limits", "nolimits"}
_ALPHABETS = {"mathcal": "script", "mathbf": "bold", "mathsf": "sans-serif", "mathbb": "double-struck"}
_FENCES = set("()[]|‖⌊⌋⌈⌉⟨⟩")


def mathml(tex: str) -> str:
    """The content of a `<math>` element for a piece of LaTeX."""
    return _Reader(tex).row(None)


def math(tex: str, block: bool = False) -> str:
    """A whole `<math>` element."""
    return f"<math{' display=block' if block else ''}>{mathml(tex)}</math>"


class _Reader:
    def __init__(self, tex: str) -> None:
        self.tokens = _TOKEN.findall(tex)
        self.at = 0

    def peek(self) -> str | None:
        while self.at < len(self.tokens) and self.tokens[self.at].isspace():
            self.at += 1
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self) -> str:
        token = self.peek()
        if token is None:
            raise ValueError("LaTeX ends where an argument was expected")
        self.at += 1
        return token

    def raw(self) -> str:
        """A group as plain text."""
        if self.take() != "{":
            return self.tokens[self.at - 1]
        depth, found = 1, ""
        while True:
            if self.at >= len(self.tokens):
                raise ValueError("LaTeX ends inside a group")
            token = self.tokens[self.at]
            self.at += 1
            depth += (token == "{") - (token == "}")
            if not depth:
                return found
            found += token[1:] if token[0] == "\\" and len(token) == 2 else token

    def row(self, end: str | None) -> str:
        """Everything up to `end`, which is taken."""
        parts: list[str] = []
        while True:
            token = self.peek()
            if token is None:
                if end is not None:
                    raise ValueError(f"LaTeX ends before {end}")
                return "".join(parts)
            if token == end:
                self.at += 1
                return "".join(parts)
            parts.append(self.scripted())

    def argument(self) -> str:
        if self.peek() == "{":
            self.at += 1
            return f"<mrow>{self.row('}')}</mrow>"
        return self.atom()

    def scripted(self) -> str:
        base = "<mi></mi>" if self.peek() in ("^", "_") else self.atom()
        below = above = ""
        while (token := self.peek()) in ("^", "_"):
            self.at += 1
            if token == "^":
                above = self.argument()
            else:
                below = self.argument()
        if below and above:
            return f"<msubsup>{base}{below}{above}</msubsup>"
        if below:
            return f"<msub>{base}{below}</msub>"
        return f"<msup>{base}{above}</msup>" if above else base

    def atom(self) -> str:
        token = self.take()
        if token == "{":
            return f"<mrow>{self.row('}')}</mrow>"
        if token[0] == "\\":
            return self.command(token[1:])
        if token[0].isdigit():
            return f"<mn>{token}</mn>"
        if "\ue000" <= token <= "\uf8ff":
            return token
        if token.isalpha():
            return f"<mi>{escape(token)}</mi>"
        if token == "}":
            raise ValueError("LaTeX closes a group that was not opened")
        return _operator("−" if token == "-" else token)

    def command(self, name: str) -> str:
        if name in _GREEK:
            return f"<mi{' mathvariant=normal' if name == 'nabla' else ''}>{_GREEK[name]}</mi>"
        if name in _OPERATORS:
            return _operator(_OPERATORS[name])
        if name in _FUNCTIONS:
            return self.function(name)
        if name in _SPACES:
            return f'<mspace width="{_SPACES[name]}"></mspace>'
        if name in _IGNORED:
            return ""
        if name in _ALPHABETS:
            return f'<mi class="{_ALPHABETS[name]}">{escape(self.raw())}</mi>'
        if name in ("frac", "tfrac", "dfrac"):
            token = self.peek() or ""
            if token.isdigit() and len(token) > 1:  # \tfrac12
                self.at += 1
                return f"<mfrac><mn>{token[0]}</mn><mn>{token[1:]}</mn></mfrac>"
            return f"<mfrac>{self.argument()}{self.argument()}</mfrac>"
        if name == "sqrt":
            return f"<msqrt>{self.argument()}</msqrt>"
        if name == "overline":
            return f'<mover accent="true">{self.argument()}<mo stretchy="true">¯</mo></mover>'
        if name == "operatorname":
            return self.function(self.raw())
        if name == "mathrm":
            return f"<mi mathvariant=normal>{escape(self.raw())}</mi>"
        if name in ("text", "textbf", "textrm"):
            return f"<mtext>{escape(self.raw())}</mtext>"
        if name in ("mathrel", "mathbin", "mathop"):
            return f"<mrow>{self.argument()}</mrow>"
        if name == "left":
            return self.fenced()
        if name == "begin":
            return self.table(self.raw())
        if name in "{}_%#&$|":
            return _operator("‖" if name == "|" else name)
        raise ValueError(f"LaTeX command \\{name} is not known to explain.mathml")

    def function(self, name: str) -> str:
        apart = "" if self.peek() in ("(", "_", "^", "\\left", None, "}") else '<mspace width="0.17em"></mspace>'
        return f"<mi mathvariant=normal>{escape(name)}</mi>{apart}"

    def fenced(self) -> str:
        opening, parts = self.delimiter(), ""
        while self.peek() != "\\right":
            if self.peek() is None:
                raise ValueError("LaTeX ends before \\right")
            parts += self.scripted()
        self.at += 1
        return f"<mrow><mo stretchy=true>{opening}</mo>{parts}<mo stretchy=true>{self.delimiter()}</mo></mrow>"

    def delimiter(self) -> str:
        token = self.take()
        return escape(_OPERATORS.get(token[1:], token[1:]) if token[0] == "\\" else "" if token == "." else token)

    def table(self, kind: str) -> str:
        rows: list[list[str]] = [[""]]
        while (token := self.peek()) != "\\end":
            if token is None:
                raise ValueError(f"LaTeX ends inside {kind}")
            if token == "&":
                self.at += 1
                rows[-1].append("")
            elif token == "\\\\":
                self.at += 1
                rows.append([""])
            else:
                rows[-1][-1] += self.scripted()
        self.at += 1
        self.raw()
        body = "".join(
            "<mtr>" + "".join(f"<mtd>{cell}</mtd>" for cell in row) + "</mtr>" for row in rows if row != [""]
        )
        table = f"<mtable>{body}</mtable>"
        left, right = {"cases": ("{", ""), "bmatrix": ("[", "]"), "pmatrix": ("(", ")")}.get(kind, ("", ""))
        opened = f"<mo stretchy=true>{left}</mo>" if left else ""
        return f"<mrow>{opened}{table}" + (f"<mo stretchy=true>{right}</mo>" if right else "") + "</mrow>"


def _operator(sign: str) -> str:
    return f"<mo{' stretchy=false' if sign in _FENCES else ''}>{escape(sign)}</mo>"
