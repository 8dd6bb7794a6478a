"""What a worker process of a DataLoader knows of itself."""

from __future__ import annotations

from typing import Any


class WorkerInfo:
    """What a worker knows of itself: `id`, `num_workers`, `seed`, and its copy of the `dataset`."""

    id: int
    num_workers: int
    seed: int
    dataset: Any

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    def __setattr__(self, name: str, value: Any) -> None:
        raise RuntimeError(f"Cannot assign attributes to {type(self).__name__} objects")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v}' for k, v in self.__dict__.items())})"


class _Current:
    info: WorkerInfo | None = None


CURRENT = _Current()


def get_worker_info() -> WorkerInfo | None:
    """The WorkerInfo of this process, or None outside of a DataLoader's workers."""
    return CURRENT.info
