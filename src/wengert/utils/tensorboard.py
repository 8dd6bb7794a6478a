"""`torch.utils.tensorboard.SummaryWriter`: logs for TensorBoard, written by the package tensorboardX:
`pip install wengert[tensorboard]`.

Tensors are handed on as arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.tensor import Tensor

_NEEDED = (
    "SummaryWriter needs the package tensorboardX, which is not installed: pip install wengert[tensorboard]. Everything else "
    "works without it."
)


def _plain(x: Any) -> Any:
    """Tensors as arrays, in containers too; numbers of 0-dim tensors as Python's."""
    if isinstance(x, Tensor):
        array = x.detach().numpy()
        return array.item() if array.ndim == 0 else array
    if isinstance(x, dict):
        return {k: _plain(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return type(x)(map(_plain, x))
    return x


class SummaryWriter:
    """Writes to `log_dir` (by default `runs/` and the time). ImportError, which says what to install, without tensorboardX.

    Takes every `add_*` method of tensorboardX's writer. `add_graph` is refused: TensorBoard wants PyTorch's.
    """

    def __init__(
        self, log_dir: Any = None, comment: str = "", purge_step: int | None = None, max_queue: int = 10,
        flush_secs: int = 120, filename_suffix: str = "",
    ) -> None:  # fmt: skip
        try:
            import tensorboardX
        except ImportError:
            raise ImportError(_NEEDED) from None
        where = None if log_dir is None else str(log_dir)
        self._writer = tensorboardX.SummaryWriter(
            where, comment=comment, purge_step=purge_step, max_queue=max_queue, flush_secs=flush_secs,
            filename_suffix=filename_suffix,
        )  # fmt: skip

    @property
    def log_dir(self) -> str:
        return self._writer.logdir

    def get_logdir(self) -> str:
        """The directory of the log files."""
        return self._writer.logdir

    def add_graph(self, model: Any, input_to_model: Any = None, *args: Any, **kwargs: Any) -> None:
        """NotImplementedError: `wengert.explain` draws what a program recorded."""
        raise NotImplementedError("SummaryWriter.add_graph: use wengert.explain(loss).svg() to draw what was recorded")

    def add_tensor(self, tag: str, tensor: Any, global_step: Any = None, walltime: float | None = None) -> None:
        """The numbers of a small tensor, as text."""
        self._writer.add_text(tag, np.array2string(np.asarray(_plain(tensor))), global_step, walltime)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        method = getattr(self._writer, name)
        if not callable(method):
            return method

        def call(*args: Any, **kwargs: Any) -> Any:
            return method(*map(_plain, args), **{k: _plain(v) for k, v in kwargs.items()})

        call.__name__ = call.__qualname__ = name
        return call

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *exc: Any) -> None:
        self._writer.close()


__all__ = ["SummaryWriter"]
