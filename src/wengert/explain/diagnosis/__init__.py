"""Why a gradient is None, NaN or zero, and why backward raised: `why_none`, `why_nan`, `why_zero`, `why_error`.

`watching` notes during a trace what the answers need, `reading` reads the program's source where nothing was watched,
`nothing`, `bad`, `zero` and `errors` find the answers, `advice` says what to change, `answer` is how an answer looks.
Imported when first asked for.
"""

from __future__ import annotations

from .answer import Site, Why
from .bad import why_nan
from .errors import why_error
from .nothing import why_none
from .zero import why_zero

__all__ = ["Site", "Why", "why_error", "why_nan", "why_none", "why_zero"]
