"""Draws that follow their parameters: gamma and Dirichlet numbers, with the derivatives of `kernels/implicit`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.batched import SELF, draw_each
from ..core.op import Array, general, missing
from ..core.tensor import Tensor
from ..kernels import distributions, implicit
from .random import source_of
from .reductions import sum_dim

__all__ = ["_dirichlet_grad", "_sample_dirichlet", "_standard_gamma", "_standard_gamma_grad"]


@general(
    "_standard_gamma_grad",
    input=missing("_standard_gamma_grad"),
    output=missing("_standard_gamma_grad"),
    method=False,
    tex=r"\frac{{\partial {output}}}{{\partial {input}}}",
)
def _standard_gamma_grad(input: Array, output: Array) -> Any:
    """d output / d input for draws `output` of gamma distributions with shapes `input`."""
    return implicit.standard_gamma(np.asarray(input), np.asarray(output))


@general(
    "standard_gamma",
    input=lambda g, input, out: g * _standard_gamma_grad(input, out),
    node="StandardGammaBackward0",
    method=False,
    batch=SELF,
)
def _gamma(input: Array, source: Any) -> Any:
    return draw_each(lambda a: distributions.standard_gamma(source, np.asarray(a)), input)


def _standard_gamma(input: Tensor, generator: Any = None) -> Tensor:
    """Gamma numbers with shapes `input` and scale 1."""
    return _gamma(input, source_of(generator))


@general(
    "_dirichlet_grad",
    x=missing("_dirichlet_grad"),
    alpha=missing("_dirichlet_grad"),
    total=missing("_dirichlet_grad"),
    method=False,
    tex=r"\frac{{1}}{{1 - {x}}} \frac{{\partial {x}}}{{\partial {alpha}}}",
)
def _dirichlet_grad(x: Array, alpha: Array, total: Array) -> Any:
    """dx/dalpha / (1 - x) for coordinates `x` of Dirichlet draws with parameters `alpha`, summing to `total`."""
    return implicit.dirichlet(np.asarray(x), np.asarray(alpha), np.asarray(total))


@general(
    "sample_dirichlet",
    input=lambda g, input, out: (
        _dirichlet_grad(out, input, sum_dim(input, -1, True)) * (g - sum_dim(out * g, -1, True))
    ),
    node="_DirichletBackward",
    method=False,
    batch=SELF,
)
def _dirichlet(input: Array, source: Any) -> Any:
    return draw_each(lambda a: distributions.dirichlet(source, np.asarray(a)), input)


def _sample_dirichlet(input: Tensor, generator: Any = None) -> Tensor:
    """Points of the simplex with concentrations `input` along the last axis."""
    return _dirichlet(input, source_of(generator))
