"""`torch.testing._internal`: what PyTorch's own test files import. Its `TestCase` must fail what differs, not only pass."""

from __future__ import annotations

import subprocess
import sys
import unittest
import warnings

import numpy as np
import pytest

import wengert as torch
from wengert.testing._internal import common_device_type as devices
from wengert.testing._internal import common_dtype as families
from wengert.testing._internal import common_utils as common
from wengert.testing._internal.common_cuda import TEST_CUDA, with_tf32_off
from wengert.testing._internal.common_methods_invocations import mask_not_all_zeros, op_db


class Case(common.TestCase):
    __test__ = False

    def runTest(self) -> None: ...


case = Case()
T = torch.tensor


def outcome(suite_of: type) -> unittest.TestResult:
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(suite_of).run(result)
    return result


def names(cls: type) -> list[str]:
    return [n for n in dir(cls) if n.startswith("test_")]


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (1.0, 1.000005),  # within the tolerance of float32
        (1, 1.0),
        (True, 1),
        (T(True), True),
        (T([3]), 3),
        (T([1, 2]), [1, 2]),
        ((1.0, 2.0), T([1.0, 2.0])),
        (T([1.0, 2.0]), np.array([1, 2], np.float32)),
        (T([float("nan")]), T([float("nan")])),
        ({"a": [T(1.0), "b", None]}, {"a": [T(1.0), "b", None]}),
        ({1, 2}, {2, 1}),
        (torch.float32, torch.float32),
        (torch.Size([2, 3]), (2, 3)),
        (T([1.0]).storage(), T([1.0]).storage()),
    ],
)
def test_equal_things_are_equal(x, y):
    case.assertEqual(x, y)
    with pytest.raises(AssertionError, match="AssertionError not raised"):
        case.assertNotEqual(x, y)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (1.0, 1.00005, "Scalars are not close!"),
        (T([1.0]), T([1.1]), "Tensor-likes are not close!"),
        (T([1.0]), T([1]), "attribute 'dtype' do not match: torch.float32 != torch.int64"),
        (T([1.0]), np.array([1.0]), "attribute 'dtype' do not match: torch.float32 != torch.float64"),
        (T(1.0), T([1.0]), "attribute 'shape' do not match"),
        (T([1.0]), None, "None mismatch: 1.0 is not None"),
        (True, False, "Booleans mismatch: True is not False"),
        ("a", "b", "String comparison failed: 'a' != 'b'"),
        ({1}, {2}, "Set comparison failed"),
        (int, float, "Type comparison failed"),
        (torch.float32, torch.float64, "Object comparison failed: torch.float32 != torch.float64"),
        ([1, [2, 3]], [1, [2, 4]], r"Expected 4 but got 3[\s\S]*occurred for item \[1\]\[1\]"),
        ({"a": 1}, {"b": 1}, "keys of the mappings do not match"),
        ([1], [1, 2], "length of the sequences mismatch: 1 != 2"),
        (3, "3", "Object comparison failed: 3 != '3'"),
        (T([1.0]).storage(), T([2.0]).storage(), "Scalars are not close!"),
    ],
)
def test_different_things_fail(x, y, message):
    with pytest.raises(AssertionError, match=message):
        case.assertEqual(x, y)
    case.assertNotEqual(x, y)


def test_options_of_assert_equal():
    case.assertEqual(T([1.0]), T([1]), exact_dtype=False)
    case.assertEqual(T([1.0]), T([1.5]), atol=0.6, rtol=0)
    with pytest.raises(AssertionError, match="not close[\\s\\S]*here$"):
        case.assertEqual(T([1.0]), T([2.0]), msg="here")
    with pytest.raises(AssertionError, match="^X: Tensor"):
        case.assertEqual(T([1.0]), T([2.0]), msg=lambda text: "X: " + text)
    with pytest.raises(AssertionError):
        case.assertEqual(float("nan"), float("nan"), equal_nan=False)
    with pytest.raises(AssertionError, match="stride"):
        case.assertEqual(torch.ones(2, 3), torch.ones(3, 2).t(), exact_stride=True)
    with pytest.raises(ValueError, match="got no rtol"):
        case.assertEqual(1, 1, atol=0.1)
    with pytest.raises(ValueError, match="Only single element tensor-likes can be compared against a number. Got 2"):
        case.assertEqual(T([1, 2]), 1)


