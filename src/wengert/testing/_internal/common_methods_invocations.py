"""PyTorch's name for its database of operations. That is PyTorch's: here it is empty, and `ops` leaves one skipped test of each.

Wengert's own table of operations is tested in tests/test_table.py.
"""

from __future__ import annotations

from typing import Any

from .devices import OpDTypes as OpDTypes
from .matrices import mask_not_all_zeros as mask_not_all_zeros

op_db: list[Any] = []
sparse_unary_ufuncs: list[Any] = []
unary_ufuncs: list[Any] = []
binary_ufuncs: list[Any] = []
