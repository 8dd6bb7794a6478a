"""`wengert.linalg`, shaped like torch.linalg. States nothing: the rows named `linalg.*` live in `wengert.ops`."""

from __future__ import annotations

from ..core.op import stated_under
from ..ops.linalg_shared import LinAlgError as LinAlgError
from ..ops.matmul import matmul as matmul

globals().update(stated_under("linalg."))
__all__ = sorted([*stated_under("linalg."), "LinAlgError", "matmul"])
