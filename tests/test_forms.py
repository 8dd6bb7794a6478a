"""The forms of an operation beside the one its row states: functions named after methods, `out=`, methods of few words."""

from __future__ import annotations

import array
import collections
import inspect
import math

import numpy as np
import pytest

import wengert as torch
from wengert.core.op import COMPOSITES, TABLE

# -- functions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["exp", "sin", "neg", "sqrt", "reciprocal", "sigmoid", "trunc", "square"])
def test_in_place_functions_change_their_argument(name: str) -> None:
    x = torch.tensor([0.25, 1.5])
    expected = getattr(torch, name)(x)
    assert getattr(torch, name + "_")(x) is x
    assert torch.equal(x, expected)


def test_an_in_place_function_of_a_number_is_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"exp_\(\): argument 'input' \(position 1\) must be Tensor, not int"):
        torch.exp_(3)  # type: ignore[arg-type]


def test_questions_are_functions_too() -> None:
    x = torch.ones(2, 3)
    assert torch.numel(x) == 6
    assert torch.is_floating_point(x)
    assert not torch.is_complex(x)
    assert torch.is_tensor(x)
    assert not torch.is_tensor(np.ones(2))
    assert torch.is_nonzero(torch.tensor([3]))
    assert not torch.is_storage(x)
    assert torch.is_storage(x.storage())
    assert torch.is_same_size(x, torch.zeros(2, 3))
    assert not torch.detach(x.requires_grad_()).requires_grad


def test_is_nonzero_of_several_numbers() -> None:
    with pytest.raises(RuntimeError, match="Boolean value of Tensor with more than one value is ambiguous"):
        torch.ones(2).is_nonzero()
    with pytest.raises(RuntimeError, match="Boolean value of Tensor with no values is ambiguous"):
        torch.ones(0).is_nonzero()


def test_typename() -> None:
    assert torch.typename(torch.ones(1)) == "torch.FloatTensor"
    assert torch.typename("a") == "str"
    assert torch.typename(torch.nn.Linear(1, 1)).endswith("nn.modules.linear.Linear")


def test_constants() -> None:
    assert (torch.pi, torch.e, torch.inf) == (math.pi, math.e, math.inf)
    assert math.isnan(torch.nan)
    assert torch.ones(2)[torch.newaxis].shape == (1, 2)


@pytest.mark.parametrize(
    ("a", "b", "may"),
    [
        (torch.float32, torch.int64, False),
        (torch.int64, torch.float16, True),
        (torch.float64, torch.float16, True),
        (torch.int8, torch.uint8, True),
        (torch.uint8, torch.bool, False),
        (torch.complex64, torch.float32, False),
    ],
)
def test_can_cast(a: torch.dtype, b: torch.dtype, may: bool) -> None:
    assert torch.can_cast(a, b) is may


def test_result_type_of_tensor_and_number() -> None:
    assert torch.result_type(torch.tensor([1, 2], dtype=torch.int8), 1.0) is torch.float32
    assert torch.result_type(torch.ones(2, dtype=torch.float64), torch.tensor(1)) is torch.float64


def test_losses_with_a_numbered_reduction() -> None:
    a, b = torch.tensor([[0.1, 0.4], [0.3, 0.2]]), torch.tensor([[0.2, 0.8], [0.5, 0.5]])
    y = torch.tensor([1.0, -1.0])
    F = torch.nn.functional
    assert torch.equal(torch.kl_div(a, b, 0), F.kl_div(a, b, reduction="none"))
    assert torch.equal(torch.kl_div(a, b), F.kl_div(a, b, reduction="none").mean())
    assert torch.equal(
        torch.cosine_embedding_loss(a, b, y, 0.1, 2), F.cosine_embedding_loss(a, b, y, margin=0.1, reduction="sum")
    )
    assert torch.equal(
        torch.poisson_nll_loss(a, b, False, True, 1e-8, 1), F.poisson_nll_loss(a, b, False, full=True, eps=1e-8)
    )
    assert torch.equal(
        torch.binary_cross_entropy_with_logits(a, b, None, None, 0),
        F.binary_cross_entropy_with_logits(a, b, reduction="none"),
    )
    with pytest.raises(
        ValueError, match=r"margin_ranking_loss\(\): reduction must be 0 \(none\), 1 \(mean\) or 2 \(sum\)"
    ):
        torch.margin_ranking_loss(a[0], b[0], y, reduction="mean")


