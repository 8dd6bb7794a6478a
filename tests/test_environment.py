"""What scripts ask of their surroundings is answered as PyTorch answers on a machine without a GPU, or refused in words."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wengert as torch

NO_CUDA = "Torch not compiled with CUDA enabled"


# -- devices ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("cuda",), "device(type='cuda')"),
        (("cuda:1",), "device(type='cuda', index=1)"),
        (("cuda", 0), "device(type='cuda', index=0)"),
        (("mps",), "device(type='mps')"),
        ((torch.device("cpu", 0),), "device(type='cpu', index=0)"),
    ],
)
def test_any_device_may_be_named(args: tuple[Any, ...], text: str) -> None:
    device = torch.device(*args)
    assert repr(device) == text
    assert pickle.loads(pickle.dumps(device)) == device


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        (("foo",), RuntimeError, "Expected one of cpu, cuda, ipu, .* device type at start of device string: foo"),
        (("cpu:x",), RuntimeError, "Invalid device string: 'cpu:x'"),
        (("cuda:1", 1), RuntimeError, r"type \(string\) must not include an index because index was passed explicitly"),
        (("cpu", -2), RuntimeError, "Device index must not be negative"),
        ((0,), RuntimeError, "Cannot access accelerator device when none is available"),
        ((1.5,), TypeError, "invalid combination of arguments - got .float."),
    ],
)
def test_what_is_no_device(args: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        torch.device(*args)


@pytest.mark.parametrize(
    "place",
    [
        lambda: torch.zeros(2, device="cuda"),
        lambda: torch.tensor([1.0], device=torch.device("cuda", 0)),
        lambda: torch.zeros(2).to("cuda:0"),
        lambda: torch.zeros(2).cuda(),
        lambda: torch.nn.Linear(2, 2).cuda(),
        lambda: torch.nn.Linear(2, 2).to(torch.device("cuda")),
        lambda: torch.set_default_device("cuda"),
        lambda: torch.device("cuda").__enter__(),
        lambda: torch.cuda.current_device(),
        lambda: torch.cuda.get_device_name(0),
        lambda: torch.cuda.synchronize(),
        lambda: torch.cuda.Event(enable_timing=True),
    ],
)
def test_nothing_is_placed_on_a_gpu(place: Any) -> None:
    with pytest.raises(AssertionError, match=f"{NO_CUDA} .*use device='cpu', or 'cuda' if torch.cuda.is_available"):
        place()


def test_other_devices_are_refused_too() -> None:
    with pytest.raises(RuntimeError, match="PyTorch is not linked with support for mps devices"):
        torch.ones(2).to("mps")
    with pytest.raises(AssertionError, match="Torch not compiled with XPU enabled"):
        torch.ones(2, device="xpu")
    with pytest.raises(NotImplementedError, match="device 'meta'"):
        torch.ones(2, device="meta")


def test_the_usual_question() -> None:
    """The line at the head of most scripts chooses the CPU, and moving there moves nothing."""
    device = torch.device(
        "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    )
    assert str(device) == "cpu"
    x = torch.ones(2)
    assert x.to(device) is x
    assert x.cpu() is x
    assert x.is_cpu
    assert [x.is_cuda, x.is_mps, x.is_xpu] == [False] * 3
    with device:
        assert torch.zeros(1).device == device
    assert torch.get_default_device() == device
    assert torch.accelerator.current_accelerator() is None


def test_cuda_says_no_quietly() -> None:
    cuda = torch.cuda
    assert (cuda.is_available(), cuda.device_count(), cuda.is_initialized(), cuda.is_bf16_supported()) == (
        False,
        0,
        False,
        False,
    )
    for harmless in (lambda: cuda.manual_seed_all(3), cuda.empty_cache, cuda.seed, cuda.reset_peak_memory_stats):
        assert harmless() is None
    assert cuda.memory_allocated() == cuda.max_memory_reserved() == 0
    assert cuda.get_rng_state_all() == []
    with cuda.device(-1), cuda.stream(None):
        pass
    with pytest.raises(TypeError, match=f"type torch.cuda.FloatTensor not available. {NO_CUDA}"):
        cuda.FloatTensor(2)
    with pytest.raises(RuntimeError, match="NVTX functions not installed"):
        cuda.nvtx.range_push("step")
    assert not any(m.is_available() or m.device_count() for m in (torch.xpu, torch.mps, torch.mtia, torch.accelerator))
    assert torch.cpu.is_available()


def test_backends_keep_what_is_set() -> None:
    cudnn = torch.backends.cudnn
    assert not cudnn.is_available()
    assert not cudnn.benchmark
    with cudnn.flags(benchmark=True, deterministic=True):
        assert cudnn.benchmark
    assert not cudnn.benchmark
    torch.backends.cuda.matmul.allow_tf32 = True
    assert torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    with pytest.raises(AttributeError, match="has no setting 'benchmrak'"):
        cudnn.benchmrak = True
    import wengert.backends.cudnn as again

    assert again is cudnn


# -- dtypes ----------------------------------------------------------------------------------------------------


def test_limits() -> None:
    assert repr(torch.finfo()) == (
        "finfo(resolution=1e-06, min=-3.40282e+38, max=3.40282e+38, eps=1.19209e-07, smallest_normal=1.17549e-38, "
        "tiny=1.17549e-38, dtype=float32)"
    )
    assert torch.finfo(torch.float64).eps == 2.220446049250313e-16
    assert torch.finfo(torch.complex64) == torch.finfo(torch.float32)
    assert torch.finfo(torch.bfloat16).max == 3.3895313892515355e38
    assert repr(torch.iinfo(torch.int8)) == "iinfo(min=-128, max=127, dtype=int8)"
    assert torch.iinfo(torch.uint8).bits == 8
    with pytest.raises(TypeError, match="requires a floating point input type. Use torch.iinfo"):
        torch.finfo(torch.int32)
    with pytest.raises(TypeError, match="requires an integer input type. Use torch.finfo"):
        torch.iinfo(torch.float32)
    with pytest.raises(TypeError, match="must be torch.dtype, not str"):
        torch.finfo("float32")


def test_defaults_are_set_and_read_back() -> None:
    try:
        torch.set_default_dtype(torch.float64)
        assert torch.tensor([1.0]).dtype is torch.get_default_dtype() is torch.float64
        torch.set_default_tensor_type("torch.HalfTensor")
        assert torch.zeros(1).dtype is torch.float16
        torch.set_default_tensor_type(torch.FloatTensor)
        assert torch.zeros(1).dtype is torch.float32
    finally:
        torch.set_default_dtype(torch.float32)
    with pytest.raises(TypeError, match="only floating-point types are supported as the default type"):
        torch.set_default_dtype(torch.int64)
    with pytest.raises(TypeError, match=NO_CUDA):
        torch.set_default_tensor_type("torch.cuda.FloatTensor")


def test_typed_constructors() -> None:
    assert torch.FloatTensor(2, 3).shape == (2, 3)
    assert torch.LongTensor([1.5, 2]).tolist() == [1, 2]
    assert torch.BoolTensor([1, 0]).tolist() == [True, False]
    assert torch.ByteTensor(np.array([3.0])).dtype is torch.uint8
    assert torch.FloatTensor.dtype is torch.float32
    x = torch.zeros(2)
    assert isinstance(x, torch.FloatTensor)
    assert not isinstance(x, (torch.LongTensor, torch.cuda.FloatTensor))
    assert x.type(torch.LongTensor).dtype is x.type("torch.LongTensor").dtype is torch.int64
    assert x.new(3, 4).shape == (3, 4)
    assert x.double().new([1, 2]).dtype is torch.float64
    with pytest.raises(TypeError, match="expected a tensor of dtype torch.float32, but got torch.float64"):
        torch.FloatTensor(x.double())
    with pytest.raises(TypeError, match="data must be a sequence .got float"):
        torch.FloatTensor(2.5)


def test_numbers_in_a_list_may_be_tensors() -> None:
    """Their dtypes decide, as PyTorch's do."""
    assert torch.tensor([torch.tensor(1.0), torch.tensor(2)]).dtype is torch.float32
    assert torch.tensor([torch.tensor(1, dtype=torch.int8)]).dtype is torch.int8
    assert torch.tensor([torch.tensor([1.0]), torch.tensor([2.0])]).tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="only one element tensors can be converted to Python scalars"):
        torch.tensor([torch.ones(2)])


