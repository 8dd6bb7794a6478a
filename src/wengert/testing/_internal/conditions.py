"""Which machine this is, as PyTorch's tests ask it (`TEST_...`, `IS_...`), and decorators that skip tests for it.

A condition that cannot hold here (a GPU, a tracer of programs, a sanitizer) is False, and its decorators leave tests as they are;
what needs such a thing is skipped, with the reason.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import platform
import sys
import unittest
from collections.abc import Callable
from typing import Any

IS_WINDOWS = sys.platform == "win32"
IS_MACOS = sys.platform == "darwin"
IS_LINUX = sys.platform == "linux"
IS_X86 = platform.machine() in ("x86_64", "AMD64", "i386")
IS_ARM64 = platform.machine() in ("arm64", "aarch64")
IS_S390X = platform.machine() == "s390x"
IS_PPC = platform.processor() == "ppc64le"
IS_CI = bool(os.environ.get("CI"))
IS_JETSON = IS_FBCODE = IS_SANDCASTLE = IS_REMOTE_GPU = False

TEST_NUMPY = TEST_LAPACK = True
TEST_SCIPY = importlib.util.find_spec("scipy") is not None
TEST_NUMBA = importlib.util.find_spec("numba") is not None
TEST_DILL = importlib.util.find_spec("dill") is not None
TEST_OPT_EINSUM = importlib.util.find_spec("opt_einsum") is not None
TEST_SKIP_FAST = os.environ.get("PYTORCH_TEST_SKIP_FAST") == "1"
TEST_WITH_SLOW = os.environ.get("PYTORCH_TEST_WITH_SLOW") == "1"
TEST_WITH_SLOW_GRADCHECK = os.environ.get("PYTORCH_TEST_WITH_SLOW_GRADCHECK") == "1"
GRADCHECK_NONDET_TOL = 0.0

TEST_CUDA = TEST_MULTIGPU = TEST_CUDNN = TEST_CUDA_GRAPH = TEST_MPS = TEST_XPU = TEST_HPU = TEST_PRIVATEUSE1 = False
TEST_ACCELERATOR = TEST_MULTIACCELERATOR = TEST_MKL = TEST_ONEDNN = TEST_MAGMA = TEST_CUSPARSE_GENERIC = False
TEST_WITH_ROCM = TEST_WITH_ASAN = TEST_WITH_TSAN = TEST_WITH_UBSAN = TEST_WITH_DEV_DBG_ASAN = TEST_WITH_MTIA = False
TEST_WITH_TORCHDYNAMO = TEST_WITH_TORCHINDUCTOR = TEST_WITH_AOT_EAGER = TEST_WITH_CROSSREF = TEST_WITH_TV = False
TEST_WITHOUT_COMPILED_AUTOGRAD = True
SM53OrLater = SM60OrLater = SM70OrLater = SM75OrLater = SM80OrLater = SM90OrLater = False


def _either_way(decorator: Callable[[Any], Any]) -> Any:
    """A decorator that may be written with a call (for its message) and without."""

    def applied(fn: Any = None, **options: Any) -> Any:
        return decorator(fn) if callable(fn) else decorator

    return applied


def _as_it_is(fn: Any) -> Any:
    return fn


def _skip(reason: str) -> Callable[[Any], Any]:
    return unittest.skip(reason)


# Conditions of machines and modes that there are none of here: nothing is skipped.
skipIfMPS = skipIfXpu = skipIfRocm = skipIfHpu = skipIfTorchDynamo = skipIfTorchInductor = skipIfCrossRef = \
    xfailIfTorchDynamo = markDynamoStrictTest = unMarkDynamoStrictTest = skipIfLegacyJitExecutor = skipIfNNModuleInlined = \
    skipIfCompiledWithoutNumpy = skipIfNoLapack = skipIfFreeThreaded = xpassIfTorchDynamo_np = skipIfCachingAllocatorDisabled = \
    serialTest = runWithoutCompiledAutograd = _either_way(_as_it_is)  # fmt: skip
skipIfWindows = _either_way(unittest.skipIf(IS_WINDOWS, "test doesn't currently work on the Windows stack"))
skipIfNoSciPy = _either_way(unittest.skipUnless(TEST_SCIPY, "test require SciPy, but SciPy not found"))
skipIfSlowGradcheckEnv = _either_way(unittest.skipIf(TEST_WITH_SLOW_GRADCHECK, "run by the fast gradcheck alone"))
skipIfNoXNNPACK = _skip("XNNPACK must be enabled for these tests: there is none here")
skipIfNoXPU = _skip("there is no XPU here")
runOnRocm = _skip("there is no ROCm here")
slowTest = unittest.skipUnless(TEST_WITH_SLOW, "test is slow; run with PYTORCH_TEST_WITH_SLOW to enable test")


def slowTestIf(condition: bool) -> Callable[[Any], Any]:
    """`slowTest` if it holds."""
    return slowTest if condition else _as_it_is


def skipCUDANonDefaultStreamIf(condition: Any) -> Callable[[Any], Any]:
    """There are no streams here."""
    return _as_it_is


skipCUDAMemoryLeakCheckIf = skipCUDANonDefaultStreamIf


def skipIfRocmVersionLessThan(version: Any = None) -> Callable[[Any], Any]:
    """There is no ROCm here."""
    return _as_it_is


def xfailIf(condition: Any) -> Callable[[Any], Any]:
    """The test fails if the condition holds."""
    return lambda fn: unittest.expectedFailure(fn) if condition else fn


def decorateIf(decorator: Callable[[Any], Any], predicate_fn: Callable[[dict[str, Any]], bool]) -> Any:
    """The decorator, for those of the tests made by `parametrize` whose arguments satisfy the predicate."""

    def decorate(fn: Any) -> Any:
        @functools.wraps(fn)
        def run(self: Any, *args: Any, **kwargs: Any) -> Any:
            return (decorator(fn) if predicate_fn(kwargs) else fn)(self, *args, **kwargs)

        return run

    return decorate


def skip_if_pytest(fn: Any) -> Any:
    """Skipped when pytest runs it."""
    return unittest.skipIf("PYTEST_CURRENT_TEST" in os.environ, "does not work under pytest")(fn)


def _not_here(what: str) -> Any:
    """A decorator for tests of another device: they are skipped."""
    return _either_way(_skip(f"Only runs on {what}"))


onlyCPU = onlyNativeDeviceTypes = _either_way(_as_it_is)
onlyCUDA, onlyMPS, onlyXPU, onlyHPU, onlyXLA = (_not_here(d) for d in ("cuda", "mps", "xpu", "hpu", "xla"))
onlyPRIVATEUSE1, onlyCUDAAndPRIVATEUSE1, onlyAccelerator = (
    _not_here(d) for d in ("privateuse1", "cuda and privateuse1", "an accelerator")
)


def onlyOn(device_type: Any) -> Any:
    """The test is for these devices only."""
    names = [device_type] if isinstance(device_type, str) else list(device_type)
    return _as_it_is if "cpu" in names else _not_here(", ".join(names))


def onlyNativeDeviceTypesAnd(devices: Any = None) -> Any:
    """The CPU is one of them."""
    return _as_it_is


skipMeta = skipMPS = skipXLA = skipXPU = skipHPU = skipLazy = skipPRIVATEUSE1 = _either_way(_as_it_is)
skipCPUIfNoLapack = skipCPUIfNoFFT = skipCPUIfNoMkl = _either_way(_as_it_is)  # NumPy has both
skipCUDAIfNoMagma = skipCUDAIfNoCusolver = skipCUDAIfNoMagmaAndNoCusolver = skipCUDAIfNoMagmaAndNoLinalgsolver = \
    skipCUDAIfRocm = skipCUDAIfNotRocm = skipCUDAIfMiopen = skipCUDAIfNoCudnn = skipCUDAIfNoCusparseGeneric = \
    disablecuDNN = disableMkldnn = _either_way(_as_it_is)  # fmt: skip
skipCPUIfNoMkldnn = _either_way(_skip("test requires MKL-DNN, which is not here"))
skipCPUIfNoMklSparse = _either_way(_skip("test requires MKL Sparse, which is not here"))


def skipCPUIf(condition: Any, reason: str) -> Callable[[Any], Any]:
    """Skipped on the CPU if it holds."""
    return unittest.skipIf(condition, reason)


def _elsewhere(condition: Any = None, reason: str = "") -> Callable[[Any], Any]:
    """A condition on tests of another device."""
    return _as_it_is


skipCUDAIf = skipMPSIf = skipXPUIf = skipHPUIf = skipXLAIf = skipMetaIf = skipGPUIf = skipLazyIf = skipPRIVATEUSE1If = \
    skipCUDAVersionIn = skipCUDAIfVersionLessThan = skipCUDAIfCudnnVersionLessThan = _elsewhere  # fmt: skip

expectedFailureCPU = unittest.expectedFailure
expectedFailureCUDA = expectedFailureMPS = expectedFailureMPSPre14 = expectedFailureMPSPre15 = expectedFailureMPSComplex = \
    expectedFailureXPU = expectedFailureHPU = expectedFailureMeta = expectedFailureXLA = _either_way(_as_it_is)  # fmt: skip


def largeTensorTest(size: int | str, device: Any = None, inductor: Any = None) -> Callable[[Any], Any]:
    """Skipped unless the machine has that much memory: bytes, or "4GB"."""
    needed = size if isinstance(size, int) else int(float(size[:-2]) * 1024 ** ("KMGT".index(size[-2]) + 1))
    have = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    return unittest.skipUnless(needed <= have, f"Insufficient memory: {needed} bytes are needed")