@pytest.mark.parametrize(("mode", "function"), [("LSTM", "lstm"), ("GRU", "gru"), ("RNN", "rnn_tanh")])
@pytest.mark.parametrize("batch_first", [False, True])
def test_recurrent_functions_are_the_modules(mode: str, function: str, batch_first: bool) -> None:
    module = getattr(torch.nn, mode)(3, 4, 2, bidirectional=True, batch_first=batch_first)
    x, h = torch.randn(2, 2, 3), torch.randn(4, 2, 4)
    state = (h, h + 1) if mode == "LSTM" else h
    weights = list(module.parameters())
    out, last = module(x, state)
    again = getattr(torch, function)(x, state, weights, True, 2, 0.0, False, True, batch_first)
    assert torch.equal(out, again[0])
    assert torch.equal(last[0] if mode == "LSTM" else last, again[1])


def test_a_recurrent_function_of_a_packed_batch() -> None:
    module = torch.nn.GRU(3, 4)
    packed = torch.nn.utils.rnn.pack_sequence([torch.randn(3, 3), torch.randn(2, 3)])
    h = torch.zeros(1, 2, 4)
    out, last = module(packed, h)
    again = torch.gru(packed.data, packed.batch_sizes, h, list(module.parameters()), True, 1, 0.0, False, False)
    assert torch.equal(out.data, again[0])
    assert torch.equal(last, again[1])


def test_norms_of_the_first_years() -> None:
    x = torch.arange(6.0).reshape(2, 3)
    assert torch.allclose(torch.frobenius_norm(x, 1), (x * x).sum(1).sqrt())
    assert torch.allclose(torch.nuclear_norm(x), torch.linalg.svdvals(x).sum())
    assert torch.allclose(torch.norm_except_dim(x), (x * x).sum(1, keepdim=True).sqrt())
    assert torch.allclose(torch.native_norm(x), x.norm())


def test_native_dropout_tells_what_it_kept() -> None:
    torch.manual_seed(0)
    x = torch.ones(1000, requires_grad=True)
    out, kept = torch.native_dropout(x, 0.25, True)
    assert torch.equal(out, kept / 0.75)
    assert 700 < int(kept.sum()) < 800
    same, all_kept = torch.native_dropout(x, 0.25, False)
    assert torch.equal(same, x)
    assert bool(all_kept.all())


@pytest.mark.parametrize("name", ["dropout_", "alpha_dropout_", "feature_dropout_", "feature_alpha_dropout_"])
def test_dropout_in_place(name: str) -> None:
    x = torch.ones(4, 5)
    assert getattr(torch, name)(x, 0.0, True) is x
    assert torch.equal(getattr(torch, name)(x, 0.5, False), torch.ones(4, 5))
    torch.manual_seed(1)
    getattr(torch, name)(x, 0.5, True)
    assert not torch.equal(x, torch.ones(4, 5))


@pytest.mark.parametrize("name", ["eig", "lstsq", "matrix_rank", "solve", "symeig"])
def test_removed_functions_say_what_to_use(name: str) -> None:
    with pytest.raises(RuntimeError, match=r"now removed\. Instead of torch\." + name + r" use torch\.linalg\."):
        getattr(torch, name)(torch.ones(2, 2))
    if name != "matrix_rank":
        with pytest.raises(RuntimeError, match=r"now removed\. Instead of torch\." + name):
            getattr(torch.ones(2, 2), name)()


def test_what_is_not_here_says_what_to_use() -> None:
    with pytest.raises(NotImplementedError, match=r"torch\.sparse_coo_tensor\(\) is not supported\. .* use dense ones"):
        torch.sparse_coo_tensor([[0], [1]], [1.0])
    with pytest.raises(NotImplementedError, match=r"Tensor\.to_sparse\(\) is not supported\. .* use dense ones"):
        torch.ones(2).to_sparse()
    with pytest.raises(NotImplementedError, match=r"Tensor\.chalf\(\) is not supported\. .* use cfloat"):
        torch.ones(2).chalf()
    with pytest.raises(AssertionError, match="Torch not compiled with CUDA enabled"):
        torch.ones(2).cuda()
    with pytest.raises(RuntimeError, match="values expected sparse tensor layout but got Strided"):
        torch.ones(2).values()


def test_second_places() -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert torch.equal(torch.special.softmax(x, 0), torch.softmax(x, 0))
    assert torch.equal(torch.special.log_softmax(x, 0), torch.log_softmax(x, 0))
    assert torch.equal(torch.special.logsumexp(x, 0), torch.logsumexp(x, 0))
    assert torch.equal(torch.linalg.matmul(x, x), x @ x)


def test_set_printoptions_is_public() -> None:
    torch.set_printoptions(precision=2)
    try:
        assert repr(torch.tensor([1 / 3])) == "tensor([0.33])"
    finally:
        torch.set_printoptions(profile="default")


