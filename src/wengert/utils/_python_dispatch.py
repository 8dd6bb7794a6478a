"""`TorchDispatchMode` by name, so that files which import it load; entering one says what is here instead."""

from __future__ import annotations

from typing import Any


class TorchDispatchMode:
    """A mode that sees each call into PyTorch's own operators. There is no dispatcher here to call it."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise self._refusal()

    def __enter__(self) -> Any:
        raise self._refusal()

    def _refusal(self) -> NotImplementedError:
        return NotImplementedError(
            f"{type(self).__name__} is a TorchDispatchMode, which is not supported: no operation goes through a dispatcher. "
            "wengert.explain.trace() and torch.profiler.profile() see every operation."
        )

    def __exit__(self, *_: Any) -> None:
        return None
