"""The namespace of a kind of device that is not there: `torch.cuda`, `torch.xpu`, `torch.mps`, `torch.mtia`.

Asked, it says no; seeds, caches and counters of memory are nothing to do, as in PyTorch without the device; whatever needs
one raises PyTorch's error.
"""

from __future__ import annotations

from typing import Any

from ..core.device import absent

_NEEDS = (
    "clock_rate", "current_blas_handle", "current_device", "current_stream", "default_stream", "get_device_capability",
    "get_device_name", "get_device_properties", "get_rng_state", "init", "initial_seed", "ipc_collect", "mem_get_info",
    "power_draw", "set_rng_state", "set_stream", "synchronize", "temperature", "utilization", "can_device_access_peer",
    "cudart", "get_per_process_memory_fraction", "set_per_process_memory_fraction", "list_gpu_processes", "graph",
    "make_graphed_callables", "graph_pool_handle", "memory_summary", "memory_snapshot", "Stream", "Event", "CUDAGraph",
)  # fmt: skip


def _refusing(kind: str, name: str) -> Any:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise absent(kind)

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__doc__ = f"Needs a device: raises PyTorch's error for a machine without {kind}."
    if not name[0].isupper():
        return refuse
    return type(name, (), {"__new__": refuse, "__doc__": refuse.__doc__, "__module__": f"wengert.{kind}"})


def namespace(kind: str) -> dict[str, Any]:
    """The functions and classes of the module `torch.<kind>`, by name."""

    def is_available() -> bool:
        """False: wengert computes on the CPU."""
        return False

    def device_count() -> int:
        """0."""
        return 0

    def manual_seed(seed: int) -> None:
        """Seed the device's generator: there is none, so nothing happens, as in PyTorch without the device."""
        int(seed)

    def seed() -> None:
        """Seed the device's generator from the operating system: there is none."""

    def empty_cache() -> None:
        """Give back unused memory of the device: there is none."""

    def memory_allocated(device: Any = None) -> int:
        """Bytes in use on the device: 0."""
        return 0

    def memory_stats(device: Any = None) -> dict[str, Any]:
        """Counters of the device's memory: none."""
        return {}

    def get_rng_state_all() -> list[Any]:
        """The states of all devices' generators: none."""
        return []

    def set_rng_state_all(new_states: Any) -> None:
        """Put all devices' generators in these states. AssertionError if there are any."""
        if len(list(new_states)):
            raise absent(kind)

    def set_device(device: Any) -> None:
        """Choose a device; a negative number chooses none, which is allowed."""
        if not (isinstance(device, int) and device < 0):
            raise absent(kind)

    class device:
        """A block on a device. Index -1, or None, is no device, and the block runs."""

        def __init__(self, device: Any) -> None:
            self.idx = device

        def __enter__(self) -> None:
            if self.idx is not None and not (isinstance(self.idx, int) and self.idx < 0):
                raise absent(kind)

        def __exit__(self, *exc: Any) -> None:
            return None

    class device_of(device):
        """A block on the device of a tensor: tensors are on the CPU, so the block just runs."""

        def __init__(self, obj: Any) -> None:
            super().__init__(None)

    class stream(device):
        """A block on a stream; None is no stream, and the block runs."""

    found: dict[str, Any] = {name: _refusing(kind, name) for name in _NEEDS}
    found |= dict.fromkeys(
        ("is_available", "is_initialized", "is_tf32_supported", "is_current_stream_capturing"), is_available
    )
    found |= {
        "is_bf16_supported": lambda including_emulation=True: False,
        "device_count": device_count,
        "default_generators": (),
    }
    found |= {"manual_seed": manual_seed, "manual_seed_all": manual_seed, "seed": seed, "seed_all": seed}
    resets = ("accumulated_memory_stats", "max_memory_allocated", "max_memory_cached", "peak_memory_stats")
    found |= {"empty_cache": empty_cache} | {f"reset_{name}": lambda device=None: None for name in resets}
    counts = ("allocated", "cached", "reserved")
    found |= {f"{most}memory_{what}": memory_allocated for what in counts for most in ("", "max_")}
    found |= {"memory_stats": memory_stats, "get_arch_list": get_rng_state_all, "get_gencode_flags": lambda: ""}
    found |= {"get_rng_state_all": get_rng_state_all, "set_rng_state_all": set_rng_state_all, "set_device": set_device}
    found |= {"device": device, "device_of": device_of, "stream": stream, "StreamContext": stream}
    return found