# -- out= --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("matmul", (torch.ones(2, 2), torch.ones(2, 2))),
        ("add", (torch.ones(2), torch.ones(2))),
        ("sum", (torch.ones(2, 3), 1)),
        ("argsort", (torch.tensor([2.0, 1.0]),)),
        ("scatter", (torch.zeros(3), 0, torch.tensor([1]), torch.ones(1))),
        ("nn.functional.gelu", (torch.ones(2),)),
        ("nn.functional.avg_pool2d", (torch.ones(1, 4, 4), 2)),
        ("nn.functional.softshrink", (torch.ones(2),)),
        ("chain_matmul", (torch.ones(2, 2), torch.ones(2, 2))),
    ],
)
def test_out_takes_the_result(name: str, args: tuple[torch.Tensor, ...]) -> None:
    function = torch
    for part in name.split("."):
        function = getattr(function, part)
    expected = function(*args)  # type: ignore[operator]
    out = torch.empty(expected.shape, dtype=expected.dtype)
    assert function(*args, out=out) is out  # type: ignore[operator]
    assert torch.equal(out, expected)


@pytest.mark.parametrize("name", ["frexp", "geqrf", "slogdet", "linalg.lstsq"])
def test_out_of_several_results(name: str) -> None:
    function = torch
    for part in name.split("."):
        function = getattr(function, part)
    args = (torch.eye(2) * 2,) * (2 if name == "linalg.lstsq" else 1)
    expected = function(*args)  # type: ignore[operator]
    out = tuple(torch.empty(x.shape, dtype=x.dtype) for x in expected)
    found = function(*args, out=out)  # type: ignore[operator]
    assert type(found).__name__ == type(expected).__name__
    for a, b, c in zip(out, found, expected, strict=True):
        assert a is b
        assert torch.equal(b, c)


def test_signatures_show_out() -> None:
    assert "out" in inspect.signature(torch.matmul).parameters
    assert str(inspect.signature(torch.add)) == "(input, other, *, alpha=1, out=None)"


def test_every_declared_out_is_accepted() -> None:
    for name, row in {**TABLE, **COMPOSITES}.items():
        if row.out:
            parameters = inspect.signature(row.function).parameters
            assert "out" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values()), name


def test_a_function_with_out_keeps_its_defaults() -> None:
    x = torch.tensor([3.0, 1.0])
    assert torch.equal(torch.sort(x, descending=True)[0], torch.tensor([3.0, 1.0]))
    with pytest.raises(TypeError, match="unexpected keyword argument 'downwards'"):
        torch.sort(x, downwards=True)


# -- methods -----------------------------------------------------------------------------------------------------


def test_apply_and_map() -> None:
    x = torch.arange(4.0).reshape(2, 2).t()
    assert torch.equal(x.apply_(lambda v: v * 10), torch.tensor([[0.0, 20.0], [10.0, 30.0]]))
    assert torch.equal(x.map_(torch.tensor([1.0, 2.0]), lambda a, b: a + b), torch.tensor([[1.0, 22.0], [11.0, 32.0]]))
    y = torch.ones(2).map2_(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]), lambda a, b, c: a + b * c)
    assert torch.equal(y, torch.tensor([4.0, 9.0]))
    assert x._version == 2
    with pytest.raises(RuntimeError, match=r"Can't call apply_\(\) on Variable that requires grad"):
        torch.ones(2, requires_grad=True).apply_(abs)
    with pytest.raises(TypeError, match=r"map_\(\): argument 'tensor' must have the dtype of self"):
        torch.ones(2).map_(torch.ones(2, dtype=torch.int64), max)


def test_apply_is_noticed_by_backward() -> None:
    x = torch.ones(2, requires_grad=True)
    y = x.exp()
    y.detach().apply_(lambda v: 0.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (4, 2), (3, 3, 3)])
def test_fill_diagonal(shape: tuple[int, ...]) -> None:
    expected = np.zeros(shape)
    for i in range(min(shape)):
        expected[(i,) * len(shape)] = 5
    assert torch.zeros(shape).fill_diagonal_(5).tolist() == expected.tolist()
    turned = torch.zeros(shape[::-1]).permute(*range(len(shape))[::-1])
    assert turned.fill_diagonal_(5).tolist() == expected.tolist()


def test_fill_diagonal_wraps_as_numpy_does() -> None:
    expected = np.zeros((7, 2))
    np.fill_diagonal(expected, 1, wrap=True)
    assert torch.zeros(7, 2).fill_diagonal_(1, wrap=True).tolist() == expected.tolist()
    assert torch.zeros(2, 7).t().fill_diagonal_(1, wrap=True).tolist() == expected.tolist()


