"""Further forms of what the tables state: functions named after methods (`torch.exp_`, `torch.detach`), functions of PyTorch's
first years (`torch.kl_div` with a numbered reduction, `torch.lstm` with a list of weights), names that were removed.

States no operation. `functions()` gives everything by name, for the main namespace.
"""

from __future__ import annotations

from typing import Any

from ..core import dtypes
from ..core.op import COMPOSITES
from ..core.tensor import Tensor
from . import linalg_norms, recurrent
from .dropout import alpha_dropout, dropout, dropout2d, feature_alpha_dropout
from .removed import REMOVED, removed
from .shared import wrap_dim

# What PyTorch offers as a function too, though it belongs to a tensor.
_OF_TENSORS = """
    abs_ acos_ acosh_ addmv_ arccos_ arccosh_ arcsin_ arcsinh_ arctan_ arctanh_ as_strided_ asin_ asinh_ atan_ atanh_ ceil_
    clamp_ clamp_max_ clamp_min_ clip_ conj_physical_ cos_ cosh_ deg2rad_ detach_ erf_ erfc_ exp2_ exp_ expm1_ fill_ fix_
    floor_ frac_ gcd_ i0_ index_put_ lcm_ ldexp_ log10_ log1p_ log2_ log_ logit_ nan_to_num_ neg_ negative_ rad2deg_
    reciprocal_ round_ rsqrt_ sigmoid_ sin_ sinc_ sinh_ sqrt_ square_ tan_ tanh_ trunc_ xlogy_
    detach get_device is_complex is_conj is_distributed is_floating_point is_inference is_neg is_nonzero is_same_size
    is_signed numel
"""


def functions() -> dict[str, Any]:
    """Every function stated here, by name. Called when Tensor has its methods."""
    found = {name: _method(name) for name in _OF_TENSORS.split()}
    found.update((name, _numbered(name, names)) for name, names in _LOSSES.items())
    found.update((name, removed(name)) for name in REMOVED)
    found.update((name, _declined(name, why)) for why, names in _DECLINED.items() for name in names.split())
    found.update((name, _recurrent(name, mode)) for name, mode in _RECURRENT.items())
    found.update(
        (f.__name__, f) for f in (can_cast, frobenius_norm, kl_div, is_storage, is_tensor, native_dropout, native_norm)
    )
    found.update((f.__name__, f) for f in (_weight_norm, norm_except_dim, nuclear_norm, result_type))
    found["typename"] = typename
    found.update(_DROPOUTS)
    return found


