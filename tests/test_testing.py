"""`torch.testing`, `torch.utils.benchmark`, `torch.utils.tensorboard`: what tests measure with and training programs log with."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wengert as torch
from wengert.testing import assert_close, make_tensor
from wengert.utils.benchmark import Compare, Language, Measurement, TaskSpec, Timer, select_unit

T = torch.tensor
NAN = float("nan")


@pytest.mark.parametrize(
    ("actual", "expected", "options"),
    [
        (T([1.0, 2.0]), T([1.0, 2.000001]), {}),
        (T([1.0]), T([1.05]), {"rtol": 0.1, "atol": 0.0}),
        (T(NAN), T(NAN), {"equal_nan": True}),
        (T([1.0, float("inf")]), T([1.0, float("inf")]), {}),
        (T([1.0]), T([1.0], dtype=torch.float64), {"check_dtype": False}),
        ([T(1), {"a": np.ones(2)}], (T(1), {"a": np.ones(2)}), {}),
        (1, 1.0, {"check_dtype": False}),
        (None, None, {}),
        ([], [], {}),
    ],
)
def test_what_is_close(actual: Any, expected: Any, options: dict[str, Any]) -> None:
    assert_close(actual, expected, **options)


@pytest.mark.parametrize(
    ("actual", "expected", "options", "message"),
    [
        (
            T([[1.0, 2.0], [3.0, 4.0]]), T([[1.0, 2.0], [9.0, 4.0]]), {},
            "Tensor-likes are not close!\n\nMismatched elements: 1 / 4 (25.0%)\nGreatest absolute difference: 6.0 at index "
            "(1, 0) (up to 1e-05 allowed)\nGreatest relative difference: 0.6666666865348816 at index (1, 0) (up to 1.3e-06 "
            "allowed)",
        ),
        (
            T([1, 2]), T([1, 3]), {},
            "Tensor-likes are not equal!\n\nMismatched elements: 1 / 2 (50.0%)\nGreatest absolute difference: 1 at index (1,)\n"
            "Greatest relative difference: 0.3333333432674408 at index (1,)",
        ),
        (
            1.0, 2.0, {},
            "Scalars are not close!\n\nExpected 2.0 but got 1.0.\nAbsolute difference: 1.0 (up to 1e-07 allowed)\nRelative "
            "difference: 0.5 (up to 1e-07 allowed)",
        ),
        (T([1.0]), T([1.0], dtype=torch.float64), {},
            "The values for attribute 'dtype' do not match: torch.float32 != torch.float64.",
        ),
        (T([1.0]), T([1.0, 2.0]), {}, "The values for attribute 'shape' do not match: torch.Size([1]) != torch.Size([2])."),
        (
            {"a": [1, 2]}, {"a": [1, 3]}, {},
            "Scalars are not equal!\n\nExpected 3 but got 2.\nAbsolute difference: 1\nRelative difference: 0.3333333333333333"
            "\n\nThe failure occurred for item ['a'][1]",
        ),
        (
            {"a": 1}, {"b": 1}, {},
            "The keys of the mappings do not match:\nMissing keys in the actual mapping: ['b']\nAdditional keys in the actual "
            "mapping: ['a']",
        ),
        ([1, 2], [1], {}, "The length of the sequences mismatch: 2 != 1"),
        (True, False, {}, "Booleans mismatch: True is not False"),
        (None, 1, {}, "None mismatch: None is not 1"),
        (1, 1.0, {}, "The (d)types do not match: <class 'int'> != <class 'float'>."),
        (T([1.0]), T([2.0]), {"msg": "mine"}, "mine"),
        (T([1.0]), T([2.0]), {"msg": lambda text: "mine: " + text[:12]}, "mine: Tensor-likes"),
    ],
)  # fmt: skip
def test_what_differs_and_where(actual: Any, expected: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(AssertionError) as caught:
        assert_close(actual, expected, **options)
    assert str(caught.value) == message


def test_what_cannot_be_compared() -> None:
    with pytest.raises(
        TypeError, match="No comparison pair was able to handle inputs of type <class 'str'> and <class 'str'>."
    ):
        assert_close("a", "a")
    with pytest.raises(TypeError, match="No comparison pair"):
        assert_close(T([1.0]), [1.0])
    with pytest.raises(
        ValueError, match="Both 'rtol' and 'atol' must be either specified or omitted, but got no atol."
    ):
        assert_close(1.0, 1.0, rtol=0.1)
    with pytest.raises(AssertionError, match=r"Expected nan but got nan"):
        assert_close(T(NAN), T(NAN))
    with pytest.warns(FutureWarning, match="assert_allclose.* is deprecated since 1.12"):
        torch.testing.assert_allclose(T([1]), np.array([1.0]))


# PyTorch 2.13's, from manual_seed(0).
MADE: list[tuple[dict[str, Any], Any]] = [
    ({"dtype": torch.float32}, [[-0.0674, 4.828], [-7.4074, -6.6235]]),
    ({"dtype": torch.int64, "low": 0, "high": 5}, [[4, 4], [3, 0]]),
    ({"dtype": torch.complex64}, [[-0.0674 + 4.828j, -7.4074 - 6.6235j], [-3.4664 + 2.4134j, -0.1783 + 7.136j]]),
    ({"dtype": torch.uint8}, [[4, 9], [3, 0]]),
]


@pytest.mark.parametrize(("options", "wanted"), MADE, ids=[str(o["dtype"]) for o, _ in MADE])
def test_made_tensors_are_pytorchs(options: dict[str, Any], wanted: Any) -> None:
    torch.manual_seed(0)
    found = make_tensor(2, 2, device="cpu", **options)
    assert found.dtype is options["dtype"]
    np.testing.assert_allclose(found.numpy(), np.array(wanted), atol=6e-5)


def test_made_tensors_keep_their_promises() -> None:
    x = make_tensor((3, 4), dtype=torch.float64, device="cpu", low=1, high=2, requires_grad=True, noncontiguous=True)
    assert x.requires_grad
    assert not x.is_contiguous()
    assert 1 <= x.min() <= x.max() < 2
    assert (make_tensor(1000, dtype=torch.int8, device="cpu", low=-1, high=2, exclude_zero=True) != 0).all()
    with pytest.raises(ValueError, match="`low` must be less than `high`, but got 3 >= 1"):
        make_tensor(2, dtype=torch.float32, device="cpu", low=3, high=1)
    with pytest.raises(ValueError, match="`requires_grad=True` is not supported for boolean and integral dtypes"):
        make_tensor(2, dtype=torch.int64, device="cpu", requires_grad=True)
    with pytest.raises(ValueError, match=r"\[-5, -1\), but torch.uint8 only supports \[0, 256\)"):
        make_tensor(2, dtype=torch.uint8, device="cpu", low=-5, high=-1)


# -- benchmark -------------------------------------------------------------------------------------------------


class Clock:
    """A clock by which every run of the statement costs 1.5 microseconds, and reading it nothing."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def run(self) -> None:
        self.now += 1.5e-6


