"""`wengert.optim`, shaped like torch.optim."""

from __future__ import annotations

from . import lr_scheduler as lr_scheduler
from . import swa_utils as swa_utils
from .adafactor import Adafactor as Adafactor
from .adam import Adam as Adam
from .adam import AdamW as AdamW
from .adam_kin import Adamax as Adamax
from .adam_kin import NAdam as NAdam
from .adam_kin import RAdam as RAdam
from .adam_kin import SparseAdam as SparseAdam
from .adaptive import ASGD as ASGD
from .adaptive import Adadelta as Adadelta
from .adaptive import Adagrad as Adagrad
from .adaptive import RMSprop as RMSprop
from .adaptive import Rprop as Rprop
from .lbfgs import LBFGS as LBFGS
from .muon import Muon as Muon
from .optimizer import Optimizer as Optimizer
from .sgd import SGD as SGD
