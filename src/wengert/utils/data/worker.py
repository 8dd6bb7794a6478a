"""Loading in worker processes: each gets indices through a pipe of its own and sends batches back through another.

The loader waits on all pipes and on the processes themselves, so that a worker that dies is noticed at once. What a
worker sends is pickled in it, so that an error in pickling is reported like any other. Batch i goes to worker i mod n
and batches are given out in order: what comes out does not depend on which worker is faster.
"""

from __future__ import annotations

import contextlib
import itertools
import pickle
import queue
import random
import sys
import threading
import time
import traceback
import weakref
from multiprocessing import connection, get_context, parent_process
from typing import Any

import numpy as np

from ...kernels.threads import set_num_threads
from ...ops.random import manual_seed
from .dataset import IterableDataset
from .fetch import Fetcher
from .info import CURRENT, WorkerInfo
from .loader import DataLoader, Loading
from .seeds import numpy_seed

END, RESTART = "end", "restart"  # what a worker answers besides batches
_PATIENCE = 5.0  # seconds a worker is given to finish


# -- in the worker ---------------------------------------------------------------------------------------------


class _KeyMessage(str):
    """KeyError shows the repr of its argument: this one's is itself, lines and all."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Failure:
    """An exception and its traceback, to be raised again in another process."""

    def __init__(self, where: str) -> None:
        kind, error, trace = sys.exc_info()
        assert kind is not None
        self.kind: type[BaseException] = kind
        text = "".join(traceback.format_exception(kind, error, trace))
        self.message = f"Caught {kind.__name__} {where}.\nOriginal {text}"
        try:
            pickle.dumps(kind)
        except Exception:
            self.kind = RuntimeError

    def reraise(self) -> None:
        message = _KeyMessage(self.message) if self.kind is KeyError else self.message
        try:
            error = self.kind(message)
        except Exception:
            raise RuntimeError(message) from None
        raise error


def _send_all(outbox: queue.SimpleQueue[Any], pipe: Any) -> None:
    """Runs in a thread, so that the worker computes the next batch while the loader has not yet taken this one."""
    with contextlib.suppress(OSError):  # the loader is gone
        while True:
            pipe.send_bytes(outbox.get())


def _work(
    dataset: Any,
    orders: Any,
    results: Any,
    auto_collation: bool,
    collate_fn: Any,
    drop_last: bool,
    base_seed: int,
    init_fn: Any,
    number: int,
    count: int,
) -> None:
    set_num_threads(1)  # the workers are as many as the processors can bear
    seed = base_seed + number
    random.seed(seed)
    manual_seed(seed)
    np.random.seed(numpy_seed(base_seed, number))
    CURRENT.info = WorkerInfo(id=number, num_workers=count, seed=seed, dataset=dataset)
    where = f"in DataLoader worker process {number}"
    outbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_send_all, args=(outbox, results), daemon=True).start()
    failure: Failure | None = None
    fetcher: Any = None

    def begin() -> Any:
        return Fetcher(dataset, auto_collation, collate_fn, drop_last)

    try:
        if init_fn is not None:
            init_fn(number)
        fetcher = begin()
    except Exception:
        failure = Failure(where)
    parent = parent_process()
    assert parent is not None
    ended = False
    try:
        while True:
            if orders not in connection.wait([orders, parent.sentinel]):
                return  # the loader's process is gone
            order = orders.recv()
            if order is None:
                break
            if order == RESTART:
                ended = False
                try:
                    fetcher = begin()
                except Exception:
                    failure = Failure(where)
                outbox.put(pickle.dumps((RESTART, None)))
                continue
            if ended:
                continue
            task, indices = order
            data: Any
            try:
                if failure is not None:
                    data, failure = failure, None
                else:
                    data = fetcher.fetch(indices)
                message = pickle.dumps((task, data), protocol=5)
            except Exception as error:
                if isinstance(error, StopIteration) and isinstance(dataset, IterableDataset):
                    ended = True
                    message = pickle.dumps((END, None))
                else:
                    message = pickle.dumps((task, Failure(where)))
            outbox.put(message)
    except (KeyboardInterrupt, EOFError):
        return  # the loader's process has been told as well


# -- in the loader's process -----------------------------------------------------------------------------------


class _Task:
    """One batch that was asked for: of which worker, and the batch once it is there."""

    __slots__ = ("data", "ready", "worker")

    def __init__(self, worker: int) -> None:
        self.worker = worker
        self.ready = False
        self.data: Any = None


def _stop(processes: list[Any], orders: list[Any], results: list[Any]) -> None:
    """Let workers finish what they are at, and end."""
    for pipe in orders:
        with contextlib.suppress(OSError):
            pipe.send(None)
    for pipe in (*orders, *results):
        pipe.close()
    end = time.monotonic() + _PATIENCE
    for process in processes:
        process.join(max(0.0, end - time.monotonic()))
        if process.is_alive():
            process.terminate()
            process.join(_PATIENCE)


class WorkerLoading(Loading):
    """One pass over a DataLoader with workers (with `persistent_workers`, one pass after the other)."""

    def _start(self) -> None:
        loader = self.loader
        context = loader.multiprocessing_context or get_context()
        self.processes: list[Any] = []
        self.orders: list[Any] = []
        self.results: list[Any] = []
        self._finish = weakref.finalize(self, _stop, self.processes, self.orders, self.results)
        for i in range(loader.num_workers):
            receive_order, send_order = context.Pipe(duplex=False)
            receive_result, send_result = context.Pipe(duplex=False)
            what = (loader.dataset, receive_order, send_result, loader._auto_collation, loader.collate_fn)
            how = (loader.drop_last, self.base_seed, loader.worker_init_fn, i, loader.num_workers)
            process = context.Process(target=_work, args=(*what, *how), daemon=True)
            self.orders.append(send_order)
            self.results.append(receive_result)
            process.start()
            self.processes.append(process)
            receive_order.close()
            send_result.close()
        self._begin()

    @property
    def closed(self) -> bool:
        return not self._finish.alive

    def restart(self, loader: DataLoader[Any]) -> None:
        """Begin another pass with the same workers. What they still send of the last one is dropped."""
        self.indices = iter(loader._index_sampler)
        self.yielded = 0
        for i in range(len(self.orders)):
            self._send(i, RESTART)
        waiting = len(self.orders)
        while waiting:
            waiting -= self._receive()[1] == RESTART
        self._begin()

    def _begin(self) -> None:
        n = self.loader.num_workers
        self.count = 0  # batches asked for
        self.tasks: dict[int, _Task] = {}  # those not yet given out, in order
        self.active = [True] * n  # does the worker's stream go on?
        self.turns = itertools.cycle(range(n))
        for _ in range((self.loader.prefetch_factor or 0) * n):
            self._ask()

    def _ask(self) -> None:
        """Ask the worker whose turn it is for another batch."""
        limit = max(1, self.loader.prefetch_factor or 0)
        for _ in self.processes:
            worker = next(self.turns)
            busy = sum(t.worker == worker for t in self.tasks.values())
            if self.active[worker] and (self.loader.in_order or busy < limit):
                break
        else:
            return
        try:
            indices = next(self.indices)
        except StopIteration:
            return
        self.tasks[self.count] = _Task(worker)
        self._send(worker, (self.count, indices))
        self.count += 1

    def _send(self, worker: int, order: Any) -> None:
        try:
            self.orders[worker].send(order)
        except OSError:
            self._died([worker])

    def _died(self, workers: list[int]) -> None:
        pids = ", ".join(str(self.processes[i].pid) for i in workers)
        self._finish()
        raise RuntimeError(f"DataLoader worker (pid(s) {pids}) exited unexpectedly")

    def _receive(self) -> tuple[int, Any, Any]:
        """The next message of any worker: which, and what. RuntimeError if none comes in time or a worker has died."""
        sentinels = [p.sentinel for p in self.processes]
        found = connection.wait([*self.results, *sentinels], self.loader.timeout or None)
        if not found:
            self._finish()
            raise RuntimeError(f"DataLoader timed out after {self.loader.timeout} seconds")
        for i, pipe in enumerate(self.results):
            if pipe in found:
                try:
                    message = pipe.recv_bytes()
                except (EOFError, OSError):
                    self._died([i])
                return i, *pickle.loads(message)
        self._died([i for i, s in enumerate(sentinels) if s in found])
        raise AssertionError

    def _next(self) -> Any:
        if self.closed:
            raise StopIteration
        if not self.tasks:
            self._ask()
        while self.tasks:
            for number, task in self.tasks.items():
                if task.ready:
                    del self.tasks[number]
                    self._ask()
                    if isinstance(task.data, Failure):
                        task.data.reraise()
                    return task.data
                if self.loader.in_order:
                    break
            worker, what, data = self._receive()
            if what == END:
                self.active[worker] = False
                self.tasks = {n: t for n, t in self.tasks.items() if t.worker != worker or t.ready}
                self._ask()
            else:
                self.tasks[what].ready = True
                self.tasks[what].data = data
        if not self.loader.persistent_workers:
            self._finish()
        raise StopIteration