def timed(clock: Clock, **options: Any) -> Timer:
    return Timer("f()", timer=clock, globals={"f": clock.run}, **options)


def test_a_timer_runs_blocks_until_the_time_is_up() -> None:
    clock = Clock()
    found = timed(clock, label="L", sub_label="S", description="D").blocked_autorange(min_run_time=0.01)
    assert found.median == pytest.approx(1.5e-6)
    assert found.number_per_run * len(found.raw_times) * 1.5e-6 >= 0.0099
    text = repr(found).splitlines()
    assert text[1:4] == ["L: S", "D", "  Median: 1.50 us"]
    assert text[-1] == f"  {len(found.times)} measurements, {found.number_per_run} runs per measurement, 1 thread"
    one = timed(Clock()).timeit(50)
    assert repr(one).splitlines()[1:] == ["f()", "  1.50 us", "  1 measurement, 50 runs, 1 thread"]
    seen: list[int] = []
    adaptive = timed(Clock()).adaptive_autorange(
        min_run_time=1e-3, callback=lambda number, seconds: seen.append(number)
    )
    assert len(seen) == len(adaptive.raw_times) >= 4
    assert not adaptive.has_warnings


def test_a_real_statement() -> None:
    found = Timer("torch.exp(x)", setup="x = torch.ones(8)").blocked_autorange(min_run_time=0.002)
    assert 1e-8 < found.median < 1e-2


def measured(times: list[float], number: int = 1, **names: Any) -> Measurement:
    return Measurement(number, times, TaskSpec("f()", "pass", **names))


def test_statistics_of_measurements() -> None:
    m = measured([2e-6, 4e-6, 6e-6, 8e-6, 100e-6], number=2)
    assert m.median == 3e-6
    assert m.mean == pytest.approx(12e-6)
    assert m.iqr == pytest.approx(2e-6)
    assert m.has_warnings
    assert "WARNING: Interquartile range is 66.7% of the median measurement." in repr(m)
    assert m.significant_figures == 1
    assert measured([1e-3] * 9).significant_figures == 4
    (both,) = Measurement.merge([measured([1.0, 2.0]), measured([6.0], number=2)])
    assert sorted(both.times) == [1.0, 2.0, 3.0]
    assert [select_unit(t) for t in (3e-7, 2e-3, 5.0)] == [("ns", 1e-9), ("ms", 1e-3), ("s", 1.0)]
    with pytest.raises(ValueError, match="Must have at least one measurement"):
        _ = measured([]).median


