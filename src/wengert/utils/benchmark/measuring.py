"""What was measured: times, their statistics, and how they are written."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_UNITS = (
    (1e-9, "ns", "nanoseconds"),
    (1e-6, "us", "microseconds"),
    (1e-3, "ms", "milliseconds"),
    (1.0, "s", "seconds"),
)
_MIN_CONFIDENCE = 4  # blocks
_MAX_IQR = 0.1  # over the median
_CLOCK = 25e-9  # no time is known better, in seconds


@dataclass(frozen=True)
class TaskSpec:
    """What is measured, and under which names it is shown."""

    stmt: str
    setup: str
    global_setup: str = ""
    label: str | None = None
    sub_label: str | None = None
    description: str | None = None
    env: str | None = None
    num_threads: int = 1

    @property
    def title(self) -> str:
        if self.label is not None:
            return self.label + (f": {self.sub_label}" if self.sub_label else "")
        if "\n" not in self.stmt:
            return self.stmt + (f": {self.sub_label}" if self.sub_label else "")
        text = "\n".join("  " + line for line in self.stmt.splitlines())
        return "stmt:" + (f" ({self.sub_label})" if self.sub_label else "") + "\n" + text

    def setup_str(self) -> str:
        if not self.setup or self.setup == "pass":
            return ""
        if "\n" not in self.setup:
            return f"setup: {self.setup}"
        return "setup:\n" + "\n".join("  " + line for line in self.setup.splitlines())

    def summarize(self) -> str:
        """Title, description and setup, a line each."""
        return "\n".join(filter(None, [self.title, self.description or "", self.setup_str()]))


@dataclass
class Measurement:
    """Blocks of `number_per_run` runs each, and the seconds that each block took."""

    number_per_run: int
    raw_times: list[float]
    task_spec: TaskSpec
    metadata: dict[Any, Any] | None = None
    times: list[float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.times = [t / self.number_per_run for t in self.raw_times]

    def __getattr__(self, name: str) -> Any:
        if (name != "task_spec" and hasattr(TaskSpec, name)) or name in TaskSpec.__dataclass_fields__:
            return getattr(self.task_spec, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _some(self) -> np.ndarray[Any, Any]:
        if not self.raw_times:
            raise ValueError("Must have at least one measurement")
        return np.asarray(self.times)

    @property
    def mean(self) -> float:
        """Seconds for one run."""
        return float(self._some().mean())

    @property
    def median(self) -> float:
        """Seconds for one run. Steadier than the mean where a few blocks were disturbed."""
        return float(np.median(self._some()))

    @property
    def iqr(self) -> float:
        """Seconds between the first and the third quartile."""
        low, high = np.quantile(self._some(), [0.25, 0.75])
        return float(high - low)

    @property
    def significant_figures(self) -> int:
        """How many digits of the median to trust, by the spread of the middle half of the blocks: 1 to 5."""
        times = np.sort(self._some())
        middle = times[len(times) // 4 : math.ceil(3 * len(times) / 4)]
        interval = max(1.645 * float(middle.std()) / math.sqrt(len(middle)), _CLOCK)
        return min(max(math.floor(math.log10(self.median / interval)), 1), 5)

    @property
    def has_warnings(self) -> bool:
        """Do the blocks vary too much to say much of single runs?"""
        return not self.meets_confidence()

    def meets_confidence(self, threshold: float = _MAX_IQR) -> bool:
        return len(self.raw_times) >= _MIN_CONFIDENCE and self.iqr / self.median < threshold

    @property
    def as_row_name(self) -> str:
        return self.sub_label or self.stmt or "[Unknown]"

    @staticmethod
    def merge(measurements: Iterable[Measurement]) -> list[Measurement]:
        """One measurement for each task, of all its blocks."""
        groups: dict[TaskSpec, list[Measurement]] = {}
        for m in measurements:
            groups.setdefault(m.task_spec, []).append(m)
        merged = []
        for spec, group in groups.items():
            number = max(m.number_per_run for m in group)
            raw = [t / m.number_per_run * number for m in group for t in m.raw_times]
            merged.append(Measurement(number, raw, spec))
        return merged

    def __repr__(self) -> str:
        from . import __name__ as module

        lines = [f"<{module}.Measurement object at {hex(id(self))}>", self.task_spec.summarize()]
        unit, scale = select_unit(self.median)
        count = len(self.raw_times)
        if count > 1:
            lines.append(f"  Median: {self.median / scale:.2f} {unit}")
            if count >= _MIN_CONFIDENCE:
                low, high = np.quantile(self.times, [0.25, 0.75]) / scale
                lines.append(f"  IQR:    {self.iqr / scale:.2f} {unit} ({low:.2f} to {high:.2f})")
        else:
            lines.append(f"  {self.median / scale:.2f} {unit}")
        threads = f"{self.num_threads} thread{'s' if self.num_threads > 1 else ''}"
        runs = "runs per measurement" if count > 1 else "runs"
        lines.append(f"  {count} measurement{'s' if count > 1 else ''}, {self.number_per_run} {runs}, {threads}")
        if count > 1 and self.has_warnings:
            lines.append(f"  WARNING: Interquartile range is {self.iqr / self.median:.1%} of the median measurement.")
            lines.append("           This suggests significant environmental influence.")
        return "\n".join(lines)


def select_unit(t: float) -> tuple[str, float]:
    """The unit that suits a number of seconds, and how many seconds it is: `("us", 1e-6)`."""
    scale, name, _ = next(u for u in reversed(_UNITS) if t >= u[0] or u is _UNITS[0])
    return name, scale


def unit_to_english(u: str) -> str:
    """`"us"` in words."""
    return next(words for _, name, words in _UNITS if name == u)


def trim_sigfig(x: float, n: int) -> float:
    """`x` to `n` digits."""
    if x == 0:
        return 0.0
    return round(x, n - 1 - math.floor(math.log10(abs(x))))
