"""Modules in both libraries: what PyTorch's database constructs prints and saves alike; hooks; strictness; lazy modules."""

from __future__ import annotations

import math
from typing import Any

import pytest

import wengert
from both import compare

pytestmark = pytest.mark.conformance

try:
    import torch as theirs
    from torch.testing._internal.common_modules import module_db
except ImportError:
    module_db = []


def ours(x: Any) -> Any:
    """An argument of a constructor in this library."""
    if isinstance(x, theirs.Tensor):
        return wengert.tensor(x.detach().numpy(), requires_grad=x.requires_grad)
    if isinstance(x, theirs.dtype):
        return getattr(wengert, str(x).removeprefix("torch."))
    if isinstance(x, theirs.nn.TransformerEncoderLayer):
        return wengert.nn.TransformerEncoderLayer(
            x.self_attn.embed_dim,
            x.self_attn.num_heads,
            x.linear1.out_features,
            x.dropout.p,
            layer_norm_eps=x.norm1.eps,
            batch_first=x.self_attn.batch_first,
            norm_first=x.norm_first,
            bias=x.linear1.bias is not None,
        )
    if isinstance(x, (list, tuple)):
        return type(x)(ours(y) for y in x)
    if isinstance(x, dict):
        return {k: ours(v) for k, v in x.items()}
    if type(x).__module__.startswith("torch.nn"):
        fields = {name: ours(getattr(x, name)) for name in x.__slots__}
        return constructed(type(x))(**fields)
    return x


def constructed(cls: Any) -> Any:
    found: Any = wengert
    for part in f"{cls.__module__}.{cls.__qualname__}".split(".")[1:]:
        if hasattr(found, part):
            found = getattr(found, part)
    return getattr(wengert.nn, cls.__name__, found)


def described(state: Any) -> list[Any]:
    """Names, shapes (None where there is none yet) and dtypes."""

    def shape(t: Any) -> Any:
        return None if "Uninitialized" in type(t).__name__ else tuple(t.shape)

    return [(k, shape(v), str(v.dtype)) for k, v in state.items()]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("info", module_db, ids=[m.formatted_name for m in module_db])
def test_printed_and_saved_alike(info: Any) -> None:
    made = 0
    for training in (True, False):
        for sample in info.module_inputs_func(
            info, device="cpu", dtype=theirs.float32, requires_grad=False, training=training
        ):
            arguments = sample.constructor_input
            if any(type(a).__name__ == "function" for a in (*arguments.args, *arguments.kwargs.values())):
                continue  # prints its address
            a = info.module_cls(*arguments.args, **arguments.kwargs).train(training)
            kind = constructed(info.module_cls)
            b = kind(*map(ours, arguments.args), **{k: ours(v) for k, v in arguments.kwargs.items()}).train(training)
            made += 1
            assert repr(b) == repr(a)
            assert described(b.state_dict()) == described(a.state_dict())
            assert [n for n, _ in b.named_buffers()] == [n for n, _ in a.named_buffers()]
            assert b.state_dict()._metadata == a.state_dict()._metadata
    assert made


# -- hooks -------------------------------------------------------------------------------------------------------------


class Log(list[Any]):
    """What hooks were called, with what."""

    def hook(self, name: str, result: Any = None) -> Any:
        def called(module: Any, *args: Any) -> Any:
            self.append([name, type(module).__name__, *args])
            return result(*args) if callable(result) else result

        return called


def network(torch: Any) -> Any:
    nn = torch.nn
    return nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Sequential(nn.Linear(3, 1)))


def forward_hooks(torch: Any) -> Any:
    log, net = Log(), network(torch)
    for m in net.modules():
        m.register_forward_pre_hook(log.hook("pre"))
        m.register_forward_hook(log.hook("post"))
    net[1].register_forward_pre_hook(log.hook("double", lambda args: args[0] * 2), prepend=True)
    net[1].register_forward_hook(log.hook("tuple", lambda args, out: out + 1), prepend=True)
    net[0].register_forward_pre_hook(log.hook("kwargs", lambda args, kwargs: (args, {})), with_kwargs=True)
    net[0].register_forward_hook(log.hook("kwargs", lambda args, kwargs, out: None), with_kwargs=True)
    handle = net.register_forward_hook(log.hook("gone"))
    handle.remove()
    net(torch.ones(1, 2))
    return log


def backward_hooks(torch: Any) -> Any:
    log, net = Log(), network(torch)
    for m in net.modules():
        m.register_full_backward_pre_hook(log.hook("pre"))
        m.register_full_backward_hook(log.hook("full"))
    net[1].register_full_backward_pre_hook(log.hook("times 3", lambda g: (g[0] * 3,)), prepend=True)
    net[2].register_full_backward_hook(log.hook("times 2", lambda gi, go: (gi[0] * 2,)))
    x = torch.ones(2, 2, requires_grad=True)
    net(x).sum().backward()
    return log, x.grad, [p.grad for p in net.parameters()]


def backward_hook_without_input_gradient(torch: Any) -> Any:
    log, net = Log(), network(torch)
    net[0].register_full_backward_hook(log.hook("full"))
    net(torch.ones(2, 2)).sum().backward()
    return log


