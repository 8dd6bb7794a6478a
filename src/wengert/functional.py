"""`torch.functional`, where PyTorch keeps some functions of its main namespace."""

from __future__ import annotations

import wengert

_NAMES = (
    "atleast_1d", "atleast_2d", "atleast_3d", "align_tensors", "broadcast_shapes", "broadcast_tensors", "cartesian_prod",
    "block_diag", "cdist", "chain_matmul", "einsum", "istft", "lu", "norm", "meshgrid", "pca_lowrank", "split", "stft",
    "svd_lowrank", "tensordot", "unique", "unique_consecutive", "unravel_index",
)  # fmt: skip
globals().update({name: getattr(wengert, name) for name in _NAMES if hasattr(wengert, name)})