# -- settings --------------------------------------------------------------------------------------------------


def test_settings_are_read_back() -> None:
    torch.use_deterministic_algorithms(True, warn_only=True)
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.get_deterministic_debug_mode() == 1
    torch.set_deterministic_debug_mode("default")
    assert not torch.are_deterministic_algorithms_enabled()
    with pytest.raises(TypeError, match="argument 'mode' .position 1. must be bool, not str"):
        torch.use_deterministic_algorithms("yes")
    with pytest.raises(RuntimeError, match="invalid value of debug_mode"):
        torch.set_deterministic_debug_mode(3)
    torch.set_float32_matmul_precision("high")
    assert torch.get_float32_matmul_precision() == "high"
    torch.set_float32_matmul_precision("highest")
    assert torch.set_flush_denormal(True) is False


def test_fork_rng_puts_the_generator_back() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with torch.random.fork_rng():
        torch.rand(100)
    assert torch.equal(torch.rand(3), expected)
    assert torch.initial_seed() == 5
    with pytest.raises(AssertionError, match=NO_CUDA), torch.random.fork_rng(devices=[0]):
        pass


def test_the_version_compares_as_a_version() -> None:
    v = torch.__version__
    assert v >= "2.0"
    assert v > (2, 9)
    assert not v < "1.10"
    assert v != "2.13.0"
    assert tuple(int(x) for x in v.split(".")[:2]) == (2, 13)
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert torch.version.wengert == project["version"]
    assert torch.version.cuda is None


