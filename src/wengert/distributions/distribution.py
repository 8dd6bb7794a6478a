"""Distribution: the base of all, with its shapes, its checks and its `expand`.

A distribution is a batch of distributions of events: what it samples has shape `sample_shape + batch_shape + event_shape`.
"""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

from .. import exp
from ..core.modes import no_grad
from ..core.size import Size
from ..core.tensor import Tensor
from . import constraints
from .utils import broadcast_all, lazy_property

__all__ = ["Distribution"]


class Distribution:
    """The base of all distributions. `validate_args` (by default on) has parameters and values checked."""

    has_rsample: Any = False
    has_enumerate_support: Any = False
    _validate_args: bool = __debug__
    # What `expand` takes along: for each attribute how many of its last dimensions belong to an event (of a distribution:
    # stay in its batch). Attributes that are not there, or lazy and not yet computed, are left out.
    _state: ClassVar[dict[str, int]] = {}

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Have all distributions made from now on checked, or not."""
        if value not in [True, False]:
            raise ValueError(f"expected True or False, got {value!r}")
        Distribution._validate_args = value

    def __init__(self, batch_shape: Any = Size(), event_shape: Any = Size(), validate_args: bool | None = None) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._check_parameters()

    def _broadcast(self, validate_args: bool | None, **parameters: Any) -> None:
        """Set the parameters, which all have the batch's shape, and initialise."""
        values = broadcast_all(*parameters.values())
        for name, value in zip(parameters, values, strict=True):
            setattr(self, name, value)
        Distribution.__init__(self, values[0].shape, validate_args=validate_args)

    def _check_parameters(self) -> None:
        try:
            wanted = self.arg_constraints
        except NotImplementedError:
            wanted = {}
            warnings.warn(
                f"{type(self)} does not define `arg_constraints`. Please set `arg_constraints = {{}}` or initialize the "
                "distribution with `validate_args=False` to turn off validation.",
                stacklevel=4,
            )
        for name, constraint in wanted.items():
            if constraints.is_dependent(constraint):
                continue
            if name not in self.__dict__ and isinstance(getattr(type(self), name), lazy_property):
                continue  # computed from those that were given
            value = getattr(self, name)
            if not constraint.check(value).all():
                raise ValueError(
                    f"Expected parameter {name} ({type(value).__name__} of shape {tuple(value.shape)}) of distribution "
                    f"{self!r} to satisfy the constraint {constraint!r}, but found invalid values:\n{value}"
                )

    # -- shapes ------------------------------------------------------------------------------------------------
    @property
    def batch_shape(self) -> Size:
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        return self._event_shape

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution, its batch expanded to `batch_shape` without copying."""
        new = self._get_checked_instance(_instance)
        batch_shape = Size(batch_shape)
        for name, stay in self._state.items():
            if name not in self.__dict__:
                continue
            value = self.__dict__[name]
            if isinstance(value, Tensor):
                value = value.expand(batch_shape + value.shape[value.ndim - stay :])
            elif isinstance(value, Distribution):
                own = value.batch_shape
                value = value.expand(batch_shape + own[len(own) - stay :])
            setattr(new, name, value)
        Distribution.__init__(new, batch_shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def _get_checked_instance(self, _instance: Any = None) -> Any:
        """A bare one of this class; a subclass with an `__init__` of its own must say how it is expanded."""
        kind: Any = type(self)
        cls: Any = next(c for c in kind.__mro__ if c.__module__.startswith(__package__ or ""))
        if _instance is None and kind.__init__ is not cls.__init__:
            raise NotImplementedError(
                f"Subclass {kind.__name__} of {cls.__name__} that defines a custom __init__ method must also define a "
                "custom .expand() method."
            )
        return kind.__new__(kind) if _instance is None else _instance

    def _extended_shape(self, sample_shape: Any = Size()) -> Size:
        """The shape of a sample."""
        return Size(sample_shape) + self._batch_shape + self._event_shape

    # -- what a distribution says ------------------------------------------------------------------------------
    def _undefined(self, name: str) -> Any:
        raise NotImplementedError(f"{type(self)} does not implement {name}")

    @property
    def arg_constraints(self) -> dict[str, Any]:
        return self._undefined("arg_constraints")

    @property
    def support(self) -> Any:
        return self._undefined("support")

    @property
    def mean(self) -> Any:
        return self._undefined("mean")

    @property
    def mode(self) -> Any:
        return self._undefined("mode")

    @property
    def variance(self) -> Any:
        return self._undefined("variance")

    @property
    def stddev(self) -> Any:
        return self.variance.sqrt()

    def sample(self, sample_shape: Any = Size()) -> Any:
        """A sample, without a gradient."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = Size()) -> Any:
        """A sample that follows the parameters: gradients flow to them."""
        return self._undefined("rsample")

    def sample_n(self, n: int) -> Any:
        """The old form of `sample((n,))`."""
        warnings.warn("`sample_n(n)` will be deprecated. Use `sample((n,))` instead.", FutureWarning, stacklevel=2)
        return self.sample((n,))

    def log_prob(self, value: Any) -> Any:
        """The logarithm of the density (or the probability) at `value`."""
        return self._undefined("log_prob")

    def cdf(self, value: Any) -> Any:
        """The probability of at most `value`."""
        return self._undefined("cdf")

    def icdf(self, value: Any) -> Any:
        """The inverse of `cdf`."""
        return self._undefined("icdf")

    def enumerate_support(self, expand: bool = True) -> Any:
        """All values that a discrete distribution can take, along a new first dimension."""
        return self._undefined("enumerate_support")

    def entropy(self) -> Any:
        """The entropy, in nats."""
        return self._undefined("entropy")

    def perplexity(self) -> Any:
        """exp(entropy)."""
        return exp(self.entropy())

    def _validate_sample(self, value: Any) -> None:
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        shape, expected = value.shape, self._batch_shape + self._event_shape
        if shape[len(shape) - len(self._event_shape) :] != self._event_shape:
            raise ValueError(f"The right-most size of value must match event_shape: {shape} vs {self._event_shape}.")
        for i, j in zip(reversed(shape), reversed(expected), strict=False):
            if i != 1 and j != 1 and i != j:
                raise ValueError(f"Value is not broadcastable with batch_shape+event_shape: {shape} vs {expected}.")
        try:
            support = self.support
        except NotImplementedError:
            warnings.warn(
                f"{type(self)} does not define `support` to enable sample validation. Please initialize the distribution "
                "with `validate_args=False` to turn off validation.",
                stacklevel=3,
            )
            return
        if not support.check(value).all():
            raise ValueError(
                f"Expected value argument ({type(value).__name__} of shape {tuple(shape)}) to be within the support "
                f"({support!r}) of the distribution {self!r}, but found invalid values:\n{value}"
            )

    def _checked(self, value: Any) -> Any:
        """The value, after the check if there is to be one."""
        if self._validate_args:
            self._validate_sample(value)
        return value

    def __repr__(self) -> str:
        found = {k: self.__dict__[k] for k in self.arg_constraints if k in self.__dict__}
        shown = (f"{k}: {v if v.numel() == 1 else v.size()}" for k, v in found.items())
        return f"{type(self).__name__}({', '.join(shown)})"
