"""`import torch` as Wengert: one object under both names, however it is imported; and what scripts look for in odd places."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import wengert as torch

SCRIPT = """
import sys
import torch, torch.nn.parallel, torch.utils.data
import torch.nn as nn, torch.nn.functional as F, torch.optim as optim, torch.backends.cudnn as cudnn
from torch.autograd import Variable
from torch.nn.parallel import DistributedDataParallel as DDP
from torch.distributed import init_process_group, destroy_process_group
from torch.utils.data.dataloader import DataLoader
from torch.utils.data.distributed import DistributedSampler
from torch.optim.lr_scheduler import StepLR, LRScheduler
from torch.nn.modules.utils import _pair
from torch.nn.utils.rnn import pad_sequence
from torch.cuda.amp import GradScaler, autocast
from torch.distributions import Categorical
import wengert

assert torch is wengert and nn is wengert.nn and nn.Linear is wengert.nn.modules.linear.Linear
assert nn.__spec__.name == nn.__name__ == "wengert.nn"
assert isinstance(torch.ones(1), torch.FloatTensor) and sys.modules["torch.nn"] is nn
cudnn.benchmark = True
assert _pair(3) == (3, 3) and Variable(torch.ones(1), requires_grad=True).requires_grad
model = nn.Linear(1, 1)
F.mse_loss(model(torch.ones(2, 1)), torch.zeros(2, 1)).backward()
optim.SGD(model.parameters(), lr=0.1).step()
try:
    import torch.nonsense
except ModuleNotFoundError as error:
    print(error)
print(sys.argv[1:], __name__)
"""


def test_a_script_that_imports_torch_runs(tmp_path: Path) -> None:
    """`wengert run`: every import a script makes finds Wengert's module, not a second copy of it."""
    file = tmp_path / "script.py"
    file.write_text(SCRIPT)
    command = [sys.executable, "-W", "error", "-m", "wengert.cli", "run", str(file), "--", "--steps", "3"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stderr == ""
    first, second = done.stdout.splitlines()
    assert first == "No module named 'torch.nonsense': torch is Wengert here, which has no 'wengert.nonsense'"
    assert second == "['--steps', '3'] __main__"


def test_a_missing_script_and_a_late_alias() -> None:
    done = subprocess.run([sys.executable, "-m", "wengert.cli", "run", "no.py"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "wengert: cannot read no.py: no such file\n")
    text = "import sys, types; sys.modules['torch'] = types.ModuleType('torch'); import wengert.alias as a; a.install()"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
    assert "RuntimeError: alias.install(): PyTorch itself has been imported already" in done.stderr


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda x: torch.mean(x, axis=0), [1.5, 2.5, 3.5]),
        (lambda x: x.sum(axis=1, keepdims=True), [[6.0], [9.0]]),
        (lambda x: x.max(axis=1).values, [3.0, 4.0]),
        (lambda x: torch.argmax(x, axis=0), [1, 1, 1]),
        (lambda x: torch.cumsum(x, axis=1), [[1.0, 3.0, 6.0], [2.0, 5.0, 9.0]]),
        (lambda x: torch.softmax(x * 0, axis=0), [[0.5] * 3] * 2),
        (lambda x: torch.cat([x, x], axis=1)[0], [1.0, 2.0, 3.0] * 2),
        (lambda x: torch.stack([x[0], x[1]], axis=1)[0], [1.0, 2.0]),
        (lambda x: x.unsqueeze(axis=0).squeeze(axis=0)[0], [1.0, 2.0, 3.0]),
        (lambda x: torch.median(x, axis=1).values, [2.0, 3.0]),
        (lambda x: torch.chunk(x, 3, axis=1)[2], [[3.0], [4.0]]),
        (lambda x: torch.repeat_interleave(x[0], 2, axis=0), [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]),
        (lambda x: torch.std_mean(x, axis=1)[1], [2.0, 3.0]),
        (lambda x: torch.aminmax(x, axis=1).max, [3.0, 4.0]),
    ],
)
def test_numpys_names_of_arguments(call: object, expected: object) -> None:
    """`axis` for `dim` and `keepdims` for `keepdim`, as PyTorch takes them."""
    x = torch.tensor([[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]], requires_grad=True)
    assert call(x).tolist() == expected  # type: ignore[operator]


def test_a_missing_dimension_is_named() -> None:
    with pytest.raises(TypeError, match=r"cumsum\(\) missing 1 required positional arguments: \"dim\""):
        torch.cumsum(torch.ones(2))
    with pytest.raises(TypeError, match=r"sum\(\) got an unexpected keyword argument 'foo'"):
        torch.ones(2).sum(foo=1)


def test_results_with_names_print_as_pytorchs() -> None:
    found = torch.max(torch.tensor([[1.0, 2.0]]), 1)
    assert repr(found) == "torch.return_types.max(\nvalues=tensor([2.]),\nindices=tensor([1]))"
    assert isinstance(found, torch.return_types.max)
    assert pickle.loads(pickle.dumps(found)).values.tolist() == [2.0]
    assert repr(torch.linalg.eigh(torch.eye(1))).startswith(
        "torch.return_types.linalg_eigh(\neigenvalues=tensor([1.]),\n"
    )


def test_forms_of_pytorchs_first_years() -> None:
    x = torch.ones(2)
    with pytest.warns(UserWarning, match=r"This overload of add_ is deprecated:\n\tadd_\(Number alpha, Tensor other\)"):
        x.add_(-0.5, torch.ones(2))
    assert x.tolist() == [0.5, 0.5]
    with pytest.warns(UserWarning, match="volatile was removed and now has no effect"):
        torch.autograd.Variable(x, volatile=True)


def test_odd_places() -> None:
    assert torch.utils.data.dataloader.DataLoader is torch.utils.data.DataLoader
    assert torch.functional.einsum is torch.einsum
    assert torch.utils._pytree.tree_map(lambda v: v + 1, [1, (2, {"a": 3})]) == [2, (3, {"a": 4})]
    assert torch.nn.modules.utils._reverse_repeat_tuple((1, 2), 2) == (2, 2, 1, 1)
    assert torch.cond(torch.tensor(True), lambda a: a, lambda a: -a, (3,)) == 3
    assert torch.overrides.is_tensor_like(torch.ones(1))
    assert not torch.overrides.has_torch_function((torch.ones(1),))
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        pass
    with pytest.raises(AssertionError, match="Backend must be an instance of SDPBackend"):
        torch.nn.attention.sdpa_kernel("math").__enter__()
    with pytest.raises(NotImplementedError, match="torch.fx.symbolic_trace: programs are not captured"):
        torch.fx.symbolic_trace(None)


def test_the_first_years_order_of_compound_operations() -> None:
    x, a, b = torch.ones(2), torch.full((2,), 3.0), torch.full((2,), 2.0)
    with pytest.warns(UserWarning, match=r"This overload of addcmul_ is deprecated:\n\taddcmul_\(Number value, Tensor"):
        assert x.addcmul_(0.5, a, b) is x
    with pytest.warns(UserWarning, match="This overload of addcdiv_ is deprecated"):
        x.addcdiv_(-2, a, b)
    assert x.tolist() == [1.0, 1.0]
    assert x.addcmul_(a, b, value=2).tolist() == [13.0, 13.0]
