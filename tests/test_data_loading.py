"""utils.data: datasets, samplers in PyTorch's order, batches, and worker processes that fail.

Literal orders and numbers were printed by PyTorch 2.13.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import wengert as torch
from wengert.utils import data as D

Point = namedtuple("Point", ["x", "y"])


class Squares(D.Dataset):
    def __init__(self, n=10):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return torch.tensor(i * i)


class Stream(D.IterableDataset):
    def __init__(self, low, high):
        self.low, self.high = low, high

    def __iter__(self):
        info = D.get_worker_info()
        if info is None:
            return iter(range(self.low, self.high))
        return iter(range(self.low + info.id, self.high, info.num_workers))

    def __len__(self):
        return self.high - self.low


def numbers(loader):
    return [b.tolist() for b in loader]


# -- datasets --------------------------------------------------------------------------------------------------


def test_tensor_dataset():
    x, y = torch.arange(6).reshape(3, 2), torch.arange(3)
    ds = D.TensorDataset(x, y)
    assert len(ds) == 3
    assert [t.tolist() for t in ds[1]] == [[2, 3], 1]
    with pytest.raises(AssertionError, match="Size mismatch between tensors"):
        D.TensorDataset(x, torch.arange(2))


def test_a_dataset_must_define_getitem():
    with pytest.raises(NotImplementedError, match="Subclasses of Dataset should implement __getitem__."):
        D.Dataset()[0]


def test_concat_and_chain():
    ds = Squares(3) + Squares(2)
    assert isinstance(ds, D.ConcatDataset)
    assert [ds[i].item() for i in (0, 1, 2, 3, 4, -1, -5)] == [0, 1, 4, 0, 1, 1, 0]
    with pytest.raises(ValueError, match="absolute value of index should not exceed dataset length"):
        ds[-6]
    with pytest.raises(AssertionError, match="datasets should not be an empty iterable"):
        D.ConcatDataset([])
    with pytest.raises(AssertionError, match="ConcatDataset does not support IterableDataset"):
        D.ConcatDataset([Stream(0, 1)])
    chain = Stream(0, 2) + Stream(5, 7)
    assert isinstance(chain, D.ChainDataset)
    assert list(chain) == [0, 1, 5, 6]
    assert len(chain) == 4
    with pytest.raises(AssertionError, match="ChainDataset only supports IterableDataset"):
        list(D.ChainDataset([Squares()]))


def test_stack():
    by_place, by_name = D.StackDataset(Squares(3), range(3)), D.StackDataset(a=Squares(3), b=range(3))
    assert by_place[2] == (4, 2)
    assert by_name[2] == {"a": 4, "b": 2}
    assert by_name.__getitems__([0, 2]) == [{"a": 0, "b": 0}, {"a": 4, "b": 2}]
    assert [b[0].tolist() for b in D.DataLoader(by_place, 2)] == [[0, 1], [4]]
    with pytest.raises(ValueError, match="Size mismatch between datasets"):
        D.StackDataset(range(2), range(3))
    with pytest.raises(ValueError, match="At least one dataset should be passed"):
        D.StackDataset()
    with pytest.raises(ValueError, match="but both types are given"):
        D.StackDataset(range(2), a=range(2))


def test_subset_and_its_subclasses():
    ds = D.Subset(Squares(), [3, 1, 2])
    assert len(ds) == 3
    assert ds[0].item() == 9
    assert numbers(D.DataLoader(ds, 2)) == [[9, 1], [4]]

    class Half(D.Subset):
        def __getitem__(self, i):
            return 0

    with pytest.raises(NotImplementedError, match="Half overrides __getitem__ but not __getitems__"):
        Half(Squares(), [1])


def test_random_split():
    g = torch.Generator().manual_seed(1)
    assert [s.indices for s in D.random_split(range(10), [0.5, 0.3, 0.2], g)] == [[5, 6, 1, 2, 0], [8, 9, 3], [7, 4]]
    assert [len(s) for s in D.random_split(range(7), [0.5, 0.5])] == [4, 3]
    with pytest.raises(ValueError, match="Sum of input lengths does not equal the length of the input dataset!"):
        D.random_split(range(10), [1, 2])
    with pytest.raises(ValueError, match="Fraction at index 0 is not between 0 and 1"):
        D.random_split(range(10), [1.2, -0.2])
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
        D.random_split(range(1), [0.6, 0.4])


# -- samplers --------------------------------------------------------------------------------------------------


def seeded(seed=1):
    return torch.Generator().manual_seed(seed)


def test_the_same_seed_gives_pytorchs_order():
    torch.manual_seed(3)
    assert numbers(D.DataLoader(range(7), 3, shuffle=True)) == [[3, 2, 5], [4, 1, 0], [6]]
    assert torch.rand(()).item() == 0.47161436080932617
    torch.manual_seed(3)
    assert list(D.RandomSampler(range(4), num_samples=10)) == [3, 1, 0, 2, 3, 0, 2, 1, 0, 1]
    torch.manual_seed(3)
    assert list(D.RandomSampler(range(5), True, 40))[-9:] == [0, 3, 3, 2, 4, 3, 1, 0, 4]
    assert list(D.RandomSampler(range(4), generator=seeded())) == [1, 3, 2, 0]
    assert list(D.SubsetRandomSampler([5, 6, 7, 8], seeded())) == [6, 8, 7, 5]
    weights = [0.1, 0.9, 0.4, 0.7, 3.0, 0.6]
    assert list(D.WeightedRandomSampler(weights, 5, generator=seeded())) == [1, 2, 2, 2, 4]
    assert list(D.WeightedRandomSampler(weights, 5, False, seeded())) == [5, 4, 3, 1, 0]


def test_a_generator_given_to_the_loader_also_gives_the_base_seed():
    loader = D.DataLoader(range(5), 5, shuffle=True, generator=seeded())
    first, second = numbers(loader), numbers(loader)
    assert first != second
    g = seeded()
    torch.empty((), dtype=torch.int64).random_(generator=g)
    assert first == [torch.randperm(5, generator=g).tolist()]


def test_distributed_sampler():
    assert [list(D.DistributedSampler(range(7), 3, r)) for r in range(3)] == [[4, 3, 1], [0, 2, 4], [5, 6, 0]]
    cut = [list(D.DistributedSampler(range(7), 3, r, shuffle=False, drop_last=True)) for r in range(3)]
    assert cut == [[0, 3], [1, 4], [2, 5]]
    with pytest.raises(ValueError, match=r"Invalid rank 3, rank should be in the interval \[0, 2\]"):
        D.DistributedSampler(range(7), 3, 3)
    with pytest.raises(RuntimeError, match="Requires distributed package to be available"):
        D.DistributedSampler(range(7))


def test_batch_sampler():
    assert list(D.BatchSampler(range(5), 2, False)) == [[0, 1], [2, 3], [4]]
    assert list(D.BatchSampler(range(5), 2, True)) == [[0, 1], [2, 3]]
    assert len(D.BatchSampler(range(5), 2, False)) == 3
    assert len(D.BatchSampler(range(5), 2, True)) == 2


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: D.BatchSampler(range(5), 0, False), ValueError, "batch_size should be a positive integer value"),
        (
            lambda: D.BatchSampler(range(5), 1, 1),
            ValueError,
            "drop_last should be a boolean value, but got drop_last=1",
        ),
        (
            lambda: D.RandomSampler(range(5), 1),
            TypeError,
            "replacement should be a boolean value, but got replacement=1",
        ),
        (
            lambda: D.RandomSampler([]),
            ValueError,
            "num_samples should be a positive integer value, but got num_samples=0",
        ),
        (lambda: D.WeightedRandomSampler([[1.0]], 1), ValueError, r"given weights have shape \(1, 1\)"),
        (lambda: D.DataLoader([1], num_workers=-1), ValueError, "num_workers option should be non-negative"),
        (lambda: D.DataLoader([1], timeout=-1), ValueError, "timeout option should be non-negative"),
        (lambda: D.DataLoader([1], prefetch_factor=2), ValueError, "could only be specified in multiprocessing"),
        (
            lambda: D.DataLoader([1], persistent_workers=True),
            ValueError,
            "persistent_workers option needs num_workers > 0",
        ),
        (lambda: D.DataLoader([1], shuffle=True, sampler=[0]), ValueError, "sampler option is mutually exclusive with"),
        (
            lambda: D.DataLoader([1], 2, batch_sampler=[[0]]),
            ValueError,
            "batch_sampler option is mutually exclusive with",
        ),
        (lambda: D.DataLoader([1], None, drop_last=True), ValueError, "batch_size=None option disables auto-batching"),
        (lambda: D.DataLoader(Stream(0, 2), shuffle=True), ValueError, "expected unspecified shuffle option"),
        (lambda: D.DataLoader(Stream(0, 2), sampler=[0]), ValueError, "expected unspecified sampler option"),
        (lambda: D.DataLoader([1], multiprocessing_context="fork"), ValueError, "can only be used with multi-process"),
    ],
)
def test_errors_of_the_options(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


def test_some_attributes_are_fixed():
    loader = D.DataLoader([1, 2])
    with pytest.raises(ValueError, match="batch_size attribute should not be set after DataLoader is initialized"):
        loader.batch_size = 3


def test_too_many_workers_are_warned_of():
    with pytest.warns(UserWarning, match="This DataLoader will create 5000 worker processes in total. Our suggested"):
        D.DataLoader([1], num_workers=5000)


# -- batches ---------------------------------------------------------------------------------------------------


def test_default_collate():
    assert D.default_collate([1, 2]).dtype is torch.int64
    assert D.default_collate([1.0, 2.0]).dtype is torch.float64
    assert D.default_collate([np.float32(1), np.float32(2)]).dtype is torch.float32
    assert D.default_collate([np.ones((2, 3)), np.zeros((2, 3))]).shape == (2, 2, 3)
    assert D.default_collate(["a", "b"]) == ["a", "b"]
    found = D.default_collate([(0, "a"), (1, "b")])
    assert isinstance(found, list)
    assert found[0].tolist() == [0, 1]
    assert found[1] == ("a", "b")
    point = D.default_collate([Point(0, 1.5), Point(2, 2.5)])
    assert isinstance(point, Point)
    assert point.y.tolist() == [1.5, 2.5]
    mapping = D.default_collate([OrderedDict(a=1, b=[1, 2]), OrderedDict(a=3, b=[4, 5])])
    assert isinstance(mapping, OrderedDict)
    assert [t.tolist() for t in mapping["b"]] == [[1, 4], [2, 5]]
    with pytest.raises(RuntimeError, match="each element in list of batch should be of equal size"):
        D.default_collate([[1, 2], [3]])
    with pytest.raises(
        TypeError, match="must contain tensors, numpy arrays, numbers, dicts or lists; found <class 'NoneT"
    ):
        D.default_collate([None])
    with pytest.raises(TypeError, match="found <U1"):
        D.default_collate([np.array(["a"])])


def test_default_convert():
    found = D.default_convert({"a": np.ones(2), "b": (np.float32(1), "x"), "c": Point(np.ones(1), 2)})
    assert isinstance(found["a"], torch.Tensor)
    assert isinstance(found["b"], list)
    assert found["b"][1] == "x"
    assert found["c"].y == 2


def test_rows_of_tensors_are_taken_at_once_as_if_stacked():
    x, y = torch.randn(7, 2, 3), torch.arange(7)
    ds = D.TensorDataset(x, y)
    direct = list(D.DataLoader(ds, 3, sampler=[6, 0, 2, 1]))
    stacked = list(D.DataLoader(ds, 3, sampler=[6, 0, 2, 1], collate_fn=lambda b: D.default_collate(b)))
    for (a, b), (c, d) in zip(direct, stacked, strict=True):
        assert torch.equal(a, c)
        assert torch.equal(b, d)
    direct[0][0].zero_()
    assert x[6].abs().sum() > 0
    with pytest.raises(IndexError):
        list(D.DataLoader(ds, 3, sampler=[7]))


def test_lengths():
    assert len(D.DataLoader(range(7), 3)) == 3
    assert len(D.DataLoader(range(7), 3, drop_last=True)) == 2
    assert len(D.DataLoader(range(7), None)) == 7
    assert len(D.DataLoader(Stream(0, 7), 2)) == 4
    assert len(iter(D.DataLoader(range(7), 3))) == 3


def test_streams():
    assert numbers(D.DataLoader(Stream(0, 5), 2)) == [[0, 1], [2, 3], [4]]
    assert numbers(D.DataLoader(Stream(0, 5), 2, drop_last=True)) == [[0, 1], [2, 3]]
    assert list(D.DataLoader(Stream(0, 3), None)) == [0, 1, 2]

    class Liar(Stream):
        def __len__(self):
            return 1

    loader = D.DataLoader(Liar(0, 2), None)
    assert len(loader) == 1
    with pytest.warns(
        UserWarning, match=r"was reported to be 1\(when accessing len\(dataloader\)\), but 2 samples have"
    ):
        list(loader)


def test_getitems_gets_the_whole_batch():
    class Whole(Squares):
        def __getitems__(self, indices):
            return [i + 100 for i in indices]

    assert numbers(D.DataLoader(Whole(4), 3)) == [[100, 101, 102], [103]]


# -- worker processes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize("persistent", [True, False])
def test_workers_give_what_one_process_gives(persistent, in_order):
    def passes(**options):
        torch.manual_seed(5)
        loader = D.DataLoader(Squares(11), 2, shuffle=True, **options)
        return [numbers(loader) for _ in range(3)]

    found = passes(num_workers=2, persistent_workers=persistent, in_order=in_order)
    if not in_order:
        found = [sorted(p) for p in found]
        assert sorted(n for batch in found[1] for n in batch) == [i * i for i in range(11)]
    elif not persistent:  # persistent workers draw no new base seed, so later passes differ
        assert found == passes()
    assert [len(p) for p in found] == [6] * 3


def test_streams_are_shared_among_workers():
    loader = D.DataLoader(Stream(0, 7), 2, num_workers=2, persistent_workers=True)
    for _ in range(2):
        assert numbers(loader) == [[0, 2], [1, 3], [4, 6], [5]]
    uneven = D.DataLoader(Stream(0, 1), None, num_workers=2)
    assert list(uneven) == [0]


class Draws(D.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, i):
        return torch.rand(()).item(), random.random(), np.random.rand(), D.get_worker_info().seed


def test_the_seeds_of_workers_are_pytorchs():
    torch.manual_seed(3)
    assert list(D.DataLoader(Draws(), None, num_workers=2)) == [
        [0.2876076102256775, 0.21793848432592644, 0.8794862824005928, 937055941807507096],
        [0.7470175623893738, 0.09049729754573688, 0.13554665930590137, 937055941807507097],
        [0.686290979385376, 0.5235545516688277, 0.35186014682096967, 937055941807507096],
        [0.8290408253669739, 0.2920232533511594, 0.5719063383148877, 937055941807507097],
    ]


def shift(worker):
    D.get_worker_info().dataset.low += 10 * worker


class Threads(Squares):
    """How many threads a sample's process has, having used them."""

    def __getitem__(self, i):
        x = torch.ones(1 << 18)
        assert x.exp().sum().item() == pytest.approx(np.e * (1 << 18), rel=1e-5)
        return torch.tensor(torch.get_num_threads())