def test_the_other_assertions():
    one = T(1.0)
    case.assertObjectIn(one, [T(1.0), one])
    with pytest.raises(AssertionError, match="object not found in iterable"):
        case.assertObjectIn(one, [T(1.0)])
    case.assertExpectedInline(3, "3")
    with pytest.raises(AssertionError, match="'b' != 'a'"):
        case.assertExpectedInline("a", "b")
    case.assertExpectedRaisesInline(ZeroDivisionError, lambda: 1 // 0, "integer division or modulo by zero")
    with pytest.raises(RuntimeError, match="No expect file exists"):
        case.assertExpected("text")
    case.assertGreaterAlmostEqual(1.0, 1.0 + 1e-9)
    with pytest.raises(AssertionError, match="1 not greater than or equal to 2 within 7 places"):
        case.assertGreaterAlmostEqual(1, 2)
    case.assertNotWarn(lambda: None)
    with pytest.raises(AssertionError):
        case.assertNotWarn(lambda: warnings.warn("x", stacklevel=1))
    with case.assertWarnsOnceRegex(UserWarning, "^loud"):
        warnings.warn("loud", stacklevel=1)
    with pytest.raises(AssertionError, match="No warning raised"), case.assertWarnsOnceRegex(UserWarning):
        pass
    case.compare_with_numpy(torch.exp, np.exp, [0.0, 1.0])


def test_expected_text_is_kept_in_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr("inspect.getfile", lambda cls: str(tmp_path / "t.py"))
    monkeypatch.setenv("EXPECTTEST_ACCEPT", "1")
    case.assertExpected("kept", "part")
    monkeypatch.delenv("EXPECTTEST_ACCEPT")
    assert (tmp_path / "expect" / "Case.runTest-part.expect").read_text() == "kept"
    case.assertExpected("kept", "part")
    with pytest.raises(AssertionError, match="'kept' != 'other'"):
        case.assertExpected("other", "part")


def test_every_test_starts_from_the_same_random_numbers():
    drawn = []

    class Draws(common.TestCase):
        def test_one(self):
            drawn.append(torch.rand(()).item() + np.random.rand())

        test_two = test_one

    assert outcome(Draws).wasSuccessful()
    assert drawn[0] == drawn[1]


def test_parametrize_makes_the_named_tests():
    seen = []

    @common.instantiate_parametrized_tests
    class Many(common.TestCase):
        @common.parametrize("x", [1, 2])
        @common.parametrize("y", [0.5, None, True, torch.float32, (1, 2)])
        def test_a(self, x, y):
            seen.append((x, y))

        @common.parametrize(
            "x,y",
            [(1, 2), common.subtest((3, 4), name="foo"), common.subtest((5, 6), decorators=[unittest.skip("no")])],
        )
        def test_b(self, x, y):
            self.assertEqual(x + 1, y)

        @common.parametrize("x", [1], name_fn=lambda x: f"n{x}")
        def test_c(self, x):
            self.fail()

    assert names(Many) == sorted(
        [f"test_a_x_{x}_{y}" for x in (1, 2) for y in ("y_0_5", "y1", "y_True", "float32", "y4")]
        + ["test_b_x_1_y_2", "test_b_foo", "test_b_x_5_y_6", "test_c_n1"]
    )
    result = outcome(Many)
    assert (result.testsRun, len(result.failures), len(result.skipped), len(result.errors)) == (14, 1, 1, 0)
    assert sorted(map(str, seen)) == sorted(
        str((x, y)) for x in (1, 2) for y in (0.5, None, True, torch.float32, (1, 2))
    )


def test_parametrize_of_nothing_is_refused():
    class Empty(common.TestCase):
        @common.parametrize("x", [])
        def test_a(self, x): ...

    with pytest.raises(ValueError, match="An empty arg_values was passed to @parametrize"):
        common.instantiate_parametrized_tests(Empty)


def test_tests_of_devices_have_their_names_and_arguments():
    seen = {}

    class Base(common.TestCase):
        def helper(self):
            return 3

        def test_plain(self, device):
            seen["plain"] = device, self.helper()

        @devices.dtypes(torch.float32, torch.int8)
        def test_kinds(self, device, dtype):
            seen[dtype] = device, self.precision, self.rel_tol

        @devices.dtypes((torch.float32, torch.int8))
        def test_pairs(self, device, dtypes):
            seen["pair"] = dtypes

        @devices.dtypesIfCPU(torch.int16)
        @devices.dtypes(torch.float32)
        @common.parametrize("x", [1])
        def test_both(self, device, dtype, x):
            seen["both"] = dtype, x

        @devices.deviceCountAtLeast(1)
        def test_count(self, devices):
            seen["devices"] = devices

        @devices.deviceCountAtLeast(2)
        def test_more(self, devices): ...

        @devices.onlyCUDA
        def test_gpu(self, device):
            self.fail()

        @devices.expectedFailureCPU
        def test_fails(self, device):
            self.fail()

        @devices.toleranceOverride({torch.float32: devices.tol(atol=1, rtol=0)})
        @devices.dtypes(torch.float32, torch.float64)
        def test_loose(self, device, dtype):
            self.assertEqual(T([1.0], dtype=dtype), T([1.5], dtype=dtype))

        @devices.ops(op_db)
        def test_operations(self, device, dtype, op):
            self.fail()

    scope = {"__name__": "made", "Base": Base}
    devices.instantiate_device_type_tests(Base, scope)
    assert "Base" not in scope
    made = scope["BaseCPU"]
    expected = """
        test_plain_cpu test_kinds_cpu_float32 test_kinds_cpu_int8 test_pairs_cpu_float32_int8 test_both_x_1_cpu_int16
        test_count_cpu test_more_cpu test_gpu_cpu test_fails_cpu test_loose_cpu_float32 test_loose_cpu_float64
        test_operations_cpu"""
    assert names(made) == sorted(expected.split())
    result = outcome(made)
    assert [t._testMethodName for t, _ in result.failures] == ["test_loose_cpu_float64"]
    assert not result.errors
    assert len(result.expectedFailures) == 1
    reasons = {t._testMethodName: reason for t, reason in result.skipped}
    assert reasons["test_more_cpu"] == "fewer than 2 devices detected"
    assert reasons["test_gpu_cpu"] == "Only runs on cuda"
    assert "op_db" in reasons["test_operations_cpu"]
    assert seen["plain"] == ("cpu", 3)
    assert seen["both"] == (torch.int16, 1)
    assert seen["pair"] == (torch.float32, torch.int8)
    assert seen["devices"] == ["cpu"]
    assert seen[torch.int8] == ("cpu", 0, 0)


def test_a_class_for_other_devices_leaves_no_tests():
    class Gpu(common.TestCase):
        def test_a(self, device): ...

    scope = {"__name__": "made", "Gpu": Gpu}
    devices.instantiate_device_type_tests(Gpu, scope, only_for="cuda")
    assert scope == {"__name__": "made"}


def test_what_cannot_be_is_refused():
    @common.scoped_load_inline
    def uses(self, load_inline):
        load_inline(name="x")

    with pytest.raises(NotImplementedError, match=r"load_inline: C\+\+ extensions"):
        uses(None)
    with pytest.raises(NotImplementedError, match=r"ops\(\): Wengert runs no OpInfo tests"):
        devices.ops(["an operation"])
    assert not TEST_CUDA
    assert with_tf32_off(uses) is uses


def test_families_of_dtypes():
    assert families.floating_types_and(torch.half) == (torch.float32, torch.float64, torch.float16)
    assert len(families.all_types_and_complex_and(torch.half, torch.bool)) == 11
    assert families.complex_types() == (torch.complex64, torch.complex128)
    assert len(families.get_all_dtypes()) == 12


def test_guards_put_back_what_they_set():
    torch.manual_seed(0)
    with common.freeze_rng_state():
        first = torch.rand(3)
    assert torch.equal(first, torch.rand(3))
    with common.set_default_dtype(torch.float64):
        assert torch.ones(1).dtype is torch.float64
    assert torch.ones(1).dtype is torch.float32
    with common.set_warn_always_context(True):
        assert torch.is_warn_always_enabled()
    assert not torch.is_warn_always_enabled()
    with common.TemporaryFileName() as path:
        torch.save(T([1.0]), path)
        assert torch.load(path).item() == 1.0
    assert sorted(common.run_concurrently(lambda: 3, 4)) == [3] * 4
    with pytest.raises(ZeroDivisionError):
        common.run_concurrently(lambda: 1 // 0, 2)


def test_matrices_have_their_property():
    torch.manual_seed(0)
    a = common.random_symmetric_pd_matrix(4, 2)
    assert a.shape == (2, 4, 4)
    assert bool((torch.linalg.eigvalsh(a) > 0).all())
    assert int(torch.linalg.matrix_rank(common.random_square_matrix_of_rank(5, 3))) == 3
    assert int(torch.linalg.matrix_rank(common.random_matrix(4, 4, singular=True))) == 3
    assert (
        float(torch.linalg.cond(common.random_well_conditioned_matrix(4, 3, dtype=torch.float64, device="cpu"))) < 1.1
    )
    h = common.random_hermitian_pd_matrix(3, dtype=torch.complex128, device="cpu")
    assert torch.allclose(h, h.mH)
    assert not common.noncontiguous_like(torch.rand(3)).is_contiguous()
    assert mask_not_all_zeros((1,)).item() is True


def test_gradcheck_with_the_suites_options():
    x = torch.rand(3, dtype=torch.float64, requires_grad=True)
    assert common.gradcheck(torch.sin, [x])
    assert common.gradgradcheck(torch.sin, [x])


def test_a_test_file_of_pytorch_runs_with_the_command(tmp_path):
    file = tmp_path / "test_it.py"
    file.write_text(
        "import torch\n"
        "from torch.testing._internal.common_utils import TestCase, run_tests\n"
        "class TestIt(TestCase):\n"
        "    def test_good(self):\n        self.assertEqual(torch.ones(2).sum(), 2)\n"
        "    def test_bad(self):\n        self.assertEqual(torch.ones(2).sum(), 3)\n"
        "if __name__ == '__main__':\n    run_tests()\n"
    )
    found = subprocess.run(
        [sys.executable, "-m", "wengert.cli", "run", str(file)], capture_output=True, text=True, check=False
    )
    assert "Ran 2 tests" in found.stderr
    assert "FAILED (failures=1)" in found.stderr
    assert found.returncode == 1


def test_importing_wengert_does_not_import_it():
    code = "import sys, wengert, wengert.testing; assert not [m for m in sys.modules if '_internal' in m and 'wengert' in m]"
    subprocess.run([sys.executable, "-c", code], check=True)
