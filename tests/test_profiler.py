"""The profiler: every operation and node is an event, forward and backward are joined by sequence number."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import wengert as torch
from wengert.profiler import ProfilerAction, profile, record_function, schedule


def work() -> torch.Tensor:
    x = torch.ones(3, 4, requires_grad=True)
    y = (x * 2).sin().sum()
    y.backward()
    return x


def test_forward_and_backward_carry_the_same_sequence_number() -> None:
    with profile(record_shapes=True, profile_memory=True) as prof:
        work()
    events = prof.events()
    names = [e.name for e in events]
    assert names == [
        *("aten::mul", "aten::sin", "aten::sum"),
        *("SumBackward0", "SinBackward0", "MulBackward0", "torch::autograd::AccumulateGrad"),
    ]
    number = {e.name: e.sequence_nr for e in events}
    assert number["aten::mul"] == number["MulBackward0"] >= 0
    assert number["aten::sin"] == number["SinBackward0"] > number["aten::mul"]
    mul = events[0]
    assert mul.input_shapes[0] == [3, 4]
    assert mul.cpu_memory_usage == 48
    assert all(e.end >= e.start >= 0 for e in events)


def test_time_inside_a_named_stretch_is_its_childrens() -> None:
    with profile() as prof:
        with record_function("step"):
            work()
    step = next(e for e in prof.events() if e.name == "step")
    others = [e for e in prof.events() if e.name != "step"]
    assert step.cpu_time_total >= sum(e.cpu_time_total for e in others)
    assert step.self_cpu_time_total == pytest.approx(step.cpu_time_total - sum(e.cpu_time_total for e in others))


def test_memory_is_that_of_new_results_and_of_what_ran_inside() -> None:
    with profile(profile_memory=True) as prof:
        with record_function("step"):
            x = torch.ones(1000, requires_grad=True)
            (x.view(10, 100) + 1).exp().sum().backward()
    memory = {e.name: (e.cpu_memory_usage, e.self_cpu_memory_usage) for e in prof.events()}
    assert memory["aten::view"] == (0, 0)
    assert memory["aten::exp"] == (4000, 4000)
    assert memory["ExpBackward0"] == (4000, 4000)
    assert memory["AddBackward0"] == (0, 0)  # hands its gradient on
    assert memory["step"] == (sum(own for _, own in memory.values()), 0)
    text = prof.key_averages().table(sort_by="self_cpu_memory_usage")
    assert "Self CPU Mem" in text
    assert "3.91 KB" in text


def test_events_know_what_ran_inside() -> None:
    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
            return x.sin() * 2

        @staticmethod
        def backward(ctx: object, g: torch.Tensor) -> torch.Tensor:
            return g * 2

    with profile() as prof:
        Twice.apply(torch.ones(3, requires_grad=True))
        torch.ones(3).cos()
    events = {e.name: e for e in prof.events()}
    twice = events["Twice"]
    assert [e.name for e in twice.cpu_children] == ["aten::sin", "aten::mul"]
    assert events["aten::sin"].cpu_parent is twice
    assert events["aten::cos"].cpu_parent is None
    assert twice.time_range.elapsed_us() == twice.cpu_time_total > twice.self_cpu_time_total > 0
    assert twice.cpu_time_total_str.endswith(("us", "ms"))


def test_sums_by_name_and_the_table() -> None:
    with profile(record_shapes=True, with_stack=True) as prof:
        work()
        work()
    sums = {e.key: e for e in prof.key_averages()}
    assert sums["aten::mul"].count == 2
    assert sums["aten::mul"].cpu_time == pytest.approx(sums["aten::mul"].cpu_time_total / 2)
    text = prof.key_averages(group_by_input_shape=True).table(sort_by="count", row_limit=2)
    assert "# of Calls" in text
    assert "Input Shapes" in text
    assert "Self CPU time total" in text
    assert any("test_profiler.py" in line for line in prof.events()[0].stack)
    with pytest.raises(ValueError, match="sort_by must be one of cpu_time"):
        prof.key_averages().table(sort_by="cuda_time")


def test_the_trace_file_has_bars_and_arrows(tmp_path: Path) -> None:
    with profile() as prof:
        work()
    prof.export_chrome_trace(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert {e["ph"] for e in events} == {"X", "s", "f"}
    starts = {e["id"] for e in events if e["ph"] == "s"}
    assert {e["id"] for e in events if e["ph"] == "f"} <= starts
    prof.add_metadata("who", "me")
    prof.add_metadata_json("what", "[1, 2]")
    prof.export_chrome_trace(tmp_path / "trace.json")
    trace = json.loads((tmp_path / "trace.json").read_text())
    assert (trace["who"], trace["what"]) == ("me", [1, 2])


def test_a_schedule_records_some_steps() -> None:
    ready = []
    with profile(
        schedule=schedule(wait=1, warmup=1, active=2, repeat=1),
        on_trace_ready=lambda p: ready.append(len([e for e in p.events() if e.name == "aten::sin"])),
    ) as prof:
        for _ in range(6):
            work()
            prof.step()
    assert ready == [2]
    plan = schedule(wait=1, warmup=1, active=2)
    assert [plan(k) for k in range(4)] == [
        *(ProfilerAction.NONE, ProfilerAction.WARMUP, ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)
    ]


def test_the_older_names_and_what_is_refused() -> None:
    with torch.autograd.profiler.profile(enabled=False) as prof:
        work()
    assert not prof.function_events
    with torch.autograd.profiler.profile() as prof, torch.autograd.profiler.record_function("x"):
        work()
    assert prof.function_events
    with pytest.raises(NotImplementedError, match="emit_nvtx writes for tools that watch a GPU"):
        torch.autograd.profiler.emit_nvtx()
    with pytest.raises(RuntimeError, match="only the CPU can be watched"):
        profile(activities=[torch.profiler.ProfilerActivity.CUDA])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: profile().events(), AssertionError, "Profiler must be initialized before accessing events"),
        (lambda: profile().key_averages(), AssertionError, "Profiler must be initialized before getting key averages"),
        (
            lambda: profile().export_chrome_trace("x"),
            AssertionError,
            "must be initialized before exporting chrome trace",
        ),
        (lambda: profile(activities=[]), AssertionError, "No valid profiler activities found"),
        (lambda: profile(recordshapes=True), TypeError, "unexpected keyword argument 'recordshapes'"),
        (lambda: profile(with_flops=True), NotImplementedError, "operations are not counted"),
        (lambda: profile(execution_trace_observer=1), NotImplementedError, "use on_trace_ready"),
        (lambda: profile().export_memory_timeline("x"), NotImplementedError, "profile_memory=True"),
        (lambda: schedule(wait=-1, warmup=0, active=1), AssertionError, r"Got wait=-1 \(need >= 0\), warmup=0"),
        (lambda: schedule(wait=0, warmup=0, active=1)(-1), AssertionError, "Step must be non-negative. Got -1."),
        (
            lambda: record_function(3),
            RuntimeError,
            "Expected a value of type 'str' for argument 'name' but .* type 'int'",
        ),
    ],
)
def test_what_the_profiler_refuses(make: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_an_error_inside_leaves_what_was_seen_and_nobody_looking() -> None:
    def fail() -> None:
        torch.ones(3).sin()
        raise ZeroDivisionError

    prof = profile()
    with pytest.raises(ZeroDivisionError), prof:
        fail()
    torch.ones(3).cos()
    assert [e.name for e in prof.events()] == ["aten::sin"]
    assert not torch.core.modes.MODES.active


def test_cycles_of_a_schedule_are_added_up_if_one_asks() -> None:
    for acc, count in ((False, 1), (True, 3)):
        with profile(schedule=schedule(wait=1, warmup=0, active=1), acc_events=acc) as prof:
            for _ in range(6):
                torch.ones(3).sin()
                prof.step()
        assert [e.name for e in prof.events()] == ["aten::sin"] * count


def test_nobody_looks_on_afterwards() -> None:
    with profile() as prof:
        work()
    n = len(prof.events())
    work()
    assert len(prof.events()) == n
    assert not torch.core.modes.MODES.active