def test_workers_compute_in_one_thread_each():
    x = torch.ones(1 << 18)
    assert x.exp()[0].item() == pytest.approx(np.e, rel=1e-6)  # the parent's threads exist
    found = [int(b) for b in D.DataLoader(Threads(4), batch_size=None, num_workers=2)]
    assert found == [1] * 4
    assert torch.get_num_threads() >= 1


def test_worker_init_fn_may_change_its_copy():
    ds = Stream(0, 4)
    assert sorted(D.DataLoader(ds, None, num_workers=1, worker_init_fn=shift)) == [0, 1, 2, 3]
    assert ds.low == 0
    assert D.get_worker_info() is None


def test_worker_info():
    class Info(Squares):
        def __getitem__(self, i):
            info = D.get_worker_info()
            try:
                info.id = 3
            except RuntimeError as error:
                return [info.id, info.num_workers, str(error), len(info.dataset)]

    (first, second) = D.DataLoader(Info(2), None, num_workers=2)
    assert first == [0, 2, "Cannot assign attributes to WorkerInfo objects", 2]
    assert second[0] == 1


class Fails(Squares):
    def __init__(self, error):
        super().__init__(4)
        self.error = error

    def __getitem__(self, i):
        if i == 1:
            raise self.error
        return i


class Odd(Exception):
    def __init__(self, a, b):
        super().__init__(a, b)


