"""`torch.utils.benchmark`: `Timer` measures statements, `Measurement` holds the times, `Compare` lays several out as a table."""

from __future__ import annotations

from .comparing import Compare as Compare
from .measuring import Measurement as Measurement
from .measuring import TaskSpec as TaskSpec
from .measuring import select_unit as select_unit
from .measuring import trim_sigfig as trim_sigfig
from .measuring import unit_to_english as unit_to_english
from .timing import Language as Language
from .timing import Timer as Timer
from .timing import timer as timer
