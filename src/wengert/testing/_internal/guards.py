"""Something set for a while and put back, as tests want it: random numbers, the default dtype, warnings, files, threads."""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def freeze_rng_state(*args: Any, **kwargs: Any) -> Iterator[None]:
    """Random numbers go on after the block as if it had drawn none."""
    from ...ops.random import get_rng_state, set_rng_state

    before = get_rng_state()
    try:
        yield
    finally:
        set_rng_state(before)


@contextlib.contextmanager
def set_default_dtype(dtype: Any) -> Iterator[None]:
    """That default dtype, in the block."""
    import wengert

    before = wengert.get_default_dtype()
    wengert.set_default_dtype(dtype)
    try:
        yield
    finally:
        wengert.set_default_dtype(before)


@contextlib.contextmanager
def set_default_tensor_type(tensor_type: Any) -> Iterator[None]:
    """The dtype of that class of tensors is the default, in the block."""
    import wengert

    before = wengert.get_default_dtype()
    wengert.set_default_tensor_type(tensor_type)
    try:
        yield
    finally:
        wengert.set_default_dtype(before)


@contextlib.contextmanager
def set_warn_always_context(new_val: bool) -> Iterator[None]:
    """Whether what is said once a process is said each time, in the block."""
    import wengert

    before = wengert.is_warn_always_enabled()
    wengert.set_warn_always(new_val)
    try:
        yield
    finally:
        wengert.set_warn_always(before)


class DeterministicGuard:
    """Only deterministic algorithms, or not, in the block."""

    def __init__(self, deterministic: bool, *, warn_only: bool = False, fill_uninitialized_memory: bool = True) -> None:
        self.deterministic, self.warn_only = deterministic, warn_only

    def __enter__(self) -> None:
        import wengert

        self.before = (
            wengert.are_deterministic_algorithms_enabled(),
            wengert.is_deterministic_algorithms_warn_only_enabled(),
        )
        wengert.use_deterministic_algorithms(self.deterministic, warn_only=self.warn_only)

    def __exit__(self, *error: Any) -> None:
        import wengert

        wengert.use_deterministic_algorithms(self.before[0], warn_only=self.before[1])


@contextlib.contextmanager
def disable_gc() -> Iterator[None]:
    """No garbage collector, in the block."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def suppress_warnings(fn: Any) -> Any:
    """Decorator: without its warnings."""

    @functools.wraps(fn)
    def run(*args: Any, **kwargs: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return fn(*args, **kwargs)

    return run


@contextlib.contextmanager
def TemporaryFileName(*args: Any, **kwargs: Any) -> Iterator[str]:
    """The path of a file that is deleted after the block."""
    handle, path = tempfile.mkstemp(*args, **kwargs)
    os.close(handle)
    try:
        yield path
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


@contextlib.contextmanager
def TemporaryDirectoryName(suffix: str | None = None) -> Iterator[str]:
    """The path of a directory that is deleted after the block."""
    with tempfile.TemporaryDirectory(suffix=suffix) as path:
        yield path


def run_concurrently(
    worker_func: Callable[..., Any], num_threads: int | None = None, args: Any = (), kwargs: Any = None
) -> list[Any]:
    """Calls the function, or each of a list of them, in threads of their own that begin together. Returns their results; the
    first error is raised again.
    """
    functions = list(worker_func) if isinstance(worker_func, (list, tuple)) else [worker_func] * (num_threads or 1)
    barrier = threading.Barrier(len(functions))
    results: list[Any] = [None] * len(functions)
    errors: list[BaseException] = []

    def work(i: int) -> None:
        barrier.wait()
        try:
            results[i] = functions[i](*args, **(kwargs or {}))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results