def _method(name: str) -> Any:
    method = getattr(Tensor, name)

    def function(input: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(input, Tensor):
            raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
        return method(input, *args, **kwargs)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = method.__doc__ or f"`input.{name}(...)`."
    return function


# -- questions -------------------------------------------------------------------------------------------------


def is_tensor(obj: Any) -> bool:
    """Is `obj` a Tensor?"""
    return isinstance(obj, Tensor)


def is_storage(obj: Any) -> bool:
    """Is `obj` the memory of a tensor, as an object of its own?"""
    from ..core.storage import UntypedStorage

    return isinstance(obj, UntypedStorage)


def typename(obj: Any) -> str:
    """The name of the type of `obj`, with its module; a tensor's tells its dtype."""
    if isinstance(obj, Tensor):
        return obj.type()
    kind = obj if hasattr(obj, "__qualname__") else type(obj)
    module = getattr(kind, "__module__", None)
    return kind.__qualname__ if module in ("builtins", "", None) else f"{module}.{kind.__qualname__}"


def can_cast(from_: dtypes.dtype, to: dtypes.dtype) -> bool:
    """May a result of dtype `from_` be stored as `to`? Never to a lower category: complex, floating, integer, bool."""
    return from_.category <= to.category


def result_type(tensor: Any, other: Any) -> dtypes.dtype:
    """The dtype of a pointwise result of two operands, tensors or numbers."""
    return dtypes.result_type((tensor, other))


# -- norms and dropout -----------------------------------------------------------------------------------------


def frobenius_norm(input: Any, dim: Any, keepdim: bool = False, *, out: Any = None) -> Any:
    """The 2-norm over dimensions."""
    return linalg_norms.vector_norm(input, 2, dim, keepdim, out=out)


def nuclear_norm(input: Any, dim: Any = (-2, -1), keepdim: bool = False, *, out: Any = None) -> Any:
    """The sum of the singular values."""
    if isinstance(dim, bool):
        dim, keepdim = (-2, -1), dim
    return linalg_norms.matrix_norm(input, "nuc", dim, keepdim, out=out)


def native_norm(input: Any, p: Any = 2, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    """The `p`-norm of the elements."""
    return linalg_norms.vector_norm(input, 2 if p is None else p, dim, keepdim, dtype=dtype)


def norm_except_dim(v: Any, pow: int = 2, dim: int = 0) -> Any:
    """The `pow`-norm over all dimensions but `dim`, which keeps its place; with -1 over all."""
    if dim == -1:
        return linalg_norms.vector_norm(v, pow)
    kept = wrap_dim(dim, v.ndim)
    if v.ndim == 1:
        return v.abs()
    return linalg_norms.vector_norm(v, pow, tuple(d for d in range(v.ndim) if d != kept), True)


def _weight_norm(v: Any, g: Any, dim: int = 0) -> Any:
    """`v` scaled so that its norms over all dimensions but `dim` are `g`."""
    return v * (g / norm_except_dim(v, 2, dim))


def native_dropout(input: Any, p: float, train: bool | None) -> tuple[Any, Any]:
    """(what `dropout` gives, which elements it kept)."""
    if train is False:
        return input.clone(), input.new_ones(input.shape, dtype=dtypes.bool_)
    if p == 1 or not input.numel():
        return input * 0, input.new_zeros(input.shape, dtype=dtypes.bool_)
    noise = dropout(input.new_ones(input.shape), p, True)
    return input * noise, noise != 0


def _trained(name: str, functional: Any, inplace: bool) -> Any:
    def drop(input: Any, p: float, train: bool) -> Any:
        return functional(input, p, train, inplace)

    drop.__name__ = drop.__qualname__ = name
    drop.__doc__ = functional.__doc__
    return drop


_DROPOUTS = {
    name + mark: _trained(name + mark, functional, bool(mark))
    for name, functional in {
        "dropout": COMPOSITES["nn.functional.dropout"].function,
        "alpha_dropout": alpha_dropout,
        "feature_dropout": dropout2d,
        "feature_alpha_dropout": feature_alpha_dropout,
    }.items()
    for mark in ("", "_")
    if name + mark != "dropout"
}


# -- losses with a numbered reduction --------------------------------------------------------------------------

_REDUCTIONS = ("none", "mean", "sum")


def kl_div(input: Any, target: Any, reduction: int = 1, *, log_target: bool = False) -> Any:
    """`nn.functional.kl_div`, with `reduction` as a number: 0 none, 1 mean, 2 sum."""
    loss = COMPOSITES["nn.functional.kl_div"].function(input, target, reduction="none", log_target=log_target)
    return loss.mean() if reduction == 1 else loss.sum() if reduction == 2 else loss


# The arguments between the tensors and `reduction`.
_LOSSES: dict[str, tuple[str, ...]] = {
    "binary_cross_entropy_with_logits": ("weight", "pos_weight"),
    "cosine_embedding_loss": ("margin",),
    "hinge_embedding_loss": ("margin",),
    "margin_ranking_loss": ("margin",),
    "poisson_nll_loss": ("log_input", "full", "eps"),
    "triplet_margin_loss": ("margin", "p", "eps", "swap"),
}
_THREE = {"cosine_embedding_loss", "margin_ranking_loss", "triplet_margin_loss"}


def _numbered(name: str, names: tuple[str, ...]) -> Any:
    count = 3 if name in _THREE else 2

    def loss(*args: Any, reduction: int = 1, **kwargs: Any) -> Any:
        given = dict(zip((*names, "reduction"), args[count:], strict=False))
        kwargs.update(given)
        reduction = kwargs.pop("reduction", reduction)
        if reduction not in (0, 1, 2):
            raise ValueError(f"{name}(): reduction must be 0 (none), 1 (mean) or 2 (sum), not {reduction!r}")
        kwargs = {k: v for k, v in kwargs.items() if v is not None}
        return COMPOSITES["nn.functional." + name].function(*args[:count], reduction=_REDUCTIONS[reduction], **kwargs)

    loss.__name__ = loss.__qualname__ = name
    loss.__doc__ = f"`nn.functional.{name}`, with `reduction` as a number: 0 none, 1 mean, 2 sum."
    return loss


# -- recurrent layers from a list of weights -------------------------------------------------------------------

_RECURRENT = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "RNN_TANH", "rnn_relu": "RNN_RELU"}


def _recurrent(name: str, mode: str) -> Any:
    def run(data: Any, *args: Any, **kwargs: Any) -> Any:
        # A packed batch comes with its sizes, and then `hx`; the weights are a list in both.
        is_packed = len(args) > 2 and isinstance(args[2], (tuple, list))
        return (packed if is_packed else padded)(data, *args, **kwargs)

    def padded(
        input: Any, hx: Any, params: Any, has_biases: bool, num_layers: int, dropout: float, train: bool,
        bidirectional: bool, batch_first: bool = False,
    ) -> Any:  # fmt: skip
        if batch_first:
            input = input.transpose(0, 1)
        out, *last = layers(input, None, hx, params, has_biases, num_layers, dropout, train, bidirectional)
        return (out.transpose(0, 1) if batch_first else out, *last)

    def packed(data: Any, batch_sizes: Any, *rest: Any) -> Any:
        return layers(data, batch_sizes._array.tolist(), *rest)

    def layers(
        x: Any, sizes: Any, hx: Any, params: Any, biases: bool, count: int, rate: float, train: bool, bidirectional: bool
    ) -> Any:  # fmt: skip
        states = tuple(hx) if mode == "LSTM" else (hx,)
        cells = count * (2 if bidirectional else 1)
        each = len(params) // cells
        weights = []
        for k in range(cells):
            w = params[k * each : (k + 1) * each]
            projection = w[-1] if each == (5 if biases else 3) else None
            weights.append((w[0], w[1], *(w[2:4] if biases else (None, None)), projection))
        return recurrent.run_layers(
            mode, x, states, weights, count, bidirectional, lambda y: dropout(y, rate, train), sizes
        )

    run.__name__ = run.__qualname__ = name
    run.__doc__ = (
        f"The layers of nn.{mode.split('_')[0]} over a sequence: (output, last states), from the list of its weights."
    )
    return run


# -- names for what is not here --------------------------------------------------------------------------------

_DECLINED = {
    "sparse tensors: use dense ones": """
        hspmm resize_as_sparse_ saddmm smm sparse_bsc_tensor sparse_bsr_tensor sparse_compressed_tensor sparse_coo_tensor
        sparse_csc_tensor sparse_csr_tensor spmm sspaddmm
    """,
    "quantised tensors: use floating-point ones": """
        empty_quantized fake_quantize_per_channel_affine fake_quantize_per_tensor_affine int_repr q_per_channel_axis
        q_per_channel_scales q_per_channel_zero_points q_scale q_zero_point quantize_per_channel quantize_per_tensor
        quantize_per_tensor_dynamic quantized_batch_norm quantized_gru_cell quantized_lstm_cell quantized_max_pool1d
        quantized_max_pool2d quantized_max_pool3d quantized_rnn_relu_cell quantized_rnn_tanh_cell
    """,
}


def _declined(name: str, why: str) -> Any:
    def raises(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"torch.{name}() is not supported. There are no {why}.")

    raises.__name__ = raises.__qualname__ = name
    raises.__doc__ = f"Not supported: there are no {why}."
    return raises
