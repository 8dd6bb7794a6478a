"""`torch.backends`: what a script asks and sets about PyTorch's libraries. They are not here, so each says that it is not
available; what is set is kept and read back, and changes no number.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


class _Backend(ModuleType):
    """One library, as a module: `torch.backends.cudnn`. Its settings are a fixed set, so that a misspelt one is noticed."""

    def __init__(self, name: str, **settings: Any) -> None:
        super().__init__(f"{__name__}.{name}", f"The settings of {name}, which is not here.")
        self.__dict__.update(settings)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.__dict__ and not name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no setting {name!r}")
        super().__setattr__(name, value)

    def is_available(self) -> bool:
        """False."""
        return False

    def is_built(self) -> bool:
        """False."""
        return False

    def version(self) -> None:
        """None, as it is not here."""
        return None

    @contextmanager
    def flags(self, **settings: Any) -> Iterator[None]:
        """Settings for the length of a block."""
        before = {name: getattr(self, name) for name in settings}
        try:
            for name, value in settings.items():
                setattr(self, name, value)
            yield
        finally:
            for name, value in before.items():
                setattr(self, name, value)


cudnn = _Backend(
    "cudnn",
    enabled=True,
    benchmark=False,
    benchmark_limit=10,
    deterministic=False,
    allow_tf32=True,
    fp32_precision="none",
)
mkldnn = _Backend("mkldnn", enabled=True, deterministic=False, allow_tf32=True, fp32_precision="none")
mps, mkl, openmp, nnpack, cusparselt, mha, miopen = map(
    _Backend, ("mps", "mkl", "openmp", "nnpack", "cusparselt", "mha", "miopen")
)
opt_einsum = _Backend("opt_einsum", enabled=True, strategy="auto")
quantized = _Backend("quantized", engine="none", supported_engines=["none"])


def _switches(names: tuple[str, ...]) -> dict[str, Any]:
    """`enable_x(True)` and `x_enabled()`: which ways attention may be computed. All give the same numbers."""
    state = dict.fromkeys(names, True)

    def setter(name: str) -> Any:
        return lambda enabled: state.__setitem__(name, bool(enabled))

    def getter(name: str) -> Any:
        return lambda: state[name]

    return {f"enable_{n}": setter(n) for n in names} | {f"{n}_enabled": getter(n) for n in names}


@contextmanager
def _sdp_kernel(
    enable_flash: bool = True, enable_math: bool = True, enable_mem_efficient: bool = True, enable_cudnn: bool = True
) -> Iterator[None]:
    """A block in which attention may be computed in these ways only: here there is one, and it is always right."""
    yield


cuda = _Backend(
    "cuda",
    matmul=_Backend(
        "cuda.matmul",
        allow_tf32=False,
        fp32_precision="none",
        allow_fp16_reduced_precision_reduction=True,
        allow_bf16_reduced_precision_reduction=True,
        allow_fp16_accumulation=False,
    ),
    sdp_kernel=_sdp_kernel,
    preferred_linalg_library=lambda backend=None: "default",
    preferred_blas_library=lambda backend=None: "default",
    **_switches(("flash_sdp", "math_sdp", "mem_efficient_sdp", "cudnn_sdp")),
)
cpu = _Backend("cpu", get_cpu_capability=lambda: "DEFAULT")


def _install() -> None:
    """Let `import wengert.backends.cudnn as cudnn` find them."""
    import sys

    for found in list(globals().values()):
        if isinstance(found, _Backend):
            sys.modules[found.__name__] = found


_install()
