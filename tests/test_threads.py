"""Threads share work, come back with its errors, and leave BLAS as they found it; freed memory is kept."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest

import wengert as torch
from wengert.kernels import allocator, blas, threads

BIG = threads.LARGE


@pytest.fixture(autouse=True)
def three() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("count", [1, 2, 3, 100])
def test_parts_make_up_the_whole_each_once(count: int) -> None:
    done = np.zeros(count, int)
    who = set()

    def work(low: int, high: int) -> None:
        done[low:high] += 1
        who.add(threading.get_ident())

    threads.share(work, count, BIG)
    assert (done == 1).all()
    assert len(who) == min(count, 3)


def test_little_work_is_not_shared() -> None:
    parts = []
    threads.share(lambda low, high: parts.append((low, high)), 100, BIG - 1)
    assert parts == [(0, 100)]


def test_work_inside_a_part_is_not_shared_again() -> None:
    inner = []

    def work(low: int, high: int) -> None:
        threads.share(lambda a, b: inner.append((a, b)), 10, BIG)

    threads.share(work, 3, BIG)
    assert inner == [(0, 10)] * 3


def test_an_error_in_any_part_is_raised_after_all_have_ended() -> None:
    for bad in range(3):
        ended = []

        def work(low: int, high: int, bad: int = bad, ended: list[int] = ended) -> None:
            if low == bad:
                raise ArithmeticError(f"part {bad}")
            ended.append(low)

        with pytest.raises(ArithmeticError, match=f"part {bad}"):
            threads.share(work, 3, BIG)
        assert sorted(ended) == [i for i in range(3) if i != bad]
    threads.share(lambda low, high: ended.append(9), 3, BIG)  # and the team goes on
    assert ended.count(9) == 3


@pytest.mark.skipif(not blas.steerable(), reason="this BLAS cannot be steered")
def test_matrix_products_in_threads_use_one_blas_thread_each() -> None:
    get, _ = blas._functions()
    before = get()
    seen = []
    threads.share_products(lambda low, high: seen.append(get()), 3, BIG)
    assert seen == [1, 1, 1]
    assert get() == before
    with blas.one_thread(), blas.one_thread():
        assert get() == 1
    assert get() == before


def test_the_number_of_threads_is_that_of_OMP_NUM_THREADS() -> None:
    code = "import wengert; print(wengert.get_num_threads())"
    env = {**os.environ, "OMP_NUM_THREADS": "5"}
    assert subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True).stdout == "5\n"


def test_glibc_is_left_alone_where_the_user_has_set_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "131072")
    assert not allocator.keep_freed_memory()


@pytest.mark.skipif(not allocator.keep_freed_memory(), reason="no glibc, or settings of its own")
def test_memory_of_freed_arrays_is_used_again() -> None:
    """The same place is handed out again, without asking the system for pages."""
    import resource

    size = 1 << 20
    np.empty(size).fill(0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.empty(size).fill(1)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < size * 8 / 4096