def old_backward_hooks(torch: Any) -> Any:
    log, net = Log(), network(torch)
    net[1].register_backward_hook(log.hook("old"))
    x = torch.ones(2, 2, requires_grad=True)
    net(x).sum().backward()
    return log, x.grad


def global_hooks(torch: Any) -> Any:
    log, net = Log(), network(torch)
    m = torch.nn.modules.module
    handles = [
        m.register_module_forward_pre_hook(log.hook("pre")),
        m.register_module_forward_hook(log.hook("post")),
        m.register_module_full_backward_pre_hook(log.hook("back pre")),
        m.register_module_full_backward_hook(log.hook("back")),
        m.register_module_parameter_registration_hook(log.hook("parameter")),
        m.register_module_buffer_registration_hook(log.hook("buffer")),
        m.register_module_module_registration_hook(lambda module, name, child: log.append(["module", name])),
    ]
    try:
        x = torch.ones(2, 2, requires_grad=True)
        net(x).sum().backward()
        torch.nn.BatchNorm1d(2)
        torch.nn.Sequential(torch.nn.ReLU())
    finally:
        for handle in handles:
            handle.remove()
    network(torch)(torch.ones(1, 2))
    return log


def always_called(torch: Any) -> Any:
    class Fails(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            raise ValueError("no")

    log, net = Log(), Fails()
    net.register_forward_hook(log.hook("always"), always_call=True)
    net.register_forward_hook(log.hook("never"))
    try:
        net(torch.ones(1))
    except ValueError as error:
        log.append(str(error))
    return log


def state_hooks(torch: Any) -> Any:
    log, net = Log(), network(torch)
    net.register_state_dict_pre_hook(lambda m, prefix, keep: log.append(["pre", prefix, keep]))
    net.register_state_dict_post_hook(
        lambda m, state, prefix, meta: log.append(["post", list(state), prefix, dict(meta)])
    )
    net[2].register_state_dict_pre_hook(lambda m, prefix, keep: log.append(["pre", prefix, keep]))
    state = net.state_dict()

    def rename(
        m: Any, state: Any, prefix: str, meta: Any, strict: bool, missing: Any, unexpected: Any, errors: Any
    ) -> None:
        log.append([list(state), prefix, strict, missing, unexpected, errors])
        state["0.bias"] = state.pop("old")

    def forgive(m: Any, keys: Any) -> None:
        log.append([list(keys.missing_keys), list(keys.unexpected_keys)])
        keys.unexpected_keys.clear()

    net.register_load_state_dict_pre_hook(rename)
    net.register_load_state_dict_post_hook(forgive)
    state["old"] = state.pop("0.bias")
    state["extra"] = torch.ones(1)
    return log, str(net.load_state_dict(state)), net.state_dict()


def wrong_post_hook(torch: Any) -> Any:
    net = network(torch)
    net.register_state_dict_post_hook(lambda *args: 3)
    return net.state_dict()


def both_kinds(torch: Any) -> Any:
    net = network(torch)
    net.register_backward_hook(lambda *args: None)
    net.register_full_backward_hook(lambda *args: None)


def wrong_pre_hook(torch: Any) -> Any:
    net = network(torch)
    net.register_forward_pre_hook(lambda m, args, kwargs: 3, with_kwargs=True)
    net(torch.ones(1, 2))


def wrong_number_of_gradients(torch: Any) -> Any:
    net = network(torch)
    net[1].register_full_backward_hook(lambda m, gi, go: (gi[0], gi[0]))
    net(torch.ones(1, 2)).sum().backward()


def wrong_number_of_output_gradients(torch: Any) -> Any:
    net = network(torch)
    net[1].register_full_backward_pre_hook(lambda m, go: (go[0], go[0]))
    net(torch.ones(1, 2)).sum().backward()


def several_inputs_and_outputs(torch: Any) -> Any:
    class Two(torch.nn.Module):
        def forward(self, a: Any, n: int, b: Any) -> Any:
            return a * b, n, a + b

    log, net = Log(), Two()
    net.register_full_backward_hook(log.hook("full"))
    a, b = (torch.tensor([x], requires_grad=True) for x in (2.0, 3.0))
    x, _, y = net(a, 5, b)
    x.sum().backward(retain_graph=True)
    (x * y).sum().backward()
    return log, a.grad, b.grad


def changed_in_place_after_hook(torch: Any) -> Any:
    net = torch.nn.Tanh()
    net.register_full_backward_hook(lambda *args: None)
    y = net(torch.ones(1, requires_grad=True))
    y += 1


def post_accumulate(torch: Any) -> Any:
    log, net = Log(), network(torch)
    for p in (net[0].bias, net[2][0].bias):
        p.register_post_accumulate_grad_hook(lambda q: log.append(q.grad.clone()))
        p.register_hook(lambda g: log.append(g))
    net(torch.ones(1, 2)).sum().backward()
    return log


HOOKS = [
    forward_hooks, backward_hooks, backward_hook_without_input_gradient, old_backward_hooks, global_hooks, always_called,
    state_hooks, wrong_post_hook, both_kinds, wrong_pre_hook, wrong_number_of_gradients,
    wrong_number_of_output_gradients, several_inputs_and_outputs, changed_in_place_after_hook, post_accumulate,
]  # fmt: skip


@pytest.mark.parametrize("program", HOOKS, ids=[f.__name__ for f in HOOKS])
def test_hooks(program: Any) -> None:
    compare(program)


# -- state -------------------------------------------------------------------------------------------------------------


def loaded(given: Any, removed: str | None = None, **options: Any) -> Any:
    def program(torch: Any) -> Any:
        net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
        state = net.state_dict()
        state.pop(removed, None)
        state.update(given(torch))
        return str(net.load_state_dict(state, **options)), net.state_dict(), [p.requires_grad for p in net.parameters()]

    return program


class Extra:
    """Adds extra state to a module class."""

    def get_extra_state(self) -> Any:
        return {"a": 1}

    def set_extra_state(self, state: Any) -> None:
        self.got = state


def extra_state(torch: Any) -> Any:
    kind = type("M", (Extra, torch.nn.Linear), {})
    a, b = kind(1, 1), torch.nn.Linear(1, 1)
    state = a.state_dict()
    c = kind(1, 1)
    c.load_state_dict(state)
    result = [list(state), c.got]
    for m, s in ((b, state), (a, b.state_dict())):
        try:
            m.load_state_dict(s)
        except RuntimeError as error:
            result.append(str(error))
    return result


STATES = [
    loaded(lambda t: {}, "0.weight"),
    loaded(lambda t: {"a": t.ones(1), "1.b.c": t.ones(1)}),
    loaded(lambda t: {"0.weight": t.ones(3, 1), "x": t.ones(1), "y": t.ones(1)}, "0.bias"),
    loaded(lambda t: {"0.weight": t.ones(3, 1), "x": t.ones(1)}, "0.bias", strict=False),
    loaded(lambda t: {"x": t.ones(1)}, "0.bias", strict=False),
    loaded(lambda t: {"0.weight": 3}),
    loaded(lambda t: {"0.weight": [1.0, 2.0]}),
    loaded(lambda t: {"1.num_batches_tracked": t.tensor([5])}),
    loaded(lambda t: {"0.weight": t.arange(6).reshape(3, 2)}),
    loaded(lambda t: {"0.weight": t.ones(3, 2, dtype=t.float64)}, assign=True),
    loaded(lambda t: {"0.weight": t.ones(3, 2)}, assign=True),
    loaded(lambda t: {"0.weight": t.ones(2, 2)}, assign=True),
    lambda t: network(t).load_state_dict([1, 2]),
    extra_state,
]


@pytest.mark.parametrize("program", STATES)
def test_loading_state(program: Any) -> None:
    compare(program)


# -- lazy modules ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda nn: nn.LazyLinear(3), (2, 4)),
        (lambda nn: nn.LazyConv1d(3, 2), (2, 4, 5)),
        (lambda nn: nn.LazyConv2d(3, 2, bias=False), (2, 4, 5, 5)),
        (lambda nn: nn.LazyConv3d(3, 2), (1, 2, 3, 3, 3)),
        (lambda nn: nn.LazyConvTranspose1d(3, 2), (2, 4, 5)),
        (lambda nn: nn.LazyConvTranspose2d(3, 2), (4, 5, 5)),
        (lambda nn: nn.LazyBatchNorm1d(), (2, 4)),
        (lambda nn: nn.LazyBatchNorm2d(affine=False), (2, 4, 3, 3)),
        (lambda nn: nn.LazyInstanceNorm1d(), (2, 4, 5)),
        (lambda nn: nn.LazyInstanceNorm2d(affine=True, track_running_stats=True), (2, 4, 3, 3)),
        (lambda nn: nn.LazyLinear(3), (0, 4)),
        (lambda nn: nn.LazyConv2d(3, 2), (5,)),
    ],
)
def test_lazy_modules(make: Any, shape: tuple[int, ...]) -> None:
    def program(torch: Any) -> Any:
        nn = torch.nn
        m, other = make(nn), make(nn)
        result = [repr(m), list(m.state_dict()), [n for n, _ in m.named_parameters()], m.has_uninitialized_params()]
        for wrong in (
            lambda: [p.shape for p in m.parameters()],
            lambda: [p + 1 for p in m.parameters()],
            lambda: torch.optim.SGD(m.parameters(), lr=0.1).step(),
        ):
            try:
                wrong()
                result.append("nothing raised")
            except Exception as error:
                result.append([type(error).__name__, str(error).split(" parameter in ")[0]])
        x = torch.linspace(-1, 1, math.prod(shape)).reshape(shape)
        y = m.double().float()(x)
        result += [type(m).__name__, repr(m), y, m.state_dict()]
        other.load_state_dict(m.state_dict())
        result += [repr(other), other(x), type(other).__name__]
        try:
            m.load_state_dict(make(nn).state_dict())
        except Exception as error:
            result.append([type(error).__name__, str(error)])
        return result

    compare(program)