def test_compile_returns_its_argument_and_says_so_once() -> None:
    text = (
        "import wengert as torch\n"
        "@torch.compile\ndef f(x): return x + 1\n"
        "@torch.compile(mode='max-autotune', fullgraph=True)\ndef g(x): return x + 1\n"
        "m = torch.nn.Linear(1, 1)\n"
        "assert torch.compile(m) is m and f(1) == g(1) == 2\n"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stderr.count("note: torch.compile returns its argument") == 1


# -- lower precision -------------------------------------------------------------------------------------------


def test_autocast_takes_only_what_there_is() -> None:
    with pytest.warns(UserWarning, match="CUDA is not available or torch_xla is imported. Disabling autocast."):
        torch.amp.autocast("cuda")
    with pytest.warns(UserWarning, match="CPU Autocast only supports dtypes of torch.bfloat16, torch.float16"):
        torch.autocast("cpu", dtype=torch.float64)
    with pytest.raises(ValueError, match="Expected `device_type` of type `str`, got: `<class 'int'>`"):
        torch.autocast(3)
    assert torch.autocast("cpu", enabled=False)(lambda: 3)() == 3


def _scaled_run(lib: Any) -> tuple[list[float], list[float]]:
    """Ten steps with a scaler; the fourth meets an infinite gradient. The scales, and the last weights."""
    lib.manual_seed(0)
    model = lib.nn.Linear(3, 1)
    optimizer = lib.optim.SGD(model.parameters(), lr=0.1)
    scaler = lib.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=3)
    scales = []
    for i in range(10):
        optimizer.zero_grad()
        loss = (model(lib.ones(4, 3)) ** 2).mean() * (float("inf") if i == 3 else 1.0)
        scaler.scale(loss).backward()
        if i % 2:
            scaler.unscale_(optimizer)
            lib.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
    return scales, [*model.weight.detach().flatten().tolist(), model.bias.item()]


def test_the_scaler_scales_for_real() -> None:
    """The scale doubles after three good steps and is halved after a bad one, whose step is left out."""
    scales, weights = _scaled_run(torch)
    assert scales == [1024.0, 1024.0, 2048.0, 1024.0, 1024.0, 1024.0, 2048.0, 2048.0, 2048.0, 4096.0]
    assert np.isfinite(weights).all()


@pytest.mark.conformance
def test_the_scaler_is_pytorchs() -> None:
    ours, theirs = _scaled_run(torch), _scaled_run(pytest.importorskip("torch"))
    assert ours[0] == theirs[0]
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-5)


