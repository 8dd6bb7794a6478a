"""`wengert.nn.functional`, shaped like torch.nn.functional. States nothing: rows `nn.functional.*` live in `wengert.ops`.

A row whose name has the prefix appears here under the rest of its name; so do functions of the main namespace that
PyTorch shows in both places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.op import COMPOSITES, TABLE

_PREFIX = "nn.functional."


def _namespace() -> dict[str, Any]:
    rows = {name: op.function for name, op in TABLE.items()}
    rows.update((name, row.function) for name, row in COMPOSITES.items())
    return {name.removeprefix(_PREFIX): fn for name, fn in rows.items() if name.startswith(_PREFIX)}


globals().update(_namespace())
__all__ = sorted(_namespace())

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...  # whatever the tables state
