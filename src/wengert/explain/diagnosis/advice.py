"""What to change: for each way a gradient is lost, and for each operation that makes NaN. Sentences, no finding out."""

from __future__ import annotations

# -- cuts: (what happened, what to change) -----------------------------------------------------------------------------

CUT = {
    "item": (
        ".item() (or float()) gives a plain Python number, which remembers nothing of the tensor it came from",
        "use the tensor itself; a tensor of one element can stand wherever the number stood",
    ),
    "tolist": (
        ".tolist() gives plain Python numbers, which remember nothing of the tensor they came from",
        "index the tensor itself (x[0], or for v in x) and compute with what that gives",
    ),
    "bool": (
        "it only decides an `if` or a `while`; which branch is taken has no derivative",
        "let both branches count, weighted: torch.where(condition, a, b), or a soft condition such as torch.sigmoid",
    ),
    "int": (
        "it only serves as an index or a count, which has no derivative",
        "weight the elements instead of choosing one (softmax), or accept that this value is not learnt",
    ),
    "numpy": (
        "the NumPy array that .numpy() gives is outside autograd; what is computed from it is a constant",
        "compute with wengert's functions instead of np's (torch.sin for np.sin, torch.where, @ ...)",
    ),
    "detach": (
        "detach() gives the same numbers outside the graph, which is what it is for",
        "leave out detach() here; where only the printed or kept number should be detached, detach a copy for that alone",
    ),
    "detach_": (
        "detach_() took the tensor itself out of the graph",
        "leave out detach_(); detach a copy where a number alone is wanted",
    ),
    "data": (
        ".data gives the same memory outside the graph",
        "use the tensor itself, without .data (inside torch.no_grad() where it is to be changed)",
    ),
    "tensor": (
        "torch.tensor(...) copies numbers into a new leaf, which knows nothing of the tensors they came from",
        "use the tensor itself (x.clone() for a copy), torch.stack([...]) or torch.cat for several",
    ),
    "Parameter": (
        "Parameter(t) is a new leaf that shares the numbers of t and not its history",
        "make the Parameter once, before the computation, and use what is computed from it as it is",
    ),
    "no_grad": (
        "it was computed under torch.no_grad(), where nothing is recorded",
        "move this line out of the no_grad block (torch.enable_grad() inside it records again)",
    ),
    "inference_mode": (
        "it was computed under torch.inference_mode(), where nothing is recorded and nothing can be later",
        "move this line out of the inference_mode block",
    ),
    "comparison": (
        "a comparison gives True or False, which do not change with a small change of the argument",
        "use something smooth: torch.sigmoid(k * (x - limit)) for x > limit, or a loss that is made for it",
    ),
    "argmax": (
        "it gives whole numbers (indices), which do not change with a small change of the argument",
        "use softmax, or the value itself (x.max(), x.gather(...)); train with cross_entropy, and keep argmax for accuracy",
    ),
    "integer": (
        "it was turned into whole numbers, which have no derivative",
        "stay with a floating-point dtype; for rounding with a gradient add (x.round() - x).detach() to x",
    ),
    "not differentiable": (
        "this operation has no derivative",
        "use a smooth operation in its place, or accept that no gradient comes through here",
    ),
    "late": (
        "requires_grad was not set yet when this line used it, so nothing was recorded",
        "set requires_grad (x.requires_grad_()) before the first use, or make x with requires_grad=True",
    ),
    "overwritten": (
        "its value was overwritten in place before loss was made from it, so loss does not depend on it",
        "write the new value into another tensor",
    ),
}

INTEGER = ("argmax", "argmin", "argsort", "one_hot", "bincount", "histc", "searchsorted", "bucketize", "nonzero")
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge", "isnan", "isinf", "isfinite", "logical_not", "signbit", "isclose")


def kind_of_cut(op: str, reason: str) -> str:
    """Which of CUT a step is: by what the recorder noted of it, and by its operation."""
    if op in COMPARISONS or op.startswith("logical_"):
        return "comparison"
    if op in INTEGER or (reason == "not differentiable" and op in ("max", "min", "sort", "topk", "mode", "median")):
        return "argmax"
    if reason == "integer result" or op in ("long", "int", "to"):
        return "integer" if reason != "no_grad" else reason
    return reason if reason in CUT else "not differentiable"


# -- NaN and infinity --------------------------------------------------------------------------------------------------

NOT_ONE = frozenset(["asin", "acos", "atanh", "arcsin", "arccos", "arctanh", "log1p", "erfinv"])  # 0 is safe, 1 is not