@pytest.mark.parametrize(
    ("error", "kind"), [(ValueError("bad sample"), ValueError), (KeyError("k"), KeyError), (Odd(1, 2), RuntimeError)]
)
def test_an_error_in_a_worker_is_raised_again_and_the_rest_still_comes(error, kind):
    it = iter(D.DataLoader(Fails(error), None, num_workers=2))
    assert next(it) == 0
    with pytest.raises(kind) as found:
        next(it)
    text = str(found.value)
    assert text.startswith(f"Caught {type(error).__name__} in DataLoader worker process 1.\nOriginal Traceback (most")
    assert "in __getitem__\n    raise self.error" in text
    assert list(it) == [2, 3]


def test_an_error_in_init_fn_is_reported():
    def broken(worker):
        raise OSError("no such disk")

    with pytest.raises(OSError, match="Caught OSError in DataLoader worker process 0.\nOriginal"):
        list(D.DataLoader(Squares(), num_workers=1, worker_init_fn=broken))


def test_what_cannot_be_pickled_is_reported():
    with pytest.raises(Exception, match="in DataLoader worker process 0.\nOriginal") as found:
        list(D.DataLoader(Squares(), num_workers=1, collate_fn=lambda b: lambda: b))
    assert "pickle" in str(found.value)


class Dies(Squares):
    def __getitem__(self, i):
        if i == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return i


