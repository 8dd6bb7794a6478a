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


@pytest.mark.skipif(not blas.steerable(), reason="this BLAS cannot be steered")
def test_the_number_of_threads_is_that_of_BLAS_too() -> None:
    get, _ = blas._functions()
    torch.set_num_threads(2)
    assert get() == 2
    with blas.one_thread():
        torch.set_num_threads(3)
        assert get() == 1
    assert get() == 3


WORK = """
import os, wengert as torch
x = torch.ones(600, 600, requires_grad=True)
image = torch.ones(4, 8, 64, 64)
for _ in range(3):
    (x @ x).exp().sum().backward()
    torch.nn.functional.conv2d(image, torch.ones(8, 8, 3, 3))
    torch.nn.functional.layer_norm(x, (600,)).sum().backward()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
@pytest.mark.parametrize(("wish", "most"), [("1", 1), ("2", 3)])
def test_no_more_threads_are_made_than_were_asked_for(wish: str, most: int) -> None:
    """With two: the program's, one that shares its work, and one of BLAS that sleeps while that does."""
    code = WORK + "print(len(os.listdir('/proc/self/task')))"
    env = {**os.environ, "OMP_NUM_THREADS": wish, "WENGERT_NUMBA": "0"}  # Numba brings SciPy's BLAS, and its threads
    env.pop("OPENBLAS_NUM_THREADS", None)
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert int(done.stdout) <= most, done.stderr


FORK = (
    WORK
    + """
import threading
from wengert.kernels import blas, compiled, threads
held, done = threading.Event(), threading.Event()
def hold():
    with blas._lock, compiled._lock, threads._TEAM.free:
        held.set()
        done.wait()
def keep():
    with blas.one_thread():
        held.set()
        done.wait()
for busy in (hold, keep):
    held.clear()
    done.clear()
    other = threading.Thread(target=busy)
    other.start()
    held.wait()
    pid = os.fork()
    if not pid:
        (x @ x).exp().sum().backward()
        torch.nn.functional.conv2d(image, torch.ones(8, 8, 3, 3))
        torch.nn.functional.gelu(torch.ones(300_000))
        os._exit(0 if not blas.steerable() or blas._functions()[0]() == 2 else 3)
    print(os.waitpid(pid, 0)[1])
    done.set()
    other.join()
"""
)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_process_that_was_forked_while_others_worked_computes() -> None:
    env = {**os.environ, "OMP_NUM_THREADS": "2", "WENGERT_NUMBA": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-c", FORK], env=env, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["0", "0"], done.stderr


class Counting(torch.utils.data.Dataset):
    """What a worker finds: its numbers of threads, and a product."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, i: int) -> tuple[int, int, float]:
        get, _ = blas._functions() or (lambda: 1, None)
        x = torch.full((400, 400), 1.0)
        return torch.get_num_threads(), get(), (x @ x.exp()).sum().item()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_workers_of_a_loader_compute_with_one_thread_each() -> None:
    mine = Counting()[0][2]  # with the team and BLAS's threads at work in the process that is forked
    for threads_, of_blas, found in torch.utils.data.DataLoader(Counting(), batch_size=2, num_workers=2):
        assert threads_.tolist() == of_blas.tolist() == [1, 1]
        assert found.tolist() == [pytest.approx(mine)] * 2


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


_PATIENCE = """
import os, threading
import numpy as np
import wengert
from wengert.kernels import blas
{before}
library = blas._library()[0]
a = np.arange(300 * 300, dtype=np.float32).reshape(300, 300) / 1e4
count = blas._functions()[0]()
expected = np.einsum("ij,jk->ik", a.astype(float), a.astype(float))
a @ a
(wengert.tensor(a) @ wengert.tensor(a)).numpy()
blas.unready and blas.make_ready()
np.testing.assert_allclose((wengert.tensor(a) @ wengert.tensor(a)).numpy(), expected, rtol=1e-5)
assert blas._functions()[0]() == count
print(library.openblas_thread_timeout(), os.environ.get("OPENBLAS_THREAD_TIMEOUT"))
"""


@pytest.mark.skipif(
    not (blas.steerable() and hasattr((blas._library() or [None])[0], "openblas_read_env")),
    reason="not an OpenBLAS that can be told",
)
@pytest.mark.parametrize(
    ("before", "env", "shown"),
    [
        ("", {}, "20 None"),
        ("", {"OPENBLAS_THREAD_TIMEOUT": "24"}, "24 24"),
        ("threading.Thread(target=threading.Event().wait, daemon=True).start()", {}, "0 None"),
    ],
    ids=["alone", "as the user says", "beside another thread"],
)
def test_the_threads_of_blas_are_told_to_sleep_soon(before: str, env: dict[str, str], shown: str) -> None:
    clean = {k: v for k, v in os.environ.items() if k != "OPENBLAS_THREAD_TIMEOUT"}
    program = [sys.executable, "-c", _PATIENCE.format(before=before)]
    out = subprocess.run(program, capture_output=True, text=True, check=True, env=clean | env)
    assert out.stdout.split("\n")[0] == shown


def test_what_numpy_says_of_infinities_is_the_callers_to_set() -> None:
    """Helpers say nothing, the caller's part what was asked for."""
    x = np.zeros(BIG)

    def work(low: int, high: int) -> None:
        np.log(x[low:high])

    with np.errstate(divide="ignore"):
        threads.share(work, BIG, BIG)
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        threads.share(work, BIG, BIG)
