"""`__torch_function__`: who is asked, in which order, with what; modes; and that it costs nothing until it is used.

What is expected here is what PyTorch 2.13 does with the same lines.
"""

from __future__ import annotations

import copy
import subprocess
import sys
import textwrap
from typing import Any, ClassVar

import pytest

import wengert as torch
import wengert.nn.functional as F
from wengert import nn
from wengert.overrides import (
    TorchFunctionMode,
    get_ignored_functions,
    get_overridable_functions,
    handle_torch_function,
    has_torch_function,
    has_torch_function_unary,
    has_torch_function_variadic,
    is_tensor_like,
    is_tensor_method_or_property,
    redispatch_function,
    resolve_name,
    wrap_torch_function,
)


class Plain(torch.Tensor):
    """A derived class that says nothing."""


class Logging(torch.Tensor):
    """Notes what it is asked for, and does as Tensor does."""

    calls: ClassVar[list[Any]] = []

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        cls.calls.append((func, [t.__name__ for t in types], len(args), kwargs))
        return super().__torch_function__(func, types, args, kwargs)


class Foreign:
    """No Tensor, but it answers."""

    calls: ClassVar[list[Any]] = []

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        cls.calls.append((func.__name__, [t.__name__ for t in types], len(args), sorted(kwargs or {})))
        return "answered"


