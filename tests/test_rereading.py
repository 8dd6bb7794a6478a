"""Views that read their base as another kind of number: parts of complex numbers, and pairs as complex. Absent dtypes."""

from __future__ import annotations

import pickle

import pytest

import wengert as torch
from wengert.autograd import forward_ad as fwAD


def pairs() -> torch.Tensor:
    return torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.5, 4.0]], dtype=torch.float64, requires_grad=True)


def test_changing_a_complex_view_of_pairs_changes_the_gradient_of_the_pairs() -> None:
    x = pairs()
    base = x * 1
    z = torch.view_as_complex(base)
    z[1:].mul_(2 + 1j)
    loss = (z.real * z.imag).sum()
    loss.backward()
    # (a + bi)(2 + i) = (2a - b) + (a + 2b)i; d/da and d/db of the product of the parts by hand
    a, b = x.detach()[1:].unbind(1)
    expected = x.detach().flip(1)
    expected[1:, 0] = 2 * (a + 2 * b) + (2 * a - b)
    expected[1:, 1] = -(a + 2 * b) + 2 * (2 * a - b)
    assert torch.allclose(x.grad, expected)


def test_the_pairs_themselves_are_those_of_the_changed_view() -> None:
    def change(x: torch.Tensor) -> torch.Tensor:
        base = x.clone()
        torch.view_as_complex(base).mul_(1j)
        return base

    x = pairs()
    assert torch.equal(change(x), torch.stack([-x[:, 1], x[:, 0]], 1))
    assert torch.autograd.gradcheck(change, (x,), check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: change(x) ** 3, (x,))


def test_a_view_of_one_pair_overwritten_by_a_constant_has_no_gradient() -> None:
    x = pairs()
    base = x.clone()
    torch.view_as_complex(base)[0].zero_()
    base.sum().backward()
    assert x.grad.tolist() == [[0, 0], [1, 1], [1, 1]]


def test_views_made_before_show_the_change() -> None:
    x = pairs()
    base = x.clone()
    z = torch.view_as_complex(base)
    back = torch.view_as_real(z)
    base.mul_(3)
    (g,) = torch.autograd.grad(z.real.sum(), x, retain_graph=True)
    assert g.tolist() == [[3, 0]] * 3
    (g,) = torch.autograd.grad(back.sum(), x)
    assert g.tolist() == [[3, 3]] * 3


def test_forward_mode_of_a_change_through_either_view() -> None:
    with fwAD.dual_level():
        z = fwAD.make_dual(torch.tensor([1 + 2j, 3 - 1j]), torch.tensor([1 + 0j, 0 + 1j])).clone()
        z.imag.mul_(2)
        assert fwAD.unpack_dual(z).tangent.tolist() == [1, 2j]
        x = fwAD.make_dual(torch.ones(2, 2), torch.tensor([[1.0, 0.0], [0.0, 1.0]])).clone()
        torch.view_as_complex(x).mul_(1j)
        assert fwAD.unpack_dual(x).tangent.tolist() == [[0, 1], [-1, 0]]


def test_conjugates_are_new_numbers() -> None:
    z = torch.tensor([1 + 2j])
    w = z.conj()
    w[0] = 0
    assert z.tolist() == [1 + 2j]
    assert not z.conj().is_conj()
    assert not z.conj().imag.is_neg()


def test_the_conjugate_transpose_of_a_single_number_is_its_conjugate() -> None:
    z = torch.tensor(1 + 2j)
    assert [x.item() for x in (z.H, z.mH, z.adjoint())] == [1 - 2j] * 3
    assert z.mT.item() == z.T.item() == 1 + 2j


@pytest.mark.parametrize(
    ("name", "size", "floating", "instead"),
    [
        ("complex32", 4, False, "complex64"),
        ("chalf", 4, False, "complex64"),
        ("float8_e4m3fn", 1, True, "float16"),
        ("quint8", 1, False, "uint8"),
    ],
)
def test_dtypes_without_numbers_have_their_names(name: str, size: int, floating: bool, instead: str) -> None:
    d = getattr(torch, name)
    assert isinstance(d, torch.dtype)
    assert d.itemsize == size
    assert d.is_floating_point is floating
    assert torch.ones(1).dtype not in (d, torch.float8_e5m2)
    assert pickle.loads(pickle.dumps(d)) is d
    for make in (lambda: torch.zeros(2, dtype=d), lambda: torch.ones(2).to(d), lambda: torch.tensor([1.0], dtype=d)):
        with pytest.raises(
            NotImplementedError, match=rf"is not supported: NumPy has no such numbers. Use torch.{instead}"
        ):
            make()


def test_complex32_is_complex_and_quint8_has_no_sign() -> None:
    assert torch.complex32 is torch.chalf
    assert torch.complex32.is_complex
    assert torch.complex32.to_real() is torch.float16
    assert not torch.quint8.is_signed
    assert torch.qint8.is_signed
    assert repr(torch.float8_e5m2) == "torch.float8_e5m2"


def test_helpers_of_libraries() -> None:
    from wengert import _utils

    assert _utils._element_size(torch.complex64) == 8
    a, b = torch.arange(6.0).view(2, 3), torch.ones(2)
    flat = _utils._flatten_dense_tensors([a, b])
    assert flat.tolist() == [0, 1, 2, 3, 4, 5, 1, 1]
    x, y = _utils._unflatten_dense_tensors(flat, [a, b])
    assert torch.equal(x, a)
    assert y._base is flat
    assert _utils._get_device_index("cpu", allow_cpu=True) == -1
    with pytest.raises(ValueError, match="Expected a torch.device with a specified index or an integer, but got: cpu"):
        _utils._get_device_index("cpu")
