"""The LKJ distribution of correlation matrices, by their Cholesky factors."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from .. import arange, cat, diag_embed, mvlgamma, randn
from ..core.size import Size
from . import constraints
from .beta import Beta
from .distribution import Distribution
from .utils import broadcast_all, limits

__all__ = ["LKJCholesky"]


class LKJCholesky(Distribution):
    """The Cholesky factor of a random `dim` x `dim` correlation matrix C, of density proportional to det(C)^(concentration - 1)

    Drawn by the onion method: D. Lewandowski, D. Kurowicka, H. Joe, J. Multivariate Analysis 100 (2009).
    """

    arg_constraints: ClassVar[dict[str, Any]] = {"concentration": constraints.positive}
    support = constraints.corr_cholesky
    _state: ClassVar[dict[str, int]] = {"dim": 0, "concentration": 0, "_beta": 1}

    def __init__(self, dim: int, concentration: Any = 1.0, validate_args: bool | None = None) -> None:
        if dim < 2:
            raise ValueError(f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}.")
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        rows = arange(dim - 1, dtype=self.concentration.dtype)
        rows = cat([rows.new_zeros((1,)), rows])
        marginal = self.concentration + 0.5 * (dim - 2)
        self._beta = Beta(rows + 0.5, marginal.unsqueeze(-1) - 0.5 * rows)
        super().__init__(self.concentration.shape, (dim, dim), validate_args)

    def sample(self, sample_shape: Any = Size()) -> Any:
        y = self._beta.sample(sample_shape).unsqueeze(-1)  # the squared length of each row left of the diagonal
        direction = randn(self._extended_shape(sample_shape), dtype=y.dtype).tril(-1)
        direction = direction / direction.square().sum(-1, True).sqrt()
        direction[..., 0, :].fill_(0.0)
        w = y.sqrt() * direction
        return w + diag_embed((1 - (w**2).sum(-1)).clamp(min=float(limits(w).tiny)).sqrt())

    def log_prob(self, value: Any) -> Any:
        diagonal = self._checked(value).diagonal(dim1=-1, dim2=-2)[..., 1:]
        order = 2 * (self.concentration - 1).unsqueeze(-1) + self.dim - arange(2, self.dim + 1)
        n = self.dim - 1
        alpha = self.concentration + 0.5 * n
        constant = 0.5 * n * math.log(math.pi) + mvlgamma(alpha - 0.5, n) - alpha.lgamma() * n
        return (order * diagonal.log()).sum(-1) - constant