def test_fill_diagonal_has_a_gradient() -> None:
    x = torch.ones(2, 2, requires_grad=True)
    (x * 3).fill_diagonal_(7.0).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[0.0, 3.0], [3.0, 0.0]]


def test_fill_diagonal_of_wrong_shapes() -> None:
    with pytest.raises(RuntimeError, match="dimensions must larger than 1"):
        torch.zeros(3).fill_diagonal_(1)
    with pytest.raises(RuntimeError, match="all dimensions of input must be of equal length"):
        torch.zeros(2, 3, 3).fill_diagonal_(1)


def test_where_a_tensor_lies() -> None:
    x = torch.ones(2, 3)
    assert x.cpu() is x
    assert x.to_dense() is x
    assert x.is_cpu
    assert not any((x.is_mps, x.is_mkldnn, x.is_xla, x.is_shared(), x.is_pinned(), x.is_sparse_csr))
    assert (x.dim_order(), x.t().dim_order()) == ((0, 1), (1, 0))
    assert (x.sparse_dim(), x.dense_dim()) == (0, 2)


def test_storage_is_the_memory() -> None:
    x = torch.arange(6, dtype=torch.int16)
    view = x[2:4]
    assert view.untyped_storage().data_ptr() == x.data_ptr()
    assert view.untyped_storage().nbytes() == 12
    assert view.storage().tolist() == [0, 1, 2, 3, 4, 5]
    assert view.untyped_storage() == x.untyped_storage()
    view.storage()[0] = 9
    assert x[0] == 9
    assert x.storage().dtype is torch.int16


def test_new_and_its_kin() -> None:
    x = torch.ones(2, dtype=torch.float64)
    assert x.new(2, 3).shape == (2, 3)
    assert x.new([1, 2]).dtype is torch.float64
    assert x.new().numel() == 0
    with pytest.warns(UserWarning, match="non-inplace resize is deprecated"):
        assert x.resize(2, 1).shape == (2, 1)
    assert torch.equal(x.module_load(torch.zeros(2)), torch.zeros(2, dtype=torch.float64))
    assert x.nonzero_static(size=3, fill_value=-1).tolist() == [[-1], [-1], [-1]]
    assert [len(p) for p in torch.ones(3).unsafe_split_with_sizes([1, 2])] == [1, 2]


def test_polygamma_is_a_method() -> None:
    x = torch.tensor([1.0, 2.0])
    assert torch.equal(x.polygamma(1), torch.polygamma(1, x))
    y = x.clone()
    assert torch.equal(y.polygamma_(1), torch.polygamma(1, x))


def test_as_subclass_keeps_memory_and_history() -> None:
    class Mine(torch.Tensor):
        pass

    x = torch.ones(2, requires_grad=True)
    y = (x * 2).as_subclass(Mine)
    assert isinstance(y, Mine)
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [2.0, 2.0]
    with pytest.raises(TypeError, match="argument 'cls' must be a subclass of torch.Tensor"):
        x.as_subclass(int)


def test_elements_cannot_be_deleted() -> None:
    x = torch.ones(3)
    with pytest.raises(TypeError, match="Tensor does not support deleting items"):
        del x[0]


# -- what out= may be --------------------------------------------------------------------------------------------

