"""`nn.utils`: parametrizations, normalised weights, fusion, skipped initialisation. Numbers are PyTorch 2.13's or NumPy's."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import wengert as torch
from wengert import nn
from wengert.nn.utils import parametrizations, parametrize


class Symmetric(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.triu() + x.triu(1).mT

    def right_inverse(self, a: Any) -> Any:
        return a.triu()


class Doubled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Any) -> Any:
        self.calls += 1
        return 2 * x


def test_a_parametrized_weight() -> None:
    m = nn.Linear(3, 3, bias=False)
    before = m.weight
    parametrize.register_parametrization(m, "weight", Symmetric())
    assert [n for n, _ in m.named_parameters()] == ["parametrizations.weight.original"]
    assert m.parametrizations.weight.original is before
    assert type(m).__name__ == "ParametrizedLinear"
    assert isinstance(m, nn.Linear)
    assert parametrize.type_before_parametrizations(m) is nn.Linear
    assert parametrize.is_parametrized(m, "weight")
    assert not parametrize.is_parametrized(m, "bias")
    assert torch.equal(m.weight, m.weight.mT)
    m(torch.ones(1, 3)).sum().backward()
    np.testing.assert_array_equal(before.grad.numpy(), [[1, 2, 2], [0, 1, 2], [0, 0, 1]])
    m.weight = torch.ones(3, 3)
    np.testing.assert_array_equal(before.detach().numpy(), np.triu(np.ones((3, 3))))
    twin = copy.deepcopy(m)
    twin.weight = torch.zeros(3, 3)
    assert m.weight.sum() == 9
    assert twin.weight.sum() == 0
    assert parametrize.remove_parametrizations(m, "weight") is m
    assert type(m) is nn.Linear
    assert list(m.state_dict()) == ["weight"]
    assert m.weight is before
    assert m.weight.sum() == 9


def test_parametrizations_in_a_chain_are_computed_once_where_cached() -> None:
    m, p = nn.Linear(2, 2), Doubled()
    parametrize.register_parametrization(m, "weight", p)
    parametrize.register_parametrization(m, "weight", Doubled())
    np.testing.assert_allclose(m.weight.detach().numpy(), 4 * m.parametrizations.weight.original.detach().numpy())
    before = p.calls
    with parametrize.cached():
        assert m.weight is m.weight
        with parametrize.cached():
            m(torch.ones(2))
        assert p.calls == before + 1
    assert m.weight is not m.weight
    with pytest.raises(RuntimeError, match="parametrization Doubled does not implement right_inverse"):
        m.weight = torch.ones(2, 2)


def test_what_a_parametrization_may_not_do() -> None:
    class Wide(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.double()

    class Part(nn.Module):
        def forward(self, x: Any) -> Any:
            return x[0]

    m = nn.Linear(2, 3)
    with pytest.raises(ValueError, match="may not change the dtype of the tensor, unless `unsafe` flag is enabled"):
        parametrize.register_parametrization(m, "weight", Wide())
    with pytest.raises(ValueError, match="may not change the shape of the tensor, unless `unsafe` flag is enabled"):
        parametrize.register_parametrization(m, "weight", Part())
    assert list(m.state_dict()) == ["weight", "bias"]
    with pytest.raises(
        ValueError, match="does not have a parameter, a buffer, or a parametrized element with name 'a'"
    ):
        parametrize.register_parametrization(m, "a", Part())
    parametrize.register_parametrization(m, "weight", Wide(), unsafe=True)
    assert m.weight.dtype == torch.float64
    with pytest.raises(
        RuntimeError, match="Serialization of parametrized modules is only supported through state_dict"
    ):
        pickle.dumps(m)
    with pytest.raises(ValueError, match="does not have a parametrization on bias"):
        parametrize.remove_parametrizations(m, "bias")


def test_weight_norm_in_both_forms() -> None:
    torch.manual_seed(0)
    old = nn.Linear(3, 2)
    weight = old.weight.detach().numpy().copy()
    with pytest.warns(FutureWarning, match="`torch.nn.utils.weight_norm` is deprecated"):
        nn.utils.weight_norm(old)
    assert list(old.state_dict()) == ["bias", "weight_g", "weight_v"]
    np.testing.assert_allclose(old.weight_g.detach().numpy(), np.linalg.norm(weight, axis=1, keepdims=True), rtol=1e-6)
    np.testing.assert_allclose(old.weight.detach().numpy(), weight, rtol=1e-6)
    new = parametrizations.weight_norm(nn.Linear(3, 2))
    assert str(new.load_state_dict(old.state_dict())) == "<All keys matched successfully>"
    assert list(new.state_dict()) == ["bias", "parametrizations.weight.original0", "parametrizations.weight.original1"]
    np.testing.assert_allclose(new.weight.detach().numpy(), weight, rtol=1e-6)
    new(torch.ones(1, 3)).sum().backward()
    v = weight.astype(np.float64)
    expected = v.sum(1) / np.linalg.norm(v, axis=1)  # d/dg of g v.1 / |v|
    np.testing.assert_allclose(new.parametrizations.weight.original0.grad.numpy()[:, 0], expected, rtol=1e-5)
    nn.utils.remove_weight_norm(old)
    assert set(old.state_dict()) == {"bias", "weight"}
    with pytest.raises(ValueError, match="weight_norm of 'weight' not found in Linear"):
        nn.utils.remove_weight_norm(old)


@pytest.mark.parametrize("home", [nn.utils, parametrizations])
def test_spectral_norm_divides_by_the_largest_singular_value(home: Any) -> None:
    torch.manual_seed(0)
    m = nn.Conv2d(2, 3, 2)
    weight = m.weight.detach().numpy().copy()
    home.spectral_norm(m)
    for _ in range(60):
        m(torch.ones(1, 2, 2, 2))
    m.eval()
    m(torch.ones(1, 2, 2, 2))
    largest = np.linalg.svd(weight.reshape(3, -1))[1][0]
    np.testing.assert_allclose(m.weight.detach().numpy(), weight / largest, rtol=1e-4, atol=1e-6)
    if home is nn.utils:
        assert list(m.state_dict()) == ["bias", "weight_orig", "weight_u", "weight_v"]
        assert nn.utils.remove_spectral_norm(m) is m
        assert list(m.state_dict()) == ["bias", "weight"]
        assert not m._state_dict_hooks
    else:
        names = ["original", "0._u", "0._v"]
        assert list(m.state_dict()) == ["bias", *(f"parametrizations.weight.{n}" for n in names)]


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)])
@pytest.mark.parametrize("kind", ["matrix_exp", "cayley", "householder"])
def test_orthogonal(kind: str, shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    m = parametrizations.orthogonal(nn.Linear(shape[1], shape[0]), orthogonal_map=kind)
    optimizer = torch.optim.SGD(m.parameters(), lr=0.1)
    for _ in range(3):
        w = m.weight.detach().numpy()
        product = w @ w.T if shape[0] < shape[1] else w.T @ w
        np.testing.assert_allclose(product, np.eye(min(shape)), atol=1e-5)
        optimizer.zero_grad()
        m(torch.ones(1, shape[1])).square().sum().backward()
        optimizer.step()


def test_wrong_orthogonal() -> None:
    with pytest.raises(
        ValueError, match='orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: qr'
    ):
        parametrizations.orthogonal(nn.Linear(2, 2), orthogonal_map="qr")
    with pytest.raises(ValueError, match="Expected a matrix or batch of matrices. Got a tensor of 1 dimensions."):
        parametrizations.orthogonal(nn.Linear(2, 2), "bias")
    m = parametrizations.orthogonal(nn.Linear(2, 2), use_trivialization=False)
    with pytest.raises(NotImplementedError, match="It is not possible to assign to the matrix exponential"):
        m.weight = torch.eye(2)


def test_fusion() -> None:
    torch.manual_seed(0)
    conv, bn, x = nn.Conv1d(2, 3, 2), nn.BatchNorm1d(3), torch.randn(4, 2, 5)
    bn(conv(x))
    with pytest.raises(AssertionError, match="Fusion only for eval!"):
        nn.utils.fuse_conv_bn_eval(conv, bn)
    conv.eval(), bn.eval()
    fused = nn.utils.fuse_conv_bn_eval(conv, bn)
    np.testing.assert_allclose(fused(x).detach().numpy(), bn(conv(x)).detach().numpy(), rtol=1e-4, atol=1e-6)
    linear, bn = nn.Linear(2, 3).eval(), nn.BatchNorm1d(3).eval()
    fused = nn.utils.fuse_linear_bn_eval(linear, bn)
    x = torch.randn(4, 2)
    np.testing.assert_allclose(fused(x).detach().numpy(), bn(linear(x)).detach().numpy(), rtol=1e-4, atol=1e-6)
    with pytest.raises(AssertionError, match="got linear.out_features=3 and bn.num_features=2"):
        nn.utils.fuse_linear_bn_eval(linear, nn.BatchNorm1d(2).eval())


def test_skip_init_draws_nothing() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    m = nn.utils.skip_init(nn.Linear, 3, 4, bias=False)
    assert torch.equal(torch.rand(3), expected)
    assert m.weight.shape == (4, 3)
    with pytest.raises(RuntimeError, match="Module must support a 'device' arg to skip initialization"):
        nn.utils.skip_init(nn.ReLU)


def test_functional_call_by_its_old_name() -> None:
    m = nn.Linear(2, 2)
    given = {"weight": torch.ones(2, 2), "bias": torch.zeros(2)}
    with pytest.warns(FutureWarning, match="Please use `torch.func.functional_call` instead"):
        assert nn.utils.stateless.functional_call(m, given, torch.ones(2)).tolist() == [2.0, 2.0]
    with pytest.raises(
        RuntimeError, match=r"in reparametrizing for Linear:\n\tUnexpected.*'a'.\n\tMissing.*'bias', 'weight'"
    ):
        torch.func.functional_call(m, {"a": torch.ones(1)}, torch.ones(2), strict=True)


def test_channels_last() -> None:
    """Strides change, numbers do not."""
    m, x = nn.Conv2d(2, 3, 2), torch.arange(32.0).reshape(1, 2, 4, 4)
    expected = m(x).detach().numpy()
    m = m.to(memory_format=torch.channels_last)
    assert m.weight.stride() == (8, 1, 4, 2)
    y = x.to(memory_format=torch.channels_last)
    assert y.stride() == (32, 1, 8, 2)
    assert not y.is_contiguous()
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert y.to(memory_format=torch.channels_last) is y
    assert y.contiguous().stride() == (32, 16, 4, 1)
    np.testing.assert_allclose(m(y).detach().numpy(), expected, rtol=1e-6)
    with pytest.raises(RuntimeError, match="required rank 4 tensor to use channels_last format"):
        torch.ones(2).contiguous(memory_format=torch.channels_last)
    m = nn.utils.convert_conv3d_weight_memory_format(nn.Conv3d(2, 3, 2), torch.channels_last_3d)
    assert m.weight.stride() == (16, 1, 8, 4, 2)


def test_gradients_of_a_convolution_as_functions() -> None:
    torch.manual_seed(0)
    x, w = torch.randn(2, 3, 6, requires_grad=True), torch.randn(4, 3, 2, requires_grad=True)
    y = torch.nn.functional.conv1d(x, w, stride=2, padding=1)
    g = torch.randn(y.shape)
    dx, dw = torch.autograd.grad(y, [x, w], g)
    np.testing.assert_allclose(nn.grad.conv1d_input(x.shape, w, g, 2, 1).detach().numpy(), dx.numpy(), rtol=1e-6)
    np.testing.assert_allclose(nn.grad.conv1d_weight(x, w.shape, g, 2, 1).detach().numpy(), dw.numpy(), rtol=1e-6)


def test_a_prefix_is_taken_from_a_checkpoint() -> None:
    state = nn.ModuleDict({"module": nn.Sequential(nn.Linear(1, 2))}).state_dict()
    nn.modules.utils.consume_prefix_in_state_dict_if_present(state, "module.")
    assert list(state) == ["0.weight", "0.bias"]
    assert nn.Sequential(nn.Linear(1, 2)).load_state_dict(state).missing_keys == []


def test_batch_norms_without_statistics_can_be_mapped() -> None:
    net = torch.func.replace_all_batch_norm_modules_(nn.Sequential(nn.BatchNorm1d(2)))
    assert list(net.state_dict()) == ["0.weight", "0.bias"]
    x = torch.arange(12.0).reshape(2, 3, 2)
    mapped = torch.vmap(net)(x)
    np.testing.assert_allclose(mapped.detach().numpy(), np.stack([net(e).detach().numpy() for e in x]), rtol=1e-6)
