"""`torch.utils.data.dataloader`, where scripts find the DataLoader too."""

from __future__ import annotations

from .collate import default_collate as default_collate
from .collate import default_convert as default_convert
from .info import get_worker_info as get_worker_info
from .loader import DataLoader as DataLoader
