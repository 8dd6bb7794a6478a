"""`torch.nn.common_types`: names for annotations of modules."""

from __future__ import annotations

from typing import Any, TypeAlias

_scalar_or_tuple_any_t: TypeAlias = int | tuple[int, ...]
_size_any_t = _size_1_t = _size_2_t = _size_3_t = _size_4_t = _size_5_t = _size_6_t = _scalar_or_tuple_any_t
_ratio_any_t: TypeAlias = float | tuple[float, ...]
_ratio_2_t = _ratio_3_t = _ratio_any_t
_tensor_list_t: TypeAlias = Any
_maybe_indices_t: TypeAlias = Any