GROWS = "keep the argument small: subtract its maximum, clamp it, or use a form made for large arguments"
NAN = {
    "sqrt": "sqrt has an infinite slope at 0 and no value below: keep its argument above 0, as in torch.sqrt(x + 1e-12)",
    "rsqrt": "rsqrt is infinite at 0: keep its argument above 0, as in torch.rsqrt(x + 1e-12)",
    "log": "log is -inf at 0 and has no value below: keep its argument above 0, as in torch.log(x.clamp(min=1e-12)), "
    "or compute the logarithm directly (log_softmax, logsigmoid, log1p)",
    "log1p": "log1p is -inf at -1: keep its argument above -1",
    "div": "a division by 0: keep the divisor away from 0, as in a / (b + 1e-12) or a / b.clamp(min=1e-12)",
    "reciprocal": "1 / 0: keep the argument away from 0",
    "pow": "a power with exponent below 1 has an infinite slope at 0, and a fractional power of a negative number does "
    "not exist: keep the base above 0, as in (x + 1e-12) ** p",
    "asin": "asin has an infinite slope at ±1: x.clamp(-1 + 1e-7, 1 - 1e-7)",
    "acos": "acos has an infinite slope at ±1: x.clamp(-1 + 1e-7, 1 - 1e-7)",
    "acosh": "acosh has an infinite slope at 1: x.clamp(min=1 + 1e-7)",
    "atanh": "atanh is infinite at ±1: x.clamp(-1 + 1e-7, 1 - 1e-7)",
    "atan2": "atan2 has no derivative at (0, 0): move one argument away from 0",
    "exp": "exp overflows (float32 beyond 88): " + GROWS + " (log_softmax, logsumexp, logsigmoid)",
    "exp2": "exp2 overflows: " + GROWS,
    "expm1": "expm1 overflows: " + GROWS,
    "sinh": "sinh overflows: " + GROWS,
    "cosh": "cosh overflows: " + GROWS,
    "square": "the square overflows: " + GROWS + ", or compute in float64",
    "softmax": "every entry of a row is -inf (a row that is masked out entirely): keep one entry, or use a large negative "
    "number instead of -inf, or set the row to 0 afterwards with torch.nan_to_num",
    "log_softmax": "every entry of a row is -inf (a row that is masked out entirely): keep one entry finite",
    "logsumexp": "every entry is -inf: keep one entry finite",
    "mean": "the mean of no elements is 0 / 0: check for empty input",
    "var": "the variance of a single element is 0 / 0: use unbiased=False, or check the size",
    "std": "the standard deviation of a single element is 0 / 0 and its slope at equal elements is infinite: use "
    "unbiased=False, and torch.sqrt(x.var() + 1e-12)",
    "cross_entropy": "no target counts (all are ignore_index) or a logit is infinite: 0 / 0",
    "nll_loss": "no target counts (all are ignore_index): 0 / 0",
    "mul": "0 · inf, or an overflow: one factor is infinite, or both are too large for the dtype",
    "sub": "inf - inf: both operands are infinite; find what made them so",
    "add": "inf - inf, or an overflow: look at the operands",
    "sum": "the sum overflows: scale, or sum in a wider dtype (x.sum(dtype=torch.float64))",
    "norm": "the norm overflows or has no derivative at 0: add a small number under the root",
    "matmul": "the product overflows: scale its factors (initialise smaller, normalise the input, lower the learning rate)",
    "linear": "the product overflows: scale its factors (initialise smaller, normalise the input, lower the learning rate)",
}
NAN |= {"log2": NAN["log"], "log10": NAN["log"], "xlogy": NAN["log"], "prod": NAN["mul"], "logaddexp": NAN["sub"],
        "batch_norm": "the variance is 0 or overflows: use a larger eps, or larger batches",
        "to": "the number does not fit the narrower dtype: keep the wider one, or scale first"}  # fmt: skip

# Operations that send a gradient of 0 to what they did not choose.
CHOOSERS = frozenset(
    ["where", "masked_fill", "masked_fill_", "masked_scatter", "index_fill", "clamp", "relu", "maximum", "minimum", "fmax",
     "fmin", "nan_to_num", "getitem", "index", "masked_select", "slice", "select", "max", "min", "hardtanh", "threshold",
     "masked_mean", "index_select", "gather", "take_along_dim", "index_put", "narrow", "triu", "tril"]
)  # fmt: skip


def nan_advice(op: str) -> str:
    return NAN.get(op, "keep its argument where the function and its derivative are finite")


# -- zero --------------------------------------------------------------------------------------------------------------

FLAT = frozenset(["round", "floor", "ceil", "trunc", "sign", "sgn", "fix", "heaviside", "floor_divide"])
DEAD = frozenset(["relu", "relu6", "threshold", "hardtanh", "clamp", "clamp_min", "clamp_max", "hardsigmoid", "hardswish",
                  "hardshrink", "softshrink", "maximum", "minimum", "fmax", "fmin", "leaky_relu"])  # fmt: skip
SATURATED = frozenset(["sigmoid", "tanh", "softmax", "log_softmax", "erf", "erfc", "gelu", "silu", "softplus", "mish",
                       "logsigmoid", "elu", "selu", "celu", "tanhshrink", "softsign", "exp", "cross_entropy",
                       "binary_cross_entropy_with_logits"])  # fmt: skip

ZERO = {
    "dead": "let some arguments be positive: lower the learning rate or the bias, initialise smaller, or use leaky_relu, "
    "elu or gelu, whose slope is nowhere 0",
    "saturated": "bring the argument back to where the function is not flat: normalise the input, initialise smaller, or "
    "leave the function out and use a loss that takes logits",
    "cancelled": "if that is not meant, one of the terms has the wrong sign or the wrong partner; if it is, you are at a "
    "stationary point, and a small change of the start breaks the symmetry",
    "structural": "let the value take part: include it in the mask, the slice or the choice",
    "integer": "rounding has slope 0 everywhere: use x + (x.round() - x).detach() (straight through), or leave it out",
    "factor": "give the other factor a start that is not 0 (initialise it with small random numbers), or unmask it",
    "overwritten": "write the new value into another tensor, or do not overwrite this one",
    "one": "take the sum over the dimension that holds the alternatives; check dim=",
    "stationary": "the function is flat just there, as at a minimum: if the loss is at its optimum nothing is wrong, else "
    "start elsewhere",
    "kink": "this is the convention at a kink, the same as PyTorch's: move the start away from it",
    "start": "call backward with a gradient that is not 0, or on the loss itself",
    "underflow": "the product is too small for the dtype: scale the loss, or compute in float64",
}
