"""`torch.utils.data.distributed`, where scripts find the DistributedSampler too."""

from __future__ import annotations

from .sampler import DistributedSampler as DistributedSampler
