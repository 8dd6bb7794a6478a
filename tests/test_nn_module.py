"""Module: registration, attributes, walking, printing, state, copies. Numbers come from PyTorch 2.13 or from NumPy."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

import wengert as torch
from wengert import nn


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.second = nn.Linear(4, 2, bias=False)
        self.scale = nn.Parameter(torch.ones(2))
        self.register_buffer("seen", torch.zeros(1))
        self.register_buffer("scratch", torch.zeros(1), persistent=False)
        self.label = "net"

    def forward(self, x: Any) -> Any:
        return self.second(self.first(x).tanh()) * self.scale


def test_forward_and_gradients_agree_with_numpy() -> None:
    net = Net().double()
    x = torch.tensor(np.arange(6.0).reshape(2, 3))
    net(x).sum().backward()
    w1, b1 = net.first.weight.detach().numpy(), net.first.bias.detach().numpy()
    w2, s = net.second.weight.detach().numpy(), net.scale.detach().numpy()
    h = np.tanh(x.numpy() @ w1.T + b1)
    np.testing.assert_allclose(net(x).detach().numpy(), h @ w2.T * s)
    np.testing.assert_allclose(net.scale.grad.numpy(), (h @ w2.T).sum(0))
    g = (np.ones((2, 2)) * s) @ w2 * (1 - h * h)
    np.testing.assert_allclose(net.first.weight.grad.numpy(), g.T @ x.numpy())
    np.testing.assert_allclose(net.first.bias.grad.numpy(), g.sum(0))


def test_names_of_everything() -> None:
    net = Net()
    assert [n for n, _ in net.named_parameters()] == ["scale", "first.weight", "first.bias", "second.weight"]
    assert [n for n, _ in net.named_buffers()] == ["seen", "scratch"]
    assert [n for n, _ in net.named_modules()] == ["", "first", "second"]
    assert [n for n, _ in net.named_children()] == ["first", "second"]
    assert list(net.state_dict()) == ["scale", "seen", "first.weight", "first.bias", "second.weight"]
    assert list(net.parameters(recurse=False)) == [net.scale]
    assert net.get_parameter("first.weight") is net.first.weight
    assert net.get_buffer("seen") is net.seen
    assert net.get_submodule("second") is net.second
    assert {"first", "scale", "seen", "forward"} <= set(dir(net))


def test_shared_parameters_are_named_once() -> None:
    net = Net()
    net.third = nn.Linear(3, 4)
    net.third.weight = net.first.weight
    names = [n for n, _ in net.named_parameters()]
    assert "third.weight" not in names
    assert "third.weight" in [n for n, _ in net.named_parameters(remove_duplicate=False)]
    assert "third.weight" in net.state_dict()


def test_attributes_and_registries_are_one() -> None:
    net = Net()
    new = nn.Parameter(torch.zeros(2))
    net._parameters["scale"] = new
    assert net.scale is new
    net.scale = None
    assert net._parameters["scale"] is None
    assert net.scale is None
    del net.scale
    with pytest.raises(AttributeError, match="'Net' object has no attribute 'scale'"):
        _ = net.scale
    net._buffers.pop("seen")
    assert not hasattr(net, "seen")
    net.first = nn.Identity()
    assert net._modules["first"] is net.first
    net.label = nn.Linear(1, 1)
    assert "label" in net._modules
    net._modules["label"] = nn.Tanh()
    assert isinstance(net.label, nn.Tanh)


def test_a_parameter_becomes_a_module_of_the_same_name() -> None:
    net = Net()
    net.scale = nn.Identity()  # type: ignore[assignment]
    assert "scale" not in net._parameters
    net.scale = nn.Parameter(torch.ones(1))
    assert "scale" not in net._modules
    net.seen = nn.Buffer(torch.ones(3), persistent=False)
    assert "seen" not in net.state_dict()
    assert net.seen.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("scale", 3, "cannot assign 'int' as parameter 'scale' (torch.nn.Parameter or None expected)"),
        ("scale", torch.ones(2), "cannot assign 'torch.FloatTensor' as parameter 'scale' (torch.nn.Parameter or None"),
        ("first", "x", "cannot assign 'str' as child module 'first' (torch.nn.Module or None expected)"),
        ("seen", 1.5, "cannot assign 'float' as buffer 'seen' (torch.nn.Buffer, torch.Tensor or None expected)"),
    ],
)
def test_what_may_not_be_assigned(name: str, value: Any, message: str) -> None:
    with pytest.raises(TypeError) as info:
        setattr(Net(), name, value)
    assert message in str(info.value)


def test_registration_errors() -> None:
    net = Net()
    for register, what in ((net.register_parameter, "parameter"), (net.register_buffer, "buffer")):
        with pytest.raises(KeyError, match=f"{what} name can.*t contain"):
            register("a.b", None)
        with pytest.raises(KeyError, match=f"{what} name can.*t be empty string"):
            register("", None)
        with pytest.raises(TypeError, match=f"{what} name should be a string. Got int"):
            register(3, None)  # type: ignore[arg-type]
        with pytest.raises(KeyError, match="attribute 'label' already exists"):
            register("label", None)
    with pytest.raises(TypeError, match="int is not a Module subclass"):
        net.add_module("m", 3)  # type: ignore[arg-type]
    made = nn.Parameter(torch.ones(2)) * 2
    made.__class__ = nn.Parameter
    with pytest.raises(ValueError, match="Cannot assign non-leaf Tensor to parameter 'w'"):
        net.register_parameter("w", made)

    class NoInit(nn.Module):
        def __init__(self) -> None:
            self.p = nn.Parameter(torch.ones(1))

    with pytest.raises(AttributeError, match=r"cannot assign parameters before Module.__init__\(\) call"):
        NoInit()
    with pytest.raises(TypeError, match=r"Module.__init__\(\) got an unexpected keyword argument 'a'"):
        nn.Module(a=1)
    with pytest.raises(NotImplementedError, match=r'Module \[Module\] is missing the required "forward" function'):
        nn.Module()(1)


def test_getting_parts_that_are_not_there() -> None:
    net = Net()
    with pytest.raises(AttributeError, match="Net has no attribute `none`"):
        net.get_submodule("none")
    with pytest.raises(AttributeError, match="`label` is not an nn.Module"):
        net.get_submodule("label")
    with pytest.raises(AttributeError, match="`seen` is not an nn.Parameter"):
        net.get_parameter("seen")
    with pytest.raises(AttributeError, match="`scale` is not a buffer"):
        net.get_buffer("scale")
    net.set_submodule("first", nn.Tanh())
    assert isinstance(net.first, nn.Tanh)
    with pytest.raises(ValueError, match="Cannot set the submodule without a target name!"):
        net.set_submodule("", nn.Tanh())


def test_repr_is_pytorchs() -> None:
    net = nn.Sequential(
        OrderedDict(a=nn.Linear(2, 3), b=nn.ModuleList([nn.ReLU(inplace=True)] * 2 + [nn.Threshold(0.1, 20)]))
    )
    assert repr(net) == (
        "Sequential(\n"
        "  (a): Linear(in_features=2, out_features=3, bias=True)\n"
        "  (b): ModuleList(\n"
        "    (0-1): 2 x ReLU(inplace=True)\n"
        "    (2): Threshold(threshold=0.1, value=20)\n"
        "  )\n"
        ")"
    )
    assert repr(nn.Sequential()) == "Sequential()"
    assert repr(nn.Parameter(torch.ones(2))) == "Parameter containing:\ntensor([1., 1.], requires_grad=True)"


def test_training_mode_and_requires_grad() -> None:
    net = Net()
    assert net.eval() is net
    assert not net.first.training
    net.train()
    assert net.second.training
    with pytest.raises(ValueError, match="training mode is expected to be boolean"):
        net.train(1)  # type: ignore[arg-type]
    net.requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())


def test_zero_grad() -> None:
    net = Net()
    net(torch.ones(1, 3)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert float(net.scale.grad.abs().sum()) == 0
    net.zero_grad()
    assert net.scale.grad is None


def test_conversions_keep_the_parameters_identity() -> None:
    net = Net()
    net.register_buffer("count", torch.tensor(3))
    before = list(net.parameters())
    net(torch.ones(1, 3)).sum().backward()
    net.double()
    assert all(a is b for a, b in zip(before, net.parameters(), strict=True))
    assert net.scale.dtype is torch.float64
    assert net.scale.grad.dtype is torch.float64
    assert net.seen.dtype is torch.float64
    assert net.count.dtype is torch.int64
    net(torch.ones(1, 3, dtype=torch.float64)).sum().backward()
    net.to(torch.float32)
    assert net.first.weight.dtype is torch.float32
    assert net.to("cpu") is net
    with pytest.raises(
        TypeError, match="only accepts floating point or complex dtypes, but got desired dtype=torch.int64"
    ):
        net.to(torch.int64)
    with pytest.raises(AssertionError, match="Torch not compiled with CUDA enabled"):
        net.cuda()


def test_apply_goes_from_the_leaves_to_the_root() -> None:
    seen: list[str] = []
    Net().apply(lambda m: seen.append(type(m).__name__))
    assert seen == ["Linear", "Linear", "Net"]


def test_copies_and_pickles() -> None:
    net = Net()
    net(torch.ones(1, 3)).sum().backward()
    twin = copy.deepcopy(net)
    assert twin.first.weight is not net.first.weight
    assert twin.first.weight.grad is None
    assert "weight" in twin.first._parameters
    twin.first.weight.data.fill_(7)
    assert net.first.weight.max().item() < 7
    other = pickle.loads(pickle.dumps(net))
    assert torch.equal(other.first.weight, net.first.weight)
    assert [n for n, _ in other.named_parameters()] == [n for n, _ in net.named_parameters()]
    other.scale = nn.Parameter(torch.zeros(2))
    assert other._parameters["scale"] is other.scale
    assert list(other.state_dict()) == list(net.state_dict())


class Own(nn.Module):
    """Pickles itself in its own way."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones(2))

    def __getstate__(self) -> Any:
        return self.__dict__.copy()

    def __setstate__(self, state: Any) -> None:
        self.__dict__.update(state)