def test_a_table_of_measurements() -> None:
    table = Compare([
        measured([3.74e-6] * 5, label="add", sub_label="4 numbers", description="here"),
        measured([8.1e-6] * 5, label="add", sub_label="4 numbers", description="there"),
        measured([5e-3] * 5, label="add", sub_label="a million", description="here", num_threads=2),
    ])  # fmt: skip
    text = str(table)
    assert text.splitlines()[0].startswith("[--")
    assert "here" in text.splitlines()[1]
    (row,) = [line for line in text.splitlines() if "4 numbers" in line]
    assert [cell.strip() for cell in row.split("|")] == ["4 numbers", "3.7", "8.1"]
    assert "1 threads: ---" in text
    assert "2 threads: ---" in text
    assert "5000.0" in text
    assert text.rstrip().endswith("Times are in microseconds (us).")
    with pytest.raises(ValueError, match="Expected an instance of `Measurement`, got <class 'int'> instead."):
        table.extend_results([3])  # type: ignore[list-item]


@pytest.mark.parametrize(("rowwise", "best"), [(False, [2.0, 9.0]), (True, [2.0, 5.0])])
def test_the_best_times_are_coloured(rowwise: bool, best: list[float]) -> None:
    times = {("r", "a"): 2.0, ("r", "b"): 9.0, ("s", "a"): 5.0, ("s", "b"): 99.0}
    table = Compare([
        measured([s] * 5, label="L", sub_label=row, description=column) for (row, column), s in times.items()
    ])  # fmt: skip
    assert "\033" not in str(table)
    table.colorize(rowwise=rowwise)
    found = re.findall(r"\033\[92m\033\[1m *([0-9.]+) *\033\[0m\033\[0m", str(table))
    assert [float(s) for s in found] == best
    assert [re.sub(r"\033\[\d+m", "", line) for line in str(table).splitlines()] == str(
        Compare(table._results)
    ).splitlines()
    assert re.search(r"\033\[31m\033\[1m *99.0", str(table))  # more than five times the best
    assert re.search(r"\033\[2m\033\[91m *(5|9).0", str(table))  # more than twice


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Timer(abs), ValueError, "Currently only a `str` stmt is supported."),
        (lambda: Timer("f();", language="c++"), NotImplementedError, "statements are Python"),
        (lambda: Timer("f();", language=Language.CPP), NotImplementedError, "statements are Python"),
        (lambda: Timer("1", global_setup="x"), ValueError, "global_setup is C.. only"),
        (lambda: Timer("1").collect_callgrind(), NotImplementedError, "instructions are not counted here"),
        (lambda: Timer("1").repeat(), NotImplementedError, "See `Timer.blocked_autorange.`"),
    ],
)
def test_what_a_timer_refuses(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


# -- tensorboard -----------------------------------------------------------------------------------------------


def test_the_summary_writer_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r"needs the package tensorboardX.*pip install wengert\[tensorboard\]"):
        torch.utils.tensorboard.SummaryWriter()


def test_the_summary_writer_hands_on_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for the library: every tensor arrives as an array or a number, at any depth."""
    calls: list[tuple[str, Any]] = []

    class Writer:
        logdir = "runs/x"

        def __init__(self, where: Any, **options: Any) -> None:
            calls.append(("init", where))

        def __getattr__(self, name: str) -> Any:
            return lambda *args, **kwargs: calls.append((name, (*args, *kwargs.values())))

    module = type(sys)("tensorboardX")
    module.SummaryWriter = Writer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tensorboardX", module)
    with torch.utils.tensorboard.SummaryWriter(Path("logs")) as writer:
        writer.add_scalar("loss", torch.tensor(1.5, requires_grad=True), global_step=3)
        writer.add_scalars("both", {"a": torch.tensor(2), "b": 3.0}, 1)
        writer.add_histogram("h", torch.ones(2))
        assert writer.log_dir == writer.get_logdir() == "runs/x"
        with pytest.raises(NotImplementedError, match="use wengert.explain"):
            writer.add_graph(None)
    assert calls[:3] == [
        ("init", "logs"),
        ("add_scalar", ("loss", 1.5, 3)),
        ("add_scalars", ("both", {"a": 2, "b": 3.0}, 1)),
    ]
    assert isinstance(calls[3][1][1], np.ndarray)
    assert calls[-1] == ("close", ())


def test_logs_are_written_where_the_library_is(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    text = (
        "import sys, wengert as torch\n"
        "from wengert.utils.tensorboard import SummaryWriter\n"
        "w = SummaryWriter(sys.argv[1])\n"
        "w.add_scalar('loss', torch.tensor(1.0), 0); w.add_image('i', torch.rand(3, 4, 4), 0); w.flush(); w.close()\n"
    )
    subprocess.run([sys.executable, "-c", text, str(tmp_path)], check=True, capture_output=True)
    (log,) = tmp_path.glob("events.*")
    assert log.stat().st_size > 100
