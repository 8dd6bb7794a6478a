"""`torch.testing`: `assert_close`, which says where and by how much, and `make_tensor`, random numbers of any dtype."""

from __future__ import annotations

from .comparison import assert_allclose as assert_allclose
from .comparison import assert_close as assert_close
from .creation import make_tensor as make_tensor

__all__ = ["assert_allclose", "assert_close", "make_tensor"]