def test_a_subclass_may_pickle_itself() -> None:
    own = pickle.loads(pickle.dumps(Own()))
    own.w = nn.Parameter(torch.zeros(2))
    assert own.w is own._parameters["w"]
    assert own.w.tolist() == [0, 0]


def test_a_module_is_freed_at_once() -> None:
    gc.disable()
    try:
        net = Net()
        ref = weakref.ref(net)
        del net
        assert ref() is None
    finally:
        gc.enable()


def test_state_dict_round_trip_and_its_errors() -> None:
    net, other = Net(), Net()
    assert str(other.load_state_dict(net.state_dict())) == "<All keys matched successfully>"
    assert torch.equal(other.first.weight, net.first.weight)
    state = net.state_dict()
    del state["scale"]
    state["more"] = torch.ones(1)
    state["first.bias"] = torch.ones(9)
    with pytest.raises(RuntimeError) as info:
        other.load_state_dict(state)
    assert str(info.value) == (
        "Error(s) in loading state_dict for Net:\n"
        '\tMissing key(s) in state_dict: "scale". \n'
        '\tUnexpected key(s) in state_dict: "more". \n'
        "\tsize mismatch for first.bias: copying a param with shape torch.Size([9]) from checkpoint, the shape in "
        "current model is torch.Size([4])."
    )
    state.pop("first.bias")
    result = other.load_state_dict(state, strict=False)
    assert result.missing_keys == ["scale", "first.bias"]
    assert result.unexpected_keys == ["more"]
    with pytest.raises(TypeError, match="Expected state_dict to be dict-like, got <class 'int'>"):
        other.load_state_dict(3)  # type: ignore[arg-type]


