"""`wengert.optim.lr_scheduler`, shaped like torch.optim.lr_scheduler."""

from __future__ import annotations

from .base import LRScheduler as LRScheduler
from .base import _LRScheduler as _LRScheduler
from .combined import ChainedScheduler as ChainedScheduler
from .combined import SequentialLR as SequentialLR
from .cycles import CosineAnnealingWarmRestarts as CosineAnnealingWarmRestarts
from .cycles import CyclicLR as CyclicLR
from .cycles import OneCycleLR as OneCycleLR
from .plateau import ReduceLROnPlateau as ReduceLROnPlateau
from .shapes import ConstantLR as ConstantLR
from .shapes import CosineAnnealingLR as CosineAnnealingLR
from .shapes import ExponentialLR as ExponentialLR
from .shapes import LambdaLR as LambdaLR
from .shapes import LinearLR as LinearLR
from .shapes import MultiplicativeLR as MultiplicativeLR
from .shapes import MultiStepLR as MultiStepLR
from .shapes import PolynomialLR as PolynomialLR
from .shapes import StepLR as StepLR
