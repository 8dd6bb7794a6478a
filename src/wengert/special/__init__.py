"""`wengert.special`, shaped like torch.special. The functions are stated in `wengert.ops.special`."""

from __future__ import annotations

from ..ops.moments import logsumexp as logsumexp
from ..ops.softmax import log_softmax as log_softmax
from ..ops.softmax import softmax as softmax
from ..ops.special import SPECIAL

globals().update(SPECIAL)
__all__ = sorted([*SPECIAL, "log_softmax", "logsumexp", "softmax"])