F32, F64, I64 = torch.float32, torch.float64, torch.int64
X = torch.tensor([[3.0, 1.0], [2.0, 4.0]])
WRONG_OUT = [
    ("gather", (X, 1, torch.zeros(2, 2, dtype=I64)), F64, "Expected out tensor to have dtype float, but got double instead"),
    ("linalg.inv", (X,), F64, "Expected out tensor to have dtype float, but got double instead"),
    ("abs", (X,), F64, "Found dtype Double but expected Float"),
    ("matmul", (X, X), F64, "result dtype Double does not match input dtype Float"),
    ("amax", (X,), I64, "Expected the dtype for input and out to match, but got Float for input's dtype and Long for out's"),
    ("quantile", (X, 0.5), F64, "quantile() out tensor must be same dtype as the input tensor"),
    ("take", (X, torch.tensor([0])), F64, "take(): self and out expected to have the same dtype, but got self.dtype = Float"),
    ("complex", (X, X), F32, "Expected object of scalar type ComplexFloat but got scalar type Float for argument 'out'"),
    ("sin", (X,), I64, "result type Float can't be cast to the desired output type Long"),
    ("all", (X,), I64, "all only supports bool tensor for result, got: Long"),
    ("fft.fft", (X,), F32, "fft expects a complex output tensor, but got Float"),
    ("fft.irfft", (X,), torch.complex64, "irfft expects a floating point output tensor, but got ComplexFloat"),
    ("nonzero", (X,), F32, "nonzero: Expected out tensor to have scalar type Long but got scalar typeFloat"),
    ("bucketize", (X, X[0]), F32, "output tensor's dtype is wrong, it can only be Int(int32) or Long(int64)"),
    ("cummax", (X, 0), F64, "expected scalar_type Float but found Double"),
    ("max", (X, 0), F64, "Expected out tensor to have dtype float, but got double instead"),
    ("kthvalue", (X, 1), F64, "output values must be of same type as input"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args", "dtype", "message"), WRONG_OUT, ids=[w[0] for w in WRONG_OUT])
def test_out_of_the_wrong_dtype(name: str, args: tuple[object, ...], dtype: torch.dtype, message: str) -> None:
    function = torch
    for part in name.split("."):
        function = getattr(function, part)
    found = function(*args)  # type: ignore[operator]
    several = isinstance(found, tuple)
    out = torch.zeros((found[0] if several else found).shape, dtype=dtype)
    if several:
        out = (out, torch.zeros_like(found[1]))
    with pytest.raises(RuntimeError) as error:
        function(*args, out=out)  # type: ignore[operator]
    assert message in str(error.value)
    assert not (out[0] if several else out).any(), "something was stored"


def test_out_of_cat_is_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"torch.cat\(\): input types can't be cast to the desired output type Long"):
        torch.cat([X, X], out=torch.empty(4, 2, dtype=I64))


def test_the_second_result_is_asked_too() -> None:
    with pytest.raises(RuntimeError, match="Expected out tensor to have dtype long int, but got float instead"):
        torch.sort(X, out=(torch.empty(2, 2), torch.empty(2, 2)))
    with pytest.raises(RuntimeError, match="output indices must be of scalar type Long"):
        torch.kthvalue(X, 1, out=(torch.empty(2), torch.empty(2)))


def test_out_without_a_dtype_decides() -> None:
    assert torch.ones(2, out=torch.empty(2, dtype=I64)).dtype is I64
    for make in (
        lambda **kw: torch.ones(2, **kw),
        lambda **kw: torch.arange(2, **kw),
        lambda **kw: torch.eye(2, **kw),
        lambda **kw: torch.full((2,), 1.0, **kw),
        lambda **kw: torch.rand(2, **kw),
    ):
        with pytest.raises(RuntimeError, match=r"dtype Double does not match dtype of out parameter \(Float\)"):
            make(dtype=F64, out=torch.empty(2))


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("cat", lambda x: ([x, x[:0]],)),
        ("take", lambda x: (x, torch.arange(6))),
        ("index_select", lambda x: (x, 0, torch.arange(6))),
        ("masked_select", lambda x: (x, torch.ones(6, dtype=torch.bool))),
    ],
)
def test_out_may_not_be_what_is_read(name: str, args: object) -> None:
    x = torch.arange(6.0)
    with pytest.raises(
        RuntimeError, match="some elements of the input tensor and the written-to tensor refer to a single"
    ):
        getattr(torch, name)(*args(x), out=x)  # type: ignore[operator]


def test_out_may_be_the_argument_but_no_part_of_it() -> None:
    x = torch.arange(6.0)
    assert torch.neg(x, out=x).tolist() == [0.0, -1.0, -2.0, -3.0, -4.0, -5.0]
    with pytest.raises(
        RuntimeError, match="some elements of the input tensor and the written-to tensor refer to a single"
    ):
        torch.neg(x[:5], out=x[1:])
    y = torch.eye(2)
    assert torch.equal(torch.matmul(y, y + 1, out=y), torch.eye(2) + 1)


def test_out_of_another_shape_is_resized_with_a_warning() -> None:
    out = torch.empty(3)
    with pytest.warns(UserWarning, match=r"An output with one or more elements was resized since it had shape \[3\]"):
        torch.sin(X, out=out)
    assert out.shape == (2, 2)
    empty = torch.empty(0)
    assert torch.sin(X, out=empty).shape == (2, 2)


# -- errors of single operations ---------------------------------------------------------------------------------


