"""`import torch` means Wengert, for programs that are not to be edited: `install()`, or `wengert run FILE`.

`torch`, and every module below it, is then the module of the same name here: the same object, so that a class is one class
under both names. `functorch`, which PyTorch brings along, is `wengert.functorch`.
"""

from __future__ import annotations

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class _Alias(MetaPathFinder, Loader):
    """Finds `torch.x` and loads `wengert.x`; `functorch` is `wengert.functorch`."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in ("torch", "functorch"):
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        ours = "wengert." + spec.name if spec.name[0] == "f" else "wengert" + spec.name.removeprefix("torch")
        try:
            module = importlib.import_module(ours)
        except ModuleNotFoundError as error:
            if error.name != ours:
                raise
            raise ModuleNotFoundError(
                f"No module named {spec.name!r}: torch is Wengert here, which has no {ours!r}", name=spec.name
            ) from None
        # The import system writes the alias's spec into the module; it is put back in exec_module.
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__ = module.__spec__.loader_state


_ALIAS = _Alias()


def install() -> None:
    """Let `import torch` import Wengert from now on. RuntimeError if PyTorch itself has been imported already."""
    found = sys.modules.get("torch")
    if found is not None and found is not sys.modules["wengert"]:
        raise RuntimeError(
            "alias.install(): PyTorch itself has been imported already; call it at the start of the program"
        )
    if _ALIAS not in sys.meta_path:
        sys.meta_path.insert(0, _ALIAS)


def remove() -> None:
    """Let `import torch` import PyTorch, if it is there, from now on."""
    if _ALIAS in sys.meta_path:
        sys.meta_path.remove(_ALIAS)
        for name in [n for n in sys.modules if n.partition(".")[0] in ("torch", "functorch")]:
            del sys.modules[name]
