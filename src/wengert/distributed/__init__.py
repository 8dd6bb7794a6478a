"""`torch.distributed`, as in a PyTorch built without it: not available, one process, and what needs a group refuses."""

from __future__ import annotations

from ..environment.refusal import refusals

_WHY = "there is one process; guard the call with torch.distributed.is_available(), which is False"
globals().update(
    refusals(
        "distributed",
        (
            "init_process_group", "destroy_process_group", "new_group", "get_rank", "get_world_size", "get_backend", "barrier",
            "monitored_barrier", "broadcast", "broadcast_object_list", "all_reduce", "reduce", "all_gather",
            "all_gather_object", "all_gather_into_tensor", "gather", "gather_object", "scatter", "scatter_object_list",
            "reduce_scatter", "reduce_scatter_tensor", "all_to_all", "all_to_all_single", "send", "recv", "isend", "irecv",
            "batch_isend_irecv", "init_device_mesh", "ProcessGroup", "DeviceMesh", "TCPStore", "FileStore", "HashStore",
            "PrefixStore", "Store", "P2POp", "Work",
        ),
        _WHY,
    )
)  # fmt: skip


class ReduceOp:
    """Names of reductions, to be passed on."""

    SUM, AVG, PRODUCT, MIN, MAX, BAND, BOR, BXOR, PREMUL_SUM = range(9)


def is_available() -> bool:
    """False."""
    return False


def is_initialized() -> bool:
    """False."""
    return False


is_nccl_available = is_gloo_available = is_mpi_available = is_ucc_available = is_torchelastic_launched = is_available
