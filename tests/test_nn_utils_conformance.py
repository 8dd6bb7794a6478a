"""`nn.utils` in both libraries: parametrizations, hooks that normalise, fusion, pruning, functional calls."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from both import compare

pytestmark = pytest.mark.conformance

LAYERS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "linear": (lambda nn: nn.Linear(3, 4), lambda t: t.ones(2, 3)),
    "conv": (lambda nn: nn.Conv2d(2, 3, 2), lambda t: t.linspace(0, 1, 18).reshape(1, 2, 3, 3)),
    "transposed": (lambda nn: nn.ConvTranspose1d(2, 3, 2), lambda t: t.ones(1, 2, 4)),
    "embedding": (lambda nn: nn.Embedding(4, 3), lambda t: t.tensor([1, 2])),
    "batchnorm": (lambda nn: nn.BatchNorm1d(3), lambda t: t.linspace(0, 1, 9).reshape(3, 3)),
}


@pytest.mark.parametrize("trivialization", [True, False])
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)])
@pytest.mark.parametrize("kind", [None, "matrix_exp", "cayley", "householder", "complex", "unknown"])
def test_orthogonal(kind: str | None, shape: tuple[int, int], trivialization: bool) -> None:
    def program(torch: Any) -> Any:
        dtype = torch.complex64 if kind == "complex" else torch.float32
        m = torch.nn.Linear(shape[1], shape[0], dtype=dtype)
        chosen = None if kind == "complex" else kind
        torch.nn.utils.parametrizations.orthogonal(m, "weight", chosen, use_trivialization=trivialization)
        result = [m.state_dict(), repr(m)]
        m(torch.ones(2, shape[1], dtype=dtype)).abs().square().sum().backward()
        result += [m.weight, [p.grad for p in m.parameters()]]
        try:
            m.weight = m.weight.detach() * 1.0
        except NotImplementedError as error:
            return [*result, str(error)]
        return [*result, m.weight]

    compare(program)


@pytest.mark.parametrize(
    ("layer", "options"),
    [(layer, {}) for layer in LAYERS]
    + [(layer, {"dim": 1}) for layer in LAYERS]
    + [("linear", {"dim": None}), ("linear", {"dim": 5}), ("linear", {"name": "nothing"})],
)
@pytest.mark.parametrize("norm", ["weight", "spectral", "old weight", "old spectral"])
def test_normalised_weights(norm: str, layer: str, options: dict[str, Any]) -> None:
    make, inputs = LAYERS[layer]

    def program(torch: Any) -> Any:
        nn = torch.nn
        m = make(nn)
        home = nn.utils if norm.startswith("old") else nn.utils.parametrizations
        getattr(home, norm.split()[-1] + "_norm")(m, **options)
        result = [list(m.state_dict().items()), repr(m), [n for n, _ in m.named_buffers()]]
        for _ in range(3):
            m(inputs(torch)).square().sum().backward()
        result += [[(n, p.grad) for n, p in m.named_parameters()], m.weight, m.state_dict()]
        m.eval()
        result.append(m(inputs(torch)))
        m.train()
        try:
            result.append(copy.deepcopy(m)(inputs(torch)))
        except RuntimeError as error:
            result.append(str(error))
        if home is nn.utils:
            getattr(nn.utils, f"remove_{norm.split()[-1]}_norm")(m)
        else:
            m.weight = m.weight.detach() * 2
            result.append(m.state_dict())
            nn.utils.parametrize.remove_parametrizations(m, "weight")
        return [*result, m.state_dict(), repr(m)]

    compare(program)


def test_an_old_checkpoint_of_spectral_norm() -> None:
    def program(torch: Any) -> Any:
        old, new = (torch.nn.utils.spectral_norm(torch.nn.Linear(2, 3)) for _ in range(2))
        old(torch.ones(1, 2))
        state = old.state_dict()
        del state["weight_v"]
        state["weight"] = old.weight.detach()
        state._metadata = {}
        new.load_state_dict(state)
        return new.state_dict(), str(old.state_dict()._metadata)

    compare(program)


def test_an_old_checkpoint_of_weight_norm() -> None:
    def program(torch: Any) -> Any:
        old = torch.nn.utils.weight_norm(torch.nn.Linear(2, 3))
        new = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(2, 3))
        return str(new.load_state_dict(old.state_dict())), new.state_dict()

    compare(program)


def _not_implemented(self: Any, x: Any) -> Any:
    raise NotImplementedError


METHODS: list[dict[str, Any]] = [
    {"forward": lambda self, x: x * 2},
    {"forward": lambda self, x: x * 2, "right_inverse": lambda self, x: x / 2},
    {"forward": lambda self, x: x * 2, "right_inverse": _not_implemented},
    {"forward": lambda self, x: x.double()},
    {"forward": lambda self, x: x[0]},
    {"forward": lambda self, x: 3},
    {"forward": lambda self, x: x, "right_inverse": lambda self, x: 3},
    {"forward": lambda self, x: x, "right_inverse": lambda self, x: x.double()},
    {"forward": lambda self, *x: x[0], "right_inverse": lambda self, x: (x, x)},
    {"forward": lambda self, *x: x[0], "right_inverse": lambda self, x: (x, 3)},
]


@pytest.mark.parametrize("unsafe", [False, True])
@pytest.mark.parametrize("methods", METHODS)
def test_register_twice_assign_and_remove(methods: dict[str, Any], unsafe: bool) -> None:
    def program(torch: Any) -> Any:
        kind = type("P", (torch.nn.Module,), methods)
        parametrize = torch.nn.utils.parametrize
        m = torch.nn.Linear(2, 3)
        parametrize.register_parametrization(m, "weight", kind(), unsafe=unsafe)
        result = [repr(m), m.weight, type(m).__name__, parametrize.type_before_parametrizations(m).__name__]
        parametrize.register_parametrization(m, "weight", kind(), unsafe=unsafe)
        result.append(m.weight)
        m.weight = torch.ones(3, 2)
        result.append(m.state_dict())
        parametrize.remove_parametrizations(m, "weight", leave_parametrized=False)
        return [*result, m.state_dict(), type(m).__name__]

    compare(program)


def _transfer(torch: Any) -> Any:
    a, b = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(2, 3)), torch.nn.Linear(2, 3)
    torch.nn.utils.parametrize.transfer_parametrizations_and_params(a, b)
    return b.state_dict(), b.parametrizations.weight.original0 is a.parametrizations.weight.original0


def _twice(torch: Any, kind: str) -> Any:
    norm = getattr(torch.nn.utils, kind)
    norm(norm(torch.nn.Linear(2, 3)))


@pytest.mark.parametrize(
    "program",
    [
        _transfer,
        lambda t: _twice(t, "weight_norm"),
        lambda t: _twice(t, "spectral_norm"),
        lambda t: t.nn.utils.remove_weight_norm(t.nn.Linear(2, 3)),
        lambda t: t.nn.utils.remove_spectral_norm(t.nn.Linear(2, 3)),
        lambda t: t.nn.utils.parametrizations.spectral_norm(t.nn.Linear(2, 3), n_power_iterations=0),
        lambda t: t.nn.utils.spectral_norm(t.nn.Linear(2, 3), n_power_iterations=0),
        lambda t: pickle.dumps(t.nn.utils.parametrizations.weight_norm(t.nn.Linear(2, 3))),
        lambda t: t.nn.utils.parametrize.register_parametrization(t.nn.Linear(2, 3), "a", t.nn.ReLU()),
        lambda t: t.nn.utils.parametrize.remove_parametrizations(t.nn.Linear(2, 3), "weight"),
        lambda t: t.nn.utils.skip_init(t.nn.ReLU),
        lambda t: [tuple(p.shape) for p in t.nn.utils.skip_init(t.nn.Linear, 3, 4).parameters()] + [t.rand(2)],
    ],
)
def test_single_calls(program: Any) -> None:
    compare(program)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_fused_convolution(bias: bool, affine: bool, transposed: bool) -> None:
    def program(torch: Any) -> Any:
        nn = torch.nn
        conv = (nn.ConvTranspose2d if transposed else nn.Conv2d)(2, 3, 2, bias=bias)
        bn = nn.BatchNorm2d(3, affine=affine)
        x = torch.linspace(-1, 1, 32).reshape(2, 2, 2, 4)
        bn(conv(x))
        fused = nn.utils.fuse_conv_bn_eval(conv.eval(), bn.eval(), transposed)
        return fused.state_dict(), fused(x), bn(conv(x)), [p.requires_grad for p in fused.parameters()]

    compare(program)


@pytest.mark.parametrize("features", [3, 2])
@pytest.mark.parametrize("training", [False, True])
def test_fused_linear(training: bool, features: int) -> None:
    def program(torch: Any) -> Any:
        linear, bn = torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(features)
        x = torch.linspace(-1, 1, 8).reshape(4, 2)
        fused = torch.nn.utils.fuse_linear_bn_eval(linear.train(training), bn.eval())
        return fused.state_dict(), fused(x), bn(linear(x)), [p.requires_grad for p in fused.parameters()]

    compare(program)


@pytest.mark.parametrize(
    "given",
    [
        lambda t: {},
        lambda t: {"weight": t.ones(2, 2), "bias": t.ones(2), "other": t.ones(1)},
        lambda t: {"weight": t.ones(2, 2), "bias": t.ones(2)},
        lambda t: {"other": t.ones(2, 2), "another": t.ones(2)},
        lambda t: {"weight": 3, "bias": t.ones(2)},
    ],
)
def test_strict_functional_call(given: Any) -> None:
    compare(lambda t: t.func.functional_call(t.nn.Linear(2, 2), given(t), t.ones(1, 2), strict=True))
    compare(lambda t: t.nn.utils.stateless.functional_call(t.nn.Linear(2, 2), given(t), t.ones(1, 2), strict=True))


@pytest.mark.parametrize("names", ["a", "b", "ab"])
@pytest.mark.parametrize("tie", [False, True])
def test_functional_call_of_tied_weights(names: str, tie: bool) -> None:
    def program(torch: Any) -> Any:
        m = torch.nn.Module()
        m.a = torch.nn.Parameter(torch.ones(1))
        m.b = m.a
        m.forward = lambda x: x * m.a + 10 * m.b
        given = {n: torch.tensor([3.0 + i]) for i, n in enumerate(names)}
        return torch.func.functional_call(m, given, torch.ones(1), tie_weights=tie), m.state_dict()

    compare(program)


def test_functional_call_hands_back_buffers() -> None:
    def program(torch: Any) -> Any:
        m = torch.nn.BatchNorm1d(2)
        given = {"running_mean": torch.zeros(2), "num_batches_tracked": torch.tensor(5)}
        torch.func.functional_call(m, given, torch.tensor([[1.0, 2.0], [3.0, 5.0]]))
        return given, m.state_dict()

    compare(program)


def _prune(torch: Any) -> Any:
    import importlib

    return importlib.import_module(torch.__name__ + ".nn.utils.prune")


PRUNE: dict[str, Callable[[Any, Any, Any], Any]] = {
    "l1": lambda p, m, t: p.l1_unstructured(m, "weight", 0.3),
    "random": lambda p, m, t: p.random_unstructured(m, "weight", 5),
    "slices": lambda p, m, t: p.random_structured(m, "weight", 2, 1),
    "l2": lambda p, m, t: p.ln_structured(m, "weight", 0.25, 2, 0),
    "inf": lambda p, m, t: p.ln_structured(m, "weight", 1, float("inf"), -1),
    "mask": lambda p, m, t: p.custom_from_mask(m, "weight", (t.arange(24) % 3 != 0).reshape(4, 6)),
    "identity": lambda p, m, t: p.identity(m, "weight"),
    "scores": lambda p, m, t: p.l1_unstructured(m, "weight", 0.3, importance_scores=t.arange(24.0).reshape(4, 6)),
    "global": lambda p, m, t: p.global_unstructured([(m, "weight"), (m, "bias")], p.L1Unstructured, amount=0.4),
}


@pytest.mark.parametrize("second", PRUNE)
@pytest.mark.parametrize("first", PRUNE)
def test_pruning_twice(first: str, second: str) -> None:
    def program(torch: Any) -> Any:
        p, m, result = _prune(torch), torch.nn.Linear(6, 4), []
        for name in (first, second):
            PRUNE[name](p, m, torch)
            result += [m.state_dict(), m.weight, p.is_pruned(m), repr(m)]
        m(torch.ones(1, 6)).sum().backward()
        result.append([(k, q.grad) for k, q in m.named_parameters()])
        p.remove(m, "weight")
        return [*result, m.state_dict(), [k for k, _ in m.named_parameters()]]

    compare(program)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda p, m, t: p.l1_unstructured(m, "weight", 1.5),
        lambda p, m, t: p.l1_unstructured(m, "weight", -1),
        lambda p, m, t: p.l1_unstructured(m, "weight", "x"),
        lambda p, m, t: p.l1_unstructured(m, "weight", 100),
        lambda p, m, t: p.l1_unstructured(m, "nothing", 1),
        lambda p, m, t: p.l1_unstructured(m, "weight", 1, importance_scores=t.ones(2)),
        lambda p, m, t: p.ln_structured(m, "bias", 1, 2, 0),
        lambda p, m, t: p.ln_structured(m, "weight", 1, 2, 3),
        lambda p, m, t: p.custom_from_mask(m, "weight", t.ones(2)),
        lambda p, m, t: p.global_unstructured(3, p.L1Unstructured),
        lambda p, m, t: p.global_unstructured([(m, "weight")], p.LnStructured, amount=1, n=2),
        lambda p, m, t: p.remove(m, "bias"),
    ],
)
def test_wrong_pruning(wrong: Any) -> None:
    compare(lambda t: wrong(_prune(t), t.nn.Linear(6, 4), t))


def test_memory_formats() -> None:
    def program(torch: Any) -> Any:
        nn, last = torch.nn, torch.channels_last
        m = nn.Sequential(nn.Conv2d(2, 3, 2), nn.ConvTranspose2d(3, 2, 2), nn.Linear(2, 2))
        nn.utils.convert_conv2d_weight_memory_format(m, last)
        x = torch.ones(1, 2, 4, 4)
        y = x.clone(memory_format=last)
        made = [x.contiguous(memory_format=last), torch.zeros_like(x, memory_format=last), x.to(memory_format=last), y]
        made += [y.clone(), y.contiguous(), torch.empty(2, 3, 4, 5, memory_format=last), *m.parameters()]
        return [t.stride() for t in made], m[:2](x), m[:2](y), y.is_contiguous(memory_format=last)

    compare(program)
    compare(lambda t: t.ones(2).contiguous(memory_format=t.channels_last))
    compare(lambda t: t.nn.Conv3d(1, 1, 1).to(memory_format=t.channels_last))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_gradients_of_convolutions(n: int) -> None:
    def program(torch: Any) -> Any:
        x = torch.linspace(-1, 1, 2 * 4 * 5**n).reshape(2, 4, *[5] * n)
        w = torch.linspace(-1, 2, 6 * 2 * 2**n).reshape(6, 2, *[2] * n).requires_grad_()
        g = torch.linspace(0, 1, 2 * 6 * 3**n).reshape(2, 6, *[3] * n)
        grad = torch.nn.grad
        first = getattr(grad, f"conv{n}d_input")(x.shape, w, g, 2, 1, 1, 2)
        second = getattr(grad, f"conv{n}d_weight")(x, w.shape, g, stride=2, padding=1, groups=2)
        first.square().sum().backward()
        return first, second, w.grad, second.requires_grad

    compare(program)


def test_prefixes_of_state_dictionaries() -> None:
    def program(torch: Any) -> Any:
        wrapped = torch.nn.ModuleDict({"module": torch.nn.Sequential(torch.nn.Linear(1, 2))})
        state = wrapped.state_dict()
        torch.nn.modules.utils.consume_prefix_in_state_dict_if_present(state, "module.")
        return (
            list(state),
            dict(state._metadata),
            str(torch.nn.Sequential(torch.nn.Linear(1, 2)).load_state_dict(state)),
        )

    compare(program)


def test_batch_norms_without_statistics() -> None:
    def program(torch: Any) -> Any:
        net = torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 1))
        torch.func.replace_all_batch_norm_modules_(net)
        return repr(net), list(net.state_dict()), net.eval()(torch.tensor([[1.0, 2.0], [3.0, 5.0]]))

    compare(program)