def test_messages() -> None:
    cases = [
        (
            lambda: torch.aminmax(torch.ones(5, 0)),
            RuntimeError,
            "aminmax(): cannot compute aminmax over an empty dimension",
        ),
        (
            lambda: torch.aminmax(torch.ones(5, 0), dim=1),
            IndexError,
            "aminmax: Expected reduction dim 1 to have non-zero",
        ),
        (
            lambda: torch.mean(X, dtype=I64),
            RuntimeError,
            "Optional dtype must be either a floating point or complex dtype",
        ),
        (lambda: torch.mean(X.long()), RuntimeError, "Input dtype must be either a floating point or complex dtype"),
        (lambda: torch.narrow_copy(X, 3, 0, 1), RuntimeError, "Expected dim < static_cast<int64_t>(self_sizes.size())"),
        (lambda: torch.narrow_copy(X, 0, 1, -1), RuntimeError, "start (1) + length (-1) exceeds dimension size (2)."),
        (
            lambda: torch.multinomial(torch.tensor([1.0, -1.0]), 2, True),
            RuntimeError,
            "invalid multinomial distribution (encountering probability entry < 0)",
        ),
        (
            lambda: torch.multinomial(torch.tensor([1.0, math.inf]), 2, True),
            RuntimeError,
            "invalid multinomial distribution (encountering probability entry = infinity or NaN)",
        ),
    ]
    for call, kind, message in cases:
        with pytest.raises(kind) as error:
            call()
        assert message in str(error.value)


def test_local_response_norm_of_integers_cuts_the_mean() -> None:
    x = torch.arange(4).reshape(1, 4, 1) + 1
    found = torch.nn.functional.local_response_norm(x, 3, alpha=1.0, beta=1.0, k=0.0)
    assert torch.allclose(found.reshape(-1), torch.tensor([1 / (5 // 3), 2 / (14 // 3), 3 / (29 // 3), 4 / (25 // 3)]))


def test_silu_of_complex_numbers() -> None:
    z = np.array([0.3 - 1.2j, -0.5 + 0.4j])
    x = torch.tensor(z, requires_grad=True)
    found = torch.nn.functional.silu(x)
    assert np.allclose(found.detach().numpy(), z / (1 + np.exp(-z)))
    assert torch.autograd.gradcheck(torch.nn.functional.silu, (x,))


@pytest.mark.parametrize("zeros", [0, 1, 2, 3])
def test_scatter_reduce_prod_with_zeros_twice_differentiated(zeros: int) -> None:
    rng = np.random.default_rng(0)
    values = rng.uniform(0.5, 2, (2, 4))
    values[0, :zeros] = 0
    index = torch.tensor([[0, 0, 0, 1], [1, 0, 1, 1]])
    x = torch.tensor(rng.uniform(0.5, 2, (2, 2)), requires_grad=True)
    x.data[1, 1] = 0
    src = torch.tensor(values, requires_grad=True)

    def product(x: torch.Tensor, src: torch.Tensor) -> torch.Tensor:
        return x.scatter_reduce(1, index, src, "prod")

    assert torch.autograd.gradcheck(product, (x, src))
    assert torch.autograd.gradgradcheck(product, (x, src))


# -- names of arguments ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "args", "more"),
    [
        ("sum", (X,), {}),
        ("mean", (X,), {}),
        ("amax", (X,), {}),
        ("max", (X,), {}),
        ("argmax", (X,), {}),
        ("all", (X,), {}),
        ("std", (X,), {}),
        ("median", (X,), {}),
        ("logsumexp", (X,), {}),
        ("softmax", (X,), {}),
        ("log_softmax", (X,), {}),
        ("cumsum", (X,), {}),
        ("sort", (X,), {}),
        ("cat", ([X, X],), {}),
        ("stack", ([X, X],), {}),
        ("unsqueeze", (X,), {}),
        ("squeeze", (X[None],), {}),
        ("unbind", (X,), {}),
        ("chunk", (X, 2), {}),
        ("tensor_split", (X, 2), {}),
        ("gather", (X,), {"index": torch.tensor([[0]])}),
        ("index_select", (X,), {"index": torch.tensor([0])}),
        ("diff", (X,), {}),
        ("linalg.norm", (X,), {}),
        ("fft.fft", (X,), {}),
        ("repeat_interleave", (X, 2), {}),
    ],
)
def test_axis_is_dim(name: str, args: tuple[object, ...], more: dict[str, object]) -> None:
    function = torch
    for part in name.split("."):
        function = getattr(function, part)
    expected, found = function(*args, dim=0, **more), function(*args, axis=0, **more)  # type: ignore[operator]
    several = isinstance(expected, (tuple, list))
    for a, b in zip(expected, found, strict=True) if several else [(expected, found)]:
        assert torch.equal(a, b)


def test_keepdims_is_keepdim_and_methods_know_both() -> None:
    assert X.sum(axis=1, keepdims=True).tolist() == [[4.0], [6.0]]
    assert X.max(axis=0).values.tolist() == [3.0, 4.0]
    assert X.clone().cumsum_(axis=0).tolist() == [[3.0, 1.0], [5.0, 5.0]]
    assert "axis" not in inspect.signature(torch.sum).parameters


def test_an_argument_that_is_missing() -> None:
    with pytest.raises(TypeError, match=r'softmax\(\) missing 1 required positional arguments: "dim"'):
        torch.softmax(X)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r'gather\(\) missing 1 required positional arguments: "index"'):
        torch.gather(X, 0)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"tensor_split\(\) received an invalid combination of arguments"):
        torch.tensor_split(X)


def test_names_are_pytorchs() -> None:
    M = X @ X.T + torch.eye(2)
    L = torch.linalg.cholesky(input=M)
    assert torch.equal(torch.linalg.eigvalsh(input=M), torch.linalg.eigvalsh(M))
    assert torch.equal(torch.cholesky_solve(input=X, input2=L), torch.cholesky_solve(X, L))
    assert torch.equal(torch.linalg.lstsq(input=M, b=X).solution, torch.linalg.lstsq(M, X).solution)
    assert torch.equal(torch.linalg.solve_triangular(input=L, B=X, upper=False) @ X * 0, X * 0)
    assert torch.equal(torch.linalg.matrix_exp(input=M), torch.linalg.matrix_exp(M))
    assert torch.equal(torch.linalg.inv(A=M), torch.linalg.inv(M))
    assert torch.equal(torch.special.chebyshev_polynomial_t(x=X, n=2), 2 * X * X - 1)
    assert torch.equal(torch.special.airy_ai(x=X), torch.special.airy_ai(X))
    assert torch.nn.functional.one_hot(input=torch.tensor([1])).tolist() == [[0, 1]]
    assert [p.tolist() for p in torch.hsplit(X, sections=2)] == [p.tolist() for p in torch.hsplit(X, indices=[1])]
    assert len(X.split(split_size=1)) == 2
    assert torch.zero_(input=X.clone()).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert torch.resize_as_(input=torch.empty(0), the_template=X).shape == (2, 2)
    with pytest.raises(TypeError, match=r"matrix_exp\(\): argument 'input' \(position 1\) must be Tensor, not int"):
        torch.linalg.matrix_exp(3)


# -- numbers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "x", "p"),
    [  # to 17 digits, from 40-digit arithmetic
        (0.5, 0.5, 0.68268949213708590),
        (10.0, 12.0, 0.75760783832948765),
        (500.0, 478.0, 0.16262688456783882),
        (1e6, 1e6, 0.50013298076087259),
        (1e6, 998000.0, 0.022696114006736803),
        (1e10, 1e10, 0.50000132980760134),
        (1e300, 1e300, 0.5),
    ],
)
def test_incomplete_gamma(a: float, x: float, p: float) -> None:
    a_, x_ = torch.tensor(a, dtype=F64), torch.tensor(x, dtype=F64)
    assert torch.igamma(a_, x_).item() == pytest.approx(p, rel=1e-12)
    assert torch.igammac(a_, x_).item() == pytest.approx(1 - p, rel=1e-12)