def test_a_killed_worker_is_an_error_and_not_a_hang():
    start = time.monotonic()
    it = iter(D.DataLoader(Dies(), None, num_workers=2))
    with pytest.raises(RuntimeError, match=r"DataLoader worker \(pid\(s\) \d+\) exited unexpectedly"):
        list(it)
    assert time.monotonic() - start < 10
    with pytest.raises(StopIteration):
        next(it)


def test_exiting_in_a_worker_is_an_error_too():
    class Exits(Squares):
        def __getitem__(self, i):
            raise SystemExit(0)

    with pytest.raises(RuntimeError, match=r"exited unexpectedly"):
        list(D.DataLoader(Exits(), num_workers=1))


def test_timeout():
    class Slow(Squares):
        def __getitem__(self, i):
            time.sleep(30)

    loader = D.DataLoader(Slow(), num_workers=1, timeout=0.2)
    import wengert.utils.data.worker as worker

    before, worker._PATIENCE = worker._PATIENCE, 0.1
    try:
        with pytest.raises(RuntimeError, match="DataLoader timed out after 0.2 seconds"):
            next(iter(loader))
    finally:
        worker._PATIENCE = before


def test_leaving_early_ends_the_workers():
    class Large(Squares):
        def __getitem__(self, i):
            return np.zeros(1_000_000)

    start = time.monotonic()
    it = iter(D.DataLoader(Large(50), num_workers=2, prefetch_factor=4))
    next(it)
    processes = it.processes
    del it
    assert not any(p.is_alive() for p in processes)
    assert time.monotonic() - start < 10


def test_contexts():
    with pytest.raises(
        ValueError, match="should specify a valid start method in .*, but got multiprocessing_context='x'"
    ):
        D.DataLoader([1], num_workers=1, multiprocessing_context="x")
    with pytest.raises(TypeError, match="should be a valid context object or a string"):
        D.DataLoader([1], num_workers=1, multiprocessing_context=3)
    assert numbers(D.DataLoader(range(3), 2, num_workers=1, multiprocessing_context="spawn")) == [[0, 1], [2]]