def test_the_scaler_refuses_a_wrong_order() -> None:
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu")
    with pytest.raises(AssertionError, match="Attempted update but _scale is None"):
        scaler.update()
    scaler.scale(model(torch.ones(1, 1)).sum()).backward()
    scaler.unscale_(optimizer)
    with pytest.raises(
        RuntimeError, match=r"unscale_\(\) has already been called on this optimizer since the last update"
    ):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match=r"step\(\) has already been called since the last update"):
        scaler.step(optimizer)
    other = torch.amp.GradScaler("cpu", init_scale=2.0)
    other.load_state_dict(scaler.state_dict())
    assert other.get_scale() == 65536.0
    with pytest.raises(RuntimeError, match="The source state dict is empty"):
        other.load_state_dict({})
    with pytest.warns(UserWarning, match="GradScaler is enabled, but CUDA is not available.  Disabling."):
        off = torch.amp.GradScaler()
    loss = model(torch.ones(1, 1)).sum()
    assert off.scale(loss) is loss
    assert off.state_dict() == {}
    with pytest.warns(FutureWarning, match="`torch.cuda.amp.GradScaler.args....` is deprecated"):
        assert not torch.cuda.amp.GradScaler(enabled=False).is_enabled()


# -- what cannot be had ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: torch.distributed.init_process_group("gloo"),
            "torch.distributed.init_process_group: there is one process",
        ),
        (
            lambda: torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(1, 1)),
            "there is one process and one device",
        ),
        (
            lambda: torch.jit.save(torch.nn.ReLU(), "m.pt"),
            "torch.jit.save: there is no TorchScript. Save and load the state",
        ),
        (lambda: torch.jit.load("model.pt"), "torch.jit.load: there is no TorchScript"),
        (lambda: torch.hub.load("a/b", "c"), "torch.hub.load: nothing is fetched from the network here"),
        (lambda: torch.library.custom_op("a::b"), "write a torch.autograd.Function"),
        (lambda: torch.onnx.export(None, None, "m.onnx"), "load it in PyTorch and export there"),
        (lambda: torch.export.export(None, ()), "programs are not captured"),
        (lambda: torch.quantization.quantize_dynamic(None), "there are no quantised numbers"),
        (lambda: torch.sparse.mm(None, None), "only dense tensors exist here"),
    ],
)
def test_refusals_name_the_operation_and_say_what_to_do(call: Any, message: str) -> None:
    with pytest.raises(NotImplementedError, match=message):
        call()


def test_questions_about_what_cannot_be_had() -> None:
    assert not torch.distributed.is_available()
    assert not torch.distributed.is_initialized()
    assert not isinstance(torch.ones(1), torch.nn.parallel.DistributedDataParallel)
    assert not torch.jit.is_scripting()
    assert not torch.compiler.is_compiling()
    assert torch.compiler.disable(abs) is abs
    assert torch.jit.ignore(drop=True)(abs) is torch.jit.unused(abs) is abs
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        torch.nonsense


