"""`gradcheck` finds what is wrong, says where, and lets right derivatives pass; each check can be turned off."""

from __future__ import annotations

import re
import warnings

import pytest

import wengert as torch
from test_function import make
from wengert.autograd import gradcheck, gradgradcheck
from wengert.autograd.gradcheck import GradcheckError

both = pytest.mark.parametrize("fast", [False, True], ids=["slow", "fast"])


def leaf(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def fails(message: str, *args, error: type[BaseException] = GradcheckError, **kwargs) -> None:
    """gradcheck raises an error that starts so, and is False without `raise_exception`."""
    with pytest.raises(error, match="^" + re.escape(message)):
        gradcheck(*args, **kwargs)
    if error is GradcheckError:
        assert gradcheck(*args, raise_exception=False, **kwargs) is False


def wrong_by(x: torch.Tensor, amount: float) -> torch.Tensor:
    y = x.clone()
    y.register_hook(lambda g: g + amount)
    return y


@both
def test_right_derivatives_pass(fast) -> None:
    x, y = leaf(0.5, 1.5), leaf(-1.0, 2.0)
    f = lambda a, b: (a * b.exp(), (a / b).sin().sum())
    assert gradcheck(f, (x, y), fast_mode=fast, check_forward_ad=True, check_batched_grad=True)
    assert gradcheck(f, (x, y), fast_mode=fast, check_forward_ad=True, check_batched_forward_grad=True)
    assert gradgradcheck(f, (x, y), fast_mode=fast, check_fwd_over_rev=True, gen_non_contig_grad_outputs=True)


@both
def test_complex_numbers(fast) -> None:
    z = torch.tensor([1 + 2j, -0.5 + 1j], dtype=torch.complex128, requires_grad=True)
    f = lambda z: (z * z.conj(), z.real, (z * z).abs(), torch.view_as_real(z))
    assert gradcheck(f, z, fast_mode=fast, check_forward_ad=True)
    assert gradcheck(lambda x: torch.complex(x, x * x), leaf(1.0, 2.0), fast_mode=fast, check_forward_ad=True)


@both
def test_errors_along_the_real_and_the_imaginary_axis_do_not_cancel(fast) -> None:
    z = torch.tensor([0.5 + 1j], dtype=torch.complex128, requires_grad=True)
    for amount in (0.1 - 0.1j, 0.1 + 0.1j):
        with pytest.raises(GradcheckError, match="Jacobian mismatch for output 0 with respect to input 0"):
            gradcheck(lambda z, d=amount: wrong_by(z, d).real, z, fast_mode=fast)


def test_directions_are_the_same_in_every_run() -> None:
    message = []
    for _ in range(2):
        torch.rand(3)  # the user's random numbers neither matter nor change
        state = torch.get_rng_state()
        with pytest.raises(GradcheckError) as caught:
            gradcheck(lambda x: wrong_by(x, 0.1), leaf(1.0, 2.0), fast_mode=True)
        message.append(str(caught.value))
        assert torch.get_rng_state().equal(state)
    assert message[0] == message[1]


@both
def test_a_wrong_gradient_is_found(fast) -> None:
    fails(
        "Jacobian mismatch for output 0 with respect to input 0,\nnumerical:",
        lambda x: wrong_by(x, 0.01),
        leaf(1.0, 2.0),
        fast_mode=fast,
    )
    second = lambda x, y: (x * 1, wrong_by(y * 1, 0.01))
    fails("Jacobian mismatch for output 1 with respect to input 1,", second, (leaf(1.0), leaf(2.0)), fast_mode=fast)


def test_a_wrong_gradient_is_shown_where_it_is_worst() -> None:
    F = make(lambda ctx, x: x * 2, lambda ctx, g: g * torch.tensor([2.0, 2.5, 2.0]))
    with pytest.raises(GradcheckError) as caught:
        gradcheck(F.apply, leaf(1.0, 2.0, 3.0))
    assert "worst at [input element, output element] (1, 1): numerical 2.0" in str(caught.value)
    assert "analytical 2.5, difference 0.5, tolerated 0.00201" in str(caught.value)


def test_of_complex_outputs_the_parts_are_told_apart() -> None:
    z = torch.tensor([1 + 2j], dtype=torch.complex128, requires_grad=True)
    fails(
        "While considering the imaginary part of complex outputs only, Jacobian mismatch for output 0",
        lambda z: wrong_by(z, 0.01),
        z,
    )
    F = make(lambda ctx, z: z * 1, lambda ctx, g: torch.complex(g.real * 1.5, g.imag))
    fails("While considering the real part of complex outputs only, Jacobian mismatch for output 0", F.apply, z)


@both
def test_a_wrong_tangent_is_found(fast) -> None:
    F = make(lambda ctx, x: x * 2, lambda ctx, g: g * 2, jvp=lambda ctx, t: t * 3)
    assert gradcheck(F.apply, leaf(1.0, 2.0), fast_mode=fast)
    message = "Jacobian computed with forward mode mismatch for output 0 with respect to input 0"
    fails(message, F.apply, leaf(1.0, 2.0), check_forward_ad=True, fast_mode=fast)
    fails(message, F.apply, leaf(1.0, 2.0), check_forward_ad=True, check_backward_ad=False, fast_mode=fast)


@both
def test_a_gradient_that_is_not_a_multiple_of_what_arrives(fast) -> None:
    fails("backward not multiplied by grad_output", lambda x: wrong_by(x, 0.01), leaf(1.0), atol=0.1, fast_mode=fast)


@both
def test_missing_gradients_must_be_borne(fast) -> None:
    def fragile(x):
        def hook(g):
            if g is None:
                raise RuntimeError("no gradient")

        y = x.clone()
        y.register_hook(hook)
        return y

    with pytest.warns(UserWarning, match="New undefined gradient support checking feature is enabled by default"):
        fails("Expected backward function to handle undefined output grads.", fragile, leaf(1.0), fast_mode=fast)
    assert gradcheck(fragile, leaf(1.0), check_undefined_grad=False, fast_mode=fast)
    constant = make(lambda ctx, x: x * 0 + 1, lambda ctx, g: g * 0 + (0.0 if (g != 0).any() else 1e-20))
    message = "Expected all input grads to be undefined or zero when all output grads are undefined or zero."
    with pytest.raises(GradcheckError, match="^(backward not multiplied|" + re.escape(message) + ")"):
        gradcheck(constant.apply, leaf(1.0), fast_mode=fast)


@both
def test_a_backward_that_varies_is_found(fast) -> None:
    count = [0]

    def backward(ctx, g):
        count[0] += 1
        return g * (1 + 1e-7 * count[0])

    F = make(lambda ctx, x: x * 1, backward)
    fails("Backward is not reentrant, i.e., running backward with same input", F.apply, leaf(1.0, 2.0), fast_mode=fast)
    assert gradcheck(F.apply, leaf(1.0, 2.0), nondet_tol=1e-5, fast_mode=fast)


@both
def test_an_output_outside_the_graph_must_be_constant(fast) -> None:
    fails("Numerical gradient for function expected to be zero", lambda x: x.detach() * 2, leaf(1.0), fast_mode=fast)
    assert gradcheck(lambda x: (x * 2, torch.ones(2, dtype=torch.float64)), leaf(1.0), fast_mode=fast)
    assert gradcheck(lambda x: (), leaf(1.0), fast_mode=fast)


@both
def test_shape_and_dtype_must_not_depend_on_values(fast) -> None:
    message = "Expected `func` to return outputs with the same {} when inputs are perturbed, but got: "
    f = lambda x: torch.cat([x, x]) if (x >= 1).all() else x
    fails(message.format("shape"), f, leaf(1.0), error=AssertionError, fast_mode=fast)
    f = lambda x: x.to(torch.float32) if (x >= 1).all() else x
    fails(message.format("dtype"), f, leaf(1.0), error=AssertionError, fast_mode=fast)


def test_batched_gradients_are_compared() -> None:
    def backward(ctx, g):
        return g.sum() * 0 + g * (2.0 if g._is_batched() else 1.0)

    F = make(lambda ctx, x: x * 1, backward)
    assert gradcheck(F.apply, leaf(1.0, 2.0))
    fails(
        "For output 0 and input 0:\n\ngradcheck or gradgradcheck failed while testing batched gradient",
        F.apply,
        leaf(1.0, 2.0),
        check_batched_grad=True,
    )
    F = make(lambda ctx, x: x * 1, lambda ctx, g: g * float(g.sum() * 0 + 1))
    fails(
        "While computing batched gradients, got: vmap: It looks like", F.apply, leaf(1.0, 2.0), check_batched_grad=True
    )


def test_second_derivatives() -> None:
    F = make(
        lambda ctx, x: (ctx.save_for_backward(x), x**3)[1], lambda ctx, g: 3 * ctx.saved_tensors[0].detach() ** 2 * g
    )
    assert gradcheck(F.apply, leaf(1.0, 2.0))
    with pytest.raises(GradcheckError, match="Numerical gradient|Jacobian mismatch"):
        gradgradcheck(F.apply, leaf(1.0, 2.0))


def test_inputs_are_checked() -> None:
    none = "gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True."
    fails(none, lambda x: x, torch.ones(1), error=ValueError)
    with pytest.warns(
        UserWarning, match="Input #0 requires gradient and is not a double precision floating point or complex"
    ):
        assert gradcheck(lambda x: x * 1, torch.ones(1, requires_grad=True), atol=0.1)
    with pytest.raises(
        RuntimeError, match="The 0th input has a dimension with stride 0. gradcheck only supports inputs"
    ):
        gradcheck(lambda x: x, leaf(1.0).expand(2, 2))
    with pytest.raises(
        AssertionError, match="Expected at least one of check_forward_ad or check_backward_ad to be True"
    ):
        gradcheck(lambda x: x, leaf(1.0), check_backward_ad=False)


def test_other_errors_pass_through() -> None:
    def broken(x):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        gradcheck(broken, leaf(1.0), raise_exception=False)
    assert issubclass(GradcheckError, RuntimeError)


def test_inputs_are_left_as_they_were() -> None:
    x = leaf(0.1, 0.2, 0.3)
    before = x.tolist()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert gradcheck(lambda t: t.sin(), x)
    assert x.tolist() == before
    assert x.grad is None