class Declines(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        asked.append(cls.__name__)
        return NotImplemented


class DeclinesToo(Declines):
    pass


class Answers(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        asked.append(cls.__name__)
        return [t.__name__ for t in types]


class Note(TorchFunctionMode):
    def __init__(self, seen: list[Any], name: str = "") -> None:
        self.seen, self.name = seen, name

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen.append(self.name + func.__name__)
        return func(*args, **(kwargs or {}))


asked: list[str] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    asked.clear()
    Logging.calls.clear()
    Foreign.calls.clear()


def logged(program: Any) -> list[Any]:
    Logging.calls.clear()
    program()
    return list(Logging.calls)


# -- what Tensor does ----------------------------------------------------------------------------------------------


def test_results_are_of_the_class_of_the_argument() -> None:
    s = torch.arange(4.0).reshape(2, 2).as_subclass(Plain)
    for result in (s + 1, 1 - s, s @ torch.ones(2, 2), F.relu(s), s[0], s.T, s.clone(), s.mul_(1), torch.zeros_like(s)):
        assert type(result) is Plain
    assert type(torch.linalg.svd(s).U) is Plain
    found = torch.max(s, 1)
    assert type(found.values) is Plain
    assert type(found).__name__ == "max"
    assert [type(x) for x in s.split(1)] == [Plain, Plain]
    assert [type(x) for x in s] == [Plain, Plain]
    assert type(s.shape) is torch.Size
    assert type(s.sum().item()) is float
    assert type(torch.ones(2) + torch.ones(2)) is torch.Tensor


def test_a_derived_class_differentiates_and_its_gradient_is_itself() -> None:
    x = torch.ones(2, requires_grad=True)
    loss = (x.as_subclass(Plain) * 2).sum()
    assert type(loss) is Plain
    loss.backward()
    assert x.grad is not None
    assert x.grad.tolist() == [2.0, 2.0]
    leaf = torch.ones(2).as_subclass(Plain).requires_grad_()
    (leaf * leaf).sum().backward()
    assert leaf.grad is leaf.grad
    assert type(leaf.grad) is torch.Tensor


def test_second_derivatives_through_a_derived_class() -> None:
    x = torch.tensor([1.0, 2.0]).as_subclass(Logging).requires_grad_()
    (g,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), x)
    assert h.tolist() == [6.0, 12.0]


def test_how_a_derived_class_is_shown_and_made() -> None:
    p = Plain([1.0, 2.0])
    assert repr(p) == "Plain([1., 2.])"
    assert repr(nn.Parameter(p)) == "Parameter(Plain([1., 2.], requires_grad=True))"
    made = torch.Tensor._make_subclass(Plain, torch.ones(2), True)
    assert type(made) is Plain
    assert made.requires_grad
    assert made.is_leaf
    assert type(copy.deepcopy(p)) is Plain
    assert type(copy.copy(p)) is Plain


def test_a_class_that_disables_it_is_treated_as_a_tensor() -> None:
    class Off(torch.Tensor):
        __torch_function__ = torch._C._disabled_torch_function_impl

    assert type(torch.ones(2).as_subclass(Off) + 1) is torch.Tensor
    assert not has_torch_function_unary(torch.ones(2).as_subclass(Off))


# -- what is asked for ---------------------------------------------------------------------------------------------


def test_functions_are_given_as_they_are_called() -> None:
    x, p = torch.ones(2, 2).as_subclass(Logging), torch.ones(2, 2)
    assert logged(lambda: torch.sum(x, dim=1)) == [(torch.sum, ["Logging"], 1, {"dim": 1})]
    assert logged(lambda: torch.max(x, 1)) == [(torch.max, ["Logging"], 2, None)]
    assert logged(lambda: torch.stack((p, x), dim=0)) == [(torch.stack, ["Logging"], 1, {"dim": 0})]
    assert logged(lambda: torch.linalg.det(x)) == [(torch.linalg.det, ["Logging"], 1, None)]
    assert logged(lambda: torch.fft.fft(x)) == [(torch.fft.fft, ["Logging"], 1, None)]
    assert logged(lambda: F.gelu(x)) == [(F.gelu, ["Logging"], 1, None)]
    assert logged(lambda: F.linear(p, p, bias=x[0]))[1][:3] == (F.linear, ["Logging"], 2)
    assert logged(lambda: torch.result_type(x, x)) == [(torch.result_type, ["Logging"], 2, None)]
    assert logged(lambda: nn.Linear(2, 2)(x)) == [(F.linear, ["Logging"], 3, None)]


def test_functions_that_pytorch_has_in_python_name_what_has_a_default() -> None:
    x, p = torch.ones(2, 2).as_subclass(Logging), torch.ones(2, 2)
    assert logged(lambda: F.relu(x)) == [(F.relu, ["Logging"], 1, {"inplace": False})]
    assert logged(lambda: F.softmax(x, 1)) == [(F.softmax, ["Logging"], 1, {"dim": 1, "_stacklevel": 3, "dtype": None})]
    assert logged(lambda: F.mse_loss(x, p)) == [
        (
            F.mse_loss,
            ["Logging", "Tensor"],
            2,
            {"size_average": None, "reduce": None, "reduction": "mean", "weight": None},
        )
    ]
    assert logged(lambda: torch.einsum("ij->i", x)) == [(torch.einsum, ["Logging"], 2, {})]
    assert logged(lambda: torch.split(x, 1)) == [(torch.split, ["Logging"], 2, {"dim": 0})]
    (call,) = logged(lambda: x.detach().sum())[1:]
    assert call[0] is torch.Tensor.sum
    x = torch.ones(2).as_subclass(Logging).requires_grad_()
    loss = x.sum()
    assert logged(loss.backward) == [
        (
            torch.Tensor.backward,
            ["Logging"],
            1,
            {"gradient": None, "retain_graph": None, "create_graph": False, "inputs": None},
        )
    ]


def test_operators_are_asked_for_as_methods() -> None:
    x, p = torch.ones(2).as_subclass(Logging), torch.ones(2)
    T = torch.Tensor
    for program, method in (
        (lambda: x + 1, T.add),
        (lambda: 1 + x, T.add),
        (lambda: p + x, T.add),
        (lambda: x - 1, T.sub),
        (lambda: 1 - x, T.__rsub__),
        (lambda: x * p, T.mul),
        (lambda: x / 2, T.div),
        (lambda: 2 / x, T.__rtruediv__),
        (lambda: x // 2, T.__floordiv__),
        (lambda: x % 2, T.remainder),
        (lambda: x**2, T.__pow__),
        (lambda: x @ x, T.matmul),
        (lambda: x < 2, T.lt),
        (lambda: 2 < x, T.gt),
        (lambda: x == 1, T.__eq__),
        (lambda: x != 1, T.ne),
        (lambda: -x, T.neg),
        (lambda: abs(x), T.abs),
        (lambda: x[0], T.__getitem__),
        (lambda: len(x), T.__len__),
        (lambda: repr(x), T.__repr__),
        (lambda: 1.0 in x, T.__contains__),
    ):
        assert [call[0] for call in logged(program)] == [method], method
    calls = logged(lambda: x.__iadd__(1))
    assert calls[0][0] is T.add_
    calls = logged(lambda: x.__setitem__(0, 3.0))
    assert calls[0][0] is T.__setitem__
    assert calls[0][2] == 3


def test_attributes_are_asked_for_by_their_descriptors() -> None:
    x = torch.ones(2).as_subclass(Logging)
    T: Any = torch.Tensor
    for program, func in (
        (lambda: x.shape, T.shape.__get__),
        (lambda: x.grad, T.grad.__get__),
        (lambda: x.dtype, T.dtype.__get__),
        (lambda: x.requires_grad, T.requires_grad.__get__),
        (lambda: x.T, T.T.__get__),
        (lambda: x.real, T.real.__get__),
        (lambda: x.data, T.data.__get__),
        (lambda: x._version, T._version.__get__),
        (lambda: setattr(x, "requires_grad", True), T.requires_grad.__set__),
        (lambda: setattr(x, "grad", None), T.grad.__set__),
    ):
        assert [call[:2] for call in logged(program)] == [(func, ["Logging"])]
    x.own = 1  # type: ignore[attr-defined]
    assert logged(lambda: x.own) == []  # type: ignore[attr-defined]


def test_what_is_not_asked_for() -> None:
    x = torch.ones(2).as_subclass(Logging)
    assert logged(lambda: torch.is_tensor(x)) == []
    assert logged(lambda: hash(x)) == []
    assert logged(lambda: x.as_subclass(torch.Tensor)) == []
    assert logged(lambda: torch.tensor(x[0].item()))[2:] == []
    with pytest.warns(UserWarning, match="copy construct"):
        assert [c[0] for c in logged(lambda: torch.tensor(x))] == []


# -- who is asked, and in which order --------------------------------------------------------------------------------


def test_the_order_of_asking() -> None:
    base, derived = torch.ones(1).as_subclass(Declines), torch.ones(1).as_subclass(DeclinesToo)
    other = torch.ones(1).as_subclass(Answers)
    assert torch.cat([base, derived, other]) == ["DeclinesToo", "Declines", "Answers"]
    assert asked == ["DeclinesToo", "Declines", "Answers"]
    assert torch.add(other, base) == ["Answers", "Declines"]
    assert torch.where(base, derived, other) == ["DeclinesToo", "Declines", "Answers"]
    assert torch.stack([torch.ones(1), other]) == ["Answers"]
    assert F.mse_loss(base, other) == ["Declines", "Answers"]


def test_what_is_said_where_everybody_declines() -> None:
    n = torch.ones(2).as_subclass(Declines)
    name = repr(Declines)
    for program, title in (
        (lambda: torch.add(n, 1), "torch.add"),
        (lambda: F.linear(n, n), "torch.nn.linear"),
        (lambda: torch.linalg.det(n), "torch.linalg.linalg_det"),
        (lambda: n.shape, "torch.Tensor.shape.__get__"),
        (lambda: n[0], "torch.Tensor.__getitem__"),
        (lambda: setattr(n, "requires_grad", True), "torch.Tensor.requires_grad.__set__"),
    ):
        with pytest.raises(TypeError) as caught:
            program()
        assert str(caught.value) == (
            f"Multiple dispatch failed for '{title}'; all __torch_function__ handlers returned NotImplemented:\n\n"
            f"  - tensor subclass {name}\n\nFor more information, try re-running with TORCH_LOGS=not_implemented"
        )
    for program, title in (
        (lambda: F.relu(n), "torch.nn.functional.relu"),
        (lambda: len(n), "torch._tensor.__len__"),
        (lambda: n.backward(), "torch._tensor.backward"),
        (lambda: torch.einsum("i->", n), "torch.functional.einsum"),
    ):
        with pytest.raises(TypeError) as caught:
            program()
        expected = f"no implementation found for '{title}' on types that implement __torch_function__: [{name}]"
        assert str(caught.value) == expected
    with pytest.raises(TypeError, match=r"unsupported operand type\(s\) for \+: 'Declines' and 'int'"):
        n + 1
    with pytest.raises(TypeError, match=r"unsupported operand type\(s\) for -: 'int' and 'Declines'"):
        1 - n


def test_an_object_that_is_no_tensor_is_asked_too() -> None:
    fo = Foreign()
    one = torch.ones(2)
    for program in (
        lambda: torch.add(fo, 1),
        lambda: one + fo,
        lambda: F.relu(fo),
        lambda: torch.cat([fo, one], dim=0),
        lambda: torch.linalg.norm(fo),
        lambda: one[fo],
        lambda: one.add_(fo),
        lambda: torch.add(one, one, out=fo),
        lambda: nn.Linear(2, 2)(fo),
        lambda: nn.LayerNorm(2)(fo),
        lambda: nn.CrossEntropyLoss()(fo, fo),
        lambda: one == fo,
    ):
        assert program() == "answered"
    assert Foreign.calls[:4] == [
        ("add", ["Foreign"], 2, []),
        ("add", ["Foreign"], 2, []),
        ("relu", ["Foreign"], 1, ["inplace"]),
        ("cat", ["Foreign"], 1, ["dim"]),
    ]


@pytest.mark.parametrize(
    ("program", "call"),
    [
        ("torch.sin(fo)", "sin"),
        ("torch.ones(2) + fo", "add"),
        ("torch.mean(fo)", "mean"),
        ("torch.ones(2).add_(fo)", "add_"),
        ("F.mse_loss(fo, fo)", "mse_loss"),
    ],
)
def test_the_first_such_object_in_a_process(program: str, call: str) -> None:
    script = f"""
        import wengert as torch
        F = torch.nn.functional

        class Foreign:
            @classmethod
            def __torch_function__(cls, func, types, args=(), kwargs=None):
                return func.__name__, len(kwargs or ())

        fo = Foreign()
        print({program})
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True)
    assert done.stdout.startswith(f"('{call}', "), done.stderr


def test_a_function_that_cannot_ask_the_first_one_says_so() -> None:
    script = """
        import wengert as torch
        F = torch.nn.functional

        class Foreign:
            @classmethod
            def __torch_function__(cls, func, types, args=(), kwargs=None):
                return func.__name__

        try:
            F.relu(Foreign())
        except TypeError as error:
            print(error)
        print(F.relu(Foreign()))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True)
    assert "is no Tensor, the first in this process" in done.stdout, done.stderr
    assert "call it again, or import torch.overrides before" in done.stdout
    assert done.stdout.endswith("\nrelu\n")


def test_nothing_asks_until_there_is_somebody_to_ask() -> None:
    script = """
        import wengert as torch
        from wengert import nn
        from wengert.core import overriding

        model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
        model(torch.ones(1, 2)).sum().backward()
        assert not overriding._awake and not overriding.asks(torch.sin)
        sin, before = torch.sin, torch.sin(torch.ones(1))

        class Mine(torch.Tensor):
            pass

        assert overriding._awake and overriding.asks(torch.sin) and torch.sin is sin
        assert torch.equal(torch.sin(torch.ones(1)), before)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_plain_method_is_deprecated() -> None:
    class Method(torch.Tensor):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return "method"

    m = torch.ones(1).as_subclass(Method)
    with pytest.warns(UserWarning, match="Defining your `__torch_function__` as a plain method is deprecated"):
        assert torch.add(m, 1) == "method"
    with pytest.warns(DeprecationWarning, match="please define it as a classmethod"):
        assert F.relu(m) == "method"


# -- modes -------------------------------------------------------------------------------------------------------------


def test_modes_see_every_call_the_innermost_first() -> None:
    seen: list[str] = []
    with Note(seen, "1 "), Note(seen, "2 "):
        torch.zeros(2) + 1
        torch.tensor([1.0])
        F.softmax(torch.ones(2), 0)
    assert seen == [
        *("2 zeros", "1 zeros", "2 add", "1 add", "2 tensor", "1 tensor"),
        *("2 ones", "1 ones", "2 softmax", "1 softmax"),
    ]
    seen.clear()
    torch.zeros(2)
    assert seen == []


def test_a_mode_is_asked_before_arguments_and_may_decline() -> None:
    class No(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return NotImplemented

        def __repr__(self) -> str:
            return "<No>"

    n, answers = torch.ones(1).as_subclass(Declines), torch.ones(1).as_subclass(Answers)
    with No():
        assert torch.add(1, answers) == ["Answers"]
        with pytest.raises(TypeError, match=r"  - mode object <No>\n  - tensor subclass"):
            torch.add(n, 1)
        with pytest.raises(TypeError, match=r"__torch_function__: \[\] nor in mode <No>"):
            F.relu(None)
    assert torch.overrides._get_current_function_mode() is None


def test_the_mode_ends_where_its_block_raises() -> None:
    seen: list[str] = []
    with pytest.raises(ValueError, match="stop"), Note(seen):
        raise ValueError("stop")
    torch.zeros(2)
    assert seen == []


def test_what_turns_asking_off() -> None:
    s, seen = torch.ones(1).as_subclass(Plain), []
    with Note(seen), torch._C.DisableTorchFunctionSubclass():
        assert type(s + 1) is torch.Tensor
        assert not torch._C._is_torch_function_enabled()
    assert seen == ["add"]
    with Note(seen), torch._C.DisableTorchFunction():
        assert type(s + 1) is torch.Tensor
        assert not has_torch_function((s,))
    assert seen == ["add"]
    assert has_torch_function((s,))


# -- functions of one's own --------------------------------------------------------------------------------------------


def scaled(a: Any, b: Any = 1) -> Any:
    if has_torch_function((a, b)):
        return handle_torch_function(scaled, (a, b), a, b=b)
    return a * b + 1


def test_a_function_of_ones_own_asks() -> None:
    assert scaled(3) == 4
    assert scaled(Foreign(), 2) == "answered"
    assert Foreign.calls == [("scaled", ["Foreign"], 1, ["b"])]
    with pytest.raises(
        TypeError, match=r"no implementation found for '.*test_overrides\.scaled' on types that implement"
    ):
        scaled(torch.ones(1).as_subclass(Declines))

    @wrap_torch_function(lambda a: (a,))
    def twice(a: Any) -> Any:
        return a + a

    assert twice(2) == 4
    assert twice(Foreign()) == "answered"


def test_redispatching_skips_one_level() -> None:
    names: list[str] = []

    class Deep(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            names.append(func.__name__)
            return redispatch_function(func, types, args, kwargs)

    x = torch.ones(2).as_subclass(Deep)
    assert type(scaled(x, x)) is torch.Tensor
    assert names == ["scaled", "mul"]


# -- questions -----------------------------------------------------------------------------------------------------------


def test_questions() -> None:
    s, p = torch.ones(1).as_subclass(Plain), torch.ones(1)
    assert [is_tensor_like(x) for x in (p, s, Foreign(), Foreign, 1, None)] == [True, True, True, True, False, False]
    assert not has_torch_function((p, nn.Parameter(p), 1))
    assert has_torch_function((p, s))
    assert has_torch_function_unary(Foreign())
    assert has_torch_function_variadic(1, s)
    assert not has_torch_function_variadic(1, p)


def test_the_lists_of_functions() -> None:
    functions = get_overridable_functions()
    assert torch.add in functions[torch]
    assert torch.Tensor.add in functions[torch.Tensor]
    assert torch.Tensor.__getitem__ in functions[torch.Tensor]
    assert F.relu in functions[F]
    assert torch.linalg.svd in functions[torch.linalg]
    T: Any = torch.Tensor
    assert functions[T.shape] == [T.shape.__get__]
    ignored = get_ignored_functions()
    assert {torch.tensor, torch.zeros, torch.is_tensor, torch.manual_seed} <= ignored
    assert not ignored & set(functions[torch])
    assert len(functions[torch]) > 450
    assert len(functions[torch.Tensor]) > 450
    assert resolve_name(torch.linalg.det) == "torch.linalg.det"
    assert resolve_name(F.relu) == "torch.nn.functional.relu"
    assert resolve_name(T.grad.__get__) == "torch.Tensor.grad.__get__"
    assert resolve_name(T.backward) == "torch.Tensor.backward"
    assert resolve_name(test_questions) is None
    assert is_tensor_method_or_property(T.add)
    assert is_tensor_method_or_property(T.shape.__get__)
    assert not is_tensor_method_or_property(torch.linalg.det)


def test_every_listed_function_really_asks() -> None:
    """Whatever a function wants: given one object to ask, it asks it before it looks at its arguments."""
    import inspect

    fo = Foreign()
    unasked = []
    for functions in get_overridable_functions().values():
        for f in functions:
            try:
                wanted = inspect.signature(f).parameters.values()
                count = sum(p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD for p in wanted)
                if f(*[fo] * max(count, 1)) != "answered":
                    unasked.append(f)
            except (TypeError, ValueError, AttributeError) as error:
                unasked.append((f, error))
    assert unasked == []