def test_torchscript_is_python(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions, modules and classes come back as they are, and one note says so; a traced function has run once."""
    monkeypatch.setattr(torch.jit, "_told", False)
    seen: list[int] = []

    @torch.jit.script
    def double(x: torch.Tensor) -> torch.Tensor:
        return x * 2

    model = torch.nn.Linear(2, 1)
    assert torch.jit.script(model) is model
    assert torch.jit.trace(seen.append, 1) is not None
    assert torch.jit.trace(lambda a, b: seen.append(a + b), (1, 2)) is not None
    torch.jit.trace_module(model, {"forward": torch.ones(2)})
    assert seen == [1, 3]
    assert double(torch.ones(1)).item() == 2
    assert capsys.readouterr().err == "note: torch.jit returns its argument: wengert runs every program as Python\n"

    class Old(torch.jit.ScriptModule):
        @torch.jit.script_method
        def forward(self, x: Any) -> Any:
            return x + 1

    assert Old()(1) == 2
    monkeypatch.setattr(torch.jit, "_told", False)
    monkeypatch.setenv("PYTORCH_JIT", "0")
    assert torch.jit.script(abs) is abs
    assert capsys.readouterr().err == ""


def test_data_parallel_passes_calls_on() -> None:
    model = torch.nn.Linear(2, 1)
    parallel = torch.nn.DataParallel(model)
    x = torch.ones(3, 2)
    assert torch.equal(parallel(x), model(x))
    assert list(parallel.state_dict()) == ["module.weight", "module.bias"]
    assert torch.equal(torch.nn.parallel.data_parallel(model, x), model(x))
    with pytest.raises(AssertionError, match=NO_CUDA):
        torch.nn.DataParallel(model, device_ids=[0])


# -- memory ----------------------------------------------------------------------------------------------------


def test_numpy_interchange_shares_memory() -> None:
    """from_numpy, numpy(), asarray and DLPack copy nothing, either way."""
    a = np.arange(6.0).reshape(2, 3)
    x = torch.from_numpy(a)
    for other in (
        x.numpy(),
        np.asarray(x),
        np.from_dlpack(x),
        torch.from_dlpack(a).numpy(),
        torch.as_tensor(a).numpy(),
    ):
        assert np.shares_memory(a, other)
    again = torch.utils.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(x))
    again[0, 0] = 7.0
    assert a[0, 0] == x[0, 0] == 7.0
    assert x.__dlpack_device__() == (1, 0)
    assert np.array(x, dtype=np.float32).dtype == np.float32
    with pytest.raises(BufferError, match="Can't export tensors that require gradient, use tensor.detach"):
        np.from_dlpack(torch.ones(2, requires_grad=True))
    with pytest.raises(RuntimeError, match="from_dlpack received an invalid capsule"):
        torch.from_dlpack(3)
    with pytest.raises(ValueError, match="Unable to avoid copy"):
        np.asarray(x, dtype=np.float32, copy=False)


def test_numpys_functions_take_tensors() -> None:
    """A ufunc of tensors is a tensor, of a mask uint8, as in PyTorch; other functions give arrays."""
    x = torch.tensor([1.0, 4.0])
    assert isinstance(np.sqrt(x), torch.Tensor)
    assert np.sqrt(x).tolist() == [1.0, 2.0]
    assert np.add(x, np.ones(2)).dtype is torch.float64
    assert np.isnan(x).dtype is torch.uint8
    assert isinstance(np.concatenate([x, x]), np.ndarray)
    assert (np.float64(3) - x).dtype is torch.float32
    assert np.allclose(x, x)
    with pytest.raises(RuntimeError, match="Can't call numpy.. on Tensor that requires grad"):
        np.sqrt(x.requires_grad_())


def _square(i: int, base: int, results: Any) -> None:
    if base < 0:
        raise ValueError("a negative base")
    results.put((i, float((torch.ones(2) * (base + i)).sum())))


def test_spawn_runs_processes_and_raises_their_errors() -> None:
    mp = torch.multiprocessing
    results = mp.get_context("spawn").SimpleQueue()
    mp.spawn(_square, args=(3, results), nprocs=2)
    assert sorted([results.get(), results.get()]) == [(0, 6.0), (1, 8.0)]
    with pytest.raises(
        mp.ProcessRaisedException, match=r"(?s)Process 0 terminated with the following error.*a negative base"
    ):
        mp.spawn(_square, args=(-1, results), nprocs=1)


def test_the_bar_of_progress_that_hub_lends(monkeypatch: pytest.MonkeyPatch) -> None:
    """`from torch.hub import tqdm`, as examples write: tqdm's own, or without it one that counts and shows nothing."""
    import importlib
    import sys

    monkeypatch.setitem(sys.modules, "tqdm", None)
    hub = importlib.reload(torch.hub)
    with hub.tqdm([1, 2], desc="x") as bar:
        assert (list(bar), len(bar)) == ([1, 2], 2)
        bar.set_postfix({"loss": "1"})
        bar.update()
        assert bar.n == 1
    monkeypatch.undo()
    importlib.reload(torch.hub)


def test_names_at_their_other_places() -> None:
    assert torch.nn.modules.loss.LinearCrossEntropyLoss is torch.nn.LinearCrossEntropyLoss
    with pytest.raises(NotImplementedError, match=r"torch.func.functionalize: programs are not captured here"):
        torch.func.functionalize(abs)
