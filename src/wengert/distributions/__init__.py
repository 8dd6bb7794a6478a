"""`torch.distributions`: what policies, autoencoders and Bayesian models draw from and are judged by.

Samples are PyTorch's from PyTorch's seeds. Families that are not here refuse by name.
"""

from __future__ import annotations

from ..environment.refusal import refusals
from . import constraints as constraints
from . import utils as utils
from .continuous import *
from .discrete import *
from .distribution import Distribution as Distribution
from .distribution import ExponentialFamily as ExponentialFamily
from .gamma import *
from .joint import *
from .kl import kl_divergence as kl_divergence
from .kl import register_kl as register_kl

globals().update(
    refusals(
        "distributions",
        (
            "ContinuousBernoulli", "FisherSnedecor", "GeneralizedPareto", "HalfCauchy", "InverseGamma", "Kumaraswamy",
            "LKJCholesky", "LogisticNormal", "LowRankMultivariateNormal", "Multinomial", "NegativeBinomial", "Pareto",
            "RelaxedBernoulli", "RelaxedOneHotCategorical", "TransformedDistribution", "VonMises", "Weibull", "Wishart",
        ),
        "this family is not here; write its log_prob with tensor operations, in a subclass of distributions.Distribution",
    )
)  # fmt: skip
