"""PyTorch's name for what its tests share. What each is, its module says."""

from __future__ import annotations

from ..comparison import assert_close as assert_close
from ..creation import make_tensor as make_tensor
from .conditions import *  # noqa: F403
from .guards import *  # noqa: F403
from .matrices import (
    make_fullrank_matrices_with_distinct_singular_values as make_fullrank_matrices_with_distinct_singular_values,
)
from .matrices import make_symmetric_matrices as make_symmetric_matrices
from .matrices import make_symmetric_pd_matrices as make_symmetric_pd_matrices
from .matrices import noncontiguous_like as noncontiguous_like
from .matrices import random_hermitian_matrix as random_hermitian_matrix
from .matrices import random_hermitian_pd_matrix as random_hermitian_pd_matrix
from .matrices import random_hermitian_psd_matrix as random_hermitian_psd_matrix
from .matrices import random_lowrank_matrix as random_lowrank_matrix
from .matrices import random_matrix as random_matrix
from .matrices import random_square_matrix_of_rank as random_square_matrix_of_rank
from .matrices import random_symmetric_matrix as random_symmetric_matrix
from .matrices import random_symmetric_pd_matrix as random_symmetric_pd_matrix
from .matrices import random_symmetric_psd_matrix as random_symmetric_psd_matrix
from .matrices import random_well_conditioned_matrix as random_well_conditioned_matrix
from .running import *  # noqa: F403
from .test_case import SEED as SEED
from .test_case import TestCase as TestCase
from .test_case import set_rng_seed as set_rng_seed
from .variations import dtype_name as dtype_name
from .variations import instantiate_parametrized_tests as instantiate_parametrized_tests
from .variations import parametrize as parametrize
from .variations import subtest as subtest
