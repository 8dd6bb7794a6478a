"""`torch.cpu`: the device there is, asked in the words of those that are not. Nothing runs behind one's back, so there is
nothing to wait for.
"""

from __future__ import annotations

from typing import Any


class Stream:
    """A stream of work, which on the CPU is the calling thread."""

    def __init__(self, priority: int = -1) -> None:
        self.priority = priority

    def wait_stream(self, stream: Any) -> None:
        """What the other stream was given is done already."""


class Event:
    """A point in the work of a stream: always reached."""

    def query(self) -> bool:
        return True

    def record(self, stream: Any = None) -> None:
        """Work is done when its call returns."""

    def synchronize(self) -> None:
        """Work is done when its call returns."""

    def wait(self, stream: Any = None) -> None:
        """Work is done when its call returns."""


class StreamContext:
    """A block on a stream: it just runs."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exc: Any) -> None:
        return None


stream = StreamContext
_STREAM = Stream()


def is_available() -> bool:
    return True


def is_initialized() -> bool:
    return True


def device_count() -> int:
    return 1


def current_device() -> str:
    return "cpu"


def set_device(device: Any) -> None:
    """There is one CPU."""


def synchronize(device: Any = None) -> None:
    """Work is done when its call returns."""


def current_stream(device: Any = None) -> Stream:
    return _STREAM