def test_state_dict_shares_memory_and_assign_takes_the_tensors() -> None:
    net = Net()
    net.state_dict()["scale"].fill_(5)
    assert net.scale.tolist() == [5, 5]
    assert net.state_dict(keep_vars=True)["scale"] is net.scale
    state = {k: v.clone() for k, v in net.state_dict().items()}
    net.load_state_dict(state, assign=True)
    state["scale"].fill_(1)
    assert net.scale.tolist() == [1, 1]


def test_lazy_linear() -> None:
    lazy = nn.LazyLinear(2)
    assert repr(lazy.weight) == "<UninitializedParameter>"
    with pytest.raises(RuntimeError, match="Can't access the shape of an uninitialized parameter or buffer"):
        _ = lazy.weight.shape
    with pytest.raises(ValueError, match="Attempted to use an uninitialized parameter"):
        lazy.weight + 1
    lazy.double()
    assert copy.deepcopy(lazy).has_uninitialized_params()
    assert lazy(torch.ones(4, 3, dtype=torch.float64)).shape == (4, 2)
    assert type(lazy) is nn.Linear
    assert type(lazy.weight) is nn.Parameter
    assert lazy.in_features == 3
    assert lazy.weight.dtype is torch.float64
    fresh = nn.LazyLinear(2)
    fresh.load_state_dict(lazy.state_dict())
    assert fresh.weight.shape == (2, 3)


class TestParameter:
    def test_shares_memory_and_is_a_leaf(self) -> None:
        t = torch.ones(2)
        p = nn.Parameter(t)
        t[0] = 5
        assert p.tolist() == [5, 1]
        assert p.is_leaf
        assert p.requires_grad
        assert isinstance(p, torch.Tensor)
        assert not isinstance(t, nn.Parameter)
        assert type(p * 2) is torch.Tensor
        assert nn.Parameter().shape == (0,)

    def test_integers_cannot_require_grad(self) -> None:
        with pytest.raises(
            RuntimeError, match="Only Tensors of floating point and complex dtype can require gradients"
        ):
            nn.Parameter(torch.tensor([1]))
        assert not nn.Parameter(torch.tensor([1]), requires_grad=False).requires_grad

    def test_a_marked_tensor_counts_as_one(self) -> None:
        t = torch.ones(1)
        t._is_param = True
        assert isinstance(t, nn.Parameter)

    def test_buffers(self) -> None:
        b = nn.Buffer(torch.ones(2), persistent=False)
        assert isinstance(b, nn.Buffer)
        assert type(b) is torch.Tensor
        assert not isinstance(torch.ones(2), nn.Buffer)


def test_a_full_backward_hook_without_an_input_that_requires_grad_warns() -> None:
    m, seen = nn.Linear(2, 1), []
    m.register_full_backward_hook(lambda module, inputs, outputs: seen.append((inputs, outputs[0].tolist())))
    out = m(torch.ones(1, 2))
    with pytest.warns(UserWarning, match="Full backward hook is firing .* since no inputs require gradients"):
        out.sum().backward()
    assert seen == [((None,), [[1.0]])]