def test_incomplete_gamma_at_the_ends() -> None:
    a = torch.tensor([0.0, 0.0, 1.0, math.inf, 1.0, math.inf, -1.0])
    x = torch.tensor([0.0, 1.0, 0.0, 1.0, math.inf, math.inf, 1.0])
    assert torch.allclose(torch.igamma(a, x), torch.tensor([math.nan, 1, 0, 0, 1, math.nan, math.nan]), equal_nan=True)


def test_ranges_of_integers_cut_their_ends() -> None:
    assert torch.arange(0.0, -8.000001, -4.0, dtype=I64).tolist() == [0, -4]
    assert torch.linspace(0, 50, 50, dtype=I64)[25].item() == 25
    assert torch.logspace(4.3, 2, 3, base=5.0, dtype=I64).tolist() == [625, 125, 25]


# -- in place ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 0), (0, 3), (0,), (2, 0, 2)])
def test_empty_tensors_may_be_changed_in_place(shape: tuple[int, ...]) -> None:
    x = torch.zeros(shape)
    assert x.exp_().add_(1).copy_(torch.zeros(shape)).zero_() is x
    assert torch.exp(x, out=torch.zeros(shape)).shape == shape


def test_in_place_methods_have_the_defaults_of_the_function() -> None:
    assert torch.tensor([0.75]).logit_().item() == pytest.approx(math.log(3))


def test_in_place_methods_refuse_what_they_do_not_know() -> None:
    x = torch.ones(2)
    for call, message in (
        (lambda: x.exp_(1), "exp_() takes no arguments (1 given)"),
        (lambda: x.exp_(foo=1), "exp_() got an unexpected keyword argument 'foo'"),
        (lambda: x.mul_(), 'mul_() missing 1 required positional arguments: "other"'),
        (lambda: x.mul_(2, 3), "mul_() takes 1 positional argument (2 given)"),
        (lambda: x.mul_(2, other=3), "mul_() got an unexpected keyword argument 'other'"),
    ):
        with pytest.raises(TypeError) as error:
            call()
        assert message in str(error.value)
    assert x.mul_(other=2).tolist() == [2.0, 2.0]


def test_set_takes_over_memory() -> None:
    x = torch.arange(6.0)
    y = torch.empty(0)
    assert y.set_(x, 1, (2, 2), (2, 1)).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    y[0, 0] = 9
    assert x[1] == 9
    assert torch.empty(0).set_(x.untyped_storage(), 2, (3,)).tolist() == [2.0, 3.0, 4.0]
    assert torch.empty(0).set_(x).data_ptr() == x.data_ptr()
    assert torch.ones(2).set_().shape == (0,)
    with pytest.raises(RuntimeError, match="setStorage: sizes .* are out of bounds for storage of size 24"):
        y.set_(x, 0, (7,), (1,))
    with pytest.raises(RuntimeError, match="Could not set tensor of type long to a tensor of type float"):
        y.set_(torch.arange(3))
    with pytest.raises(
        TypeError, match=r"set_\(\): argument 'source' \(position 1\) must be Tensor or Storage, not int"
    ):
        y.set_(3)


def test_arithmetic_of_two_numbers_gives_a_tensor() -> None:
    assert torch.add(1, 2).item() == 3  # type: ignore[arg-type]
    assert torch.add(1, 2).dtype is I64  # type: ignore[arg-type]
    assert torch.div(2, 4).item() == 0.5  # type: ignore[arg-type]
    assert torch.mul(1.5, 2).dtype is F32  # type: ignore[arg-type]
    assert torch.sub(2, 3, alpha=2).item() == -4  # type: ignore[arg-type]
    assert torch.floor_divide(7, 3).item() == 2  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"remainder\(\): argument 'input' \(position 1\) must be Tensor, not int"):
        torch.remainder(7, 3)  # type: ignore[arg-type]


def test_sign_of_nan_is_zero() -> None:
    x = torch.tensor([math.nan, -2.0, 3.0, -0.0])
    assert torch.sign(x).tolist() == [0.0, -1.0, 1.0, 0.0]
    assert torch.sgn(x).tolist() == [0.0, -1.0, 1.0, 0.0]
    assert torch.sign(torch.tensor([-3, 0, 5])).tolist() == [-1, 0, 1]
    assert torch.sign(torch.tensor(True)).dtype is torch.bool


@pytest.mark.parametrize(
    ("n", "x", "value"),
    [  # from 40-digit arithmetic
        (4, -0.5, -3.47424982666723),
        (4, -7.3, 9738.75870266079),
        (3, -20.5, 194.817966352973),
        (4, -4988429.2, 74935.513),
        (2, 1e-3, -2000000002.4116678),
    ],
)
def test_polygamma_of_negative_numbers(n: int, x: float, value: float) -> None:
    assert torch.polygamma(n, torch.tensor(x, dtype=F64)).item() == pytest.approx(value, rel=1e-7)


def test_a_step_of_zero() -> None:
    with pytest.raises(RuntimeError, match="step must be nonzero"):
        torch.arange(0, 3, 0)
    with pytest.raises(ValueError, match="step must be nonzero"):
        torch.arange(0, 64, 0.5, out=torch.empty(0, dtype=I64))


def test_tensor_of_other_sequences() -> None:
    """A deque of returns, an array of C numbers, a class with `__getitem__` and `__len__`: as in PyTorch, any sequence."""

    class Three:
        def __len__(self) -> int:
            return 3

        def __getitem__(self, i: int) -> float:
            if i >= 3:
                raise IndexError
            return float(i)

    assert torch.equal(torch.tensor(collections.deque([1.0, 2.0])), torch.tensor([1.0, 2.0]))
    assert torch.equal(torch.tensor([collections.deque([1, 2]), range(2)]), torch.tensor([[1, 2], [0, 1]]))
    assert torch.equal(torch.tensor(array.array("f", [1, 2])), torch.tensor([1.0, 2.0]))
    assert torch.equal(torch.as_tensor(Three()), torch.tensor([0.0, 1.0, 2.0]))
    with pytest.raises(RuntimeError, match="Could not infer dtype of dict"):
        torch.tensor({"a": 1})
    with pytest.raises(RuntimeError, match="Could not infer dtype of set"):
        torch.tensor({1})
