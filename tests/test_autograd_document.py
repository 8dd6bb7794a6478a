"""docs/autograd.md names real tests and counts right; and the promises it makes that have no file of their own."""

import gc
import re
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest

import wengert as torch

HERE = Path(__file__).parent
DOCUMENT = HERE.parent / "docs" / "autograd.md"


def rows() -> list[str]:
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    table = [line for line in lines if line.startswith("| ") and not line.startswith("| behaviour")]
    return [line.split(" | ")[1] for line in table]


def test_every_test_named_exists() -> None:
    missing = []
    for cell in rows():
        for named in re.findall(r"`([^`]+)`", cell):
            file, _, test = named.partition("::")
            path = HERE / f"test_{file}.py"
            if not path.exists() or (test and f"def {test}(" not in path.read_text(encoding="utf-8")):
                missing.append(named)
    assert not missing


def test_the_counts_are_right() -> None:
    cells = rows()
    declined, still_open = cells.count("declined"), cells.count("open")
    tested = len(cells) - declined - still_open
    assert f"{len(cells)} rows: {tested} tested, {declined} declined, {still_open} open." in DOCUMENT.read_text(
        encoding="utf-8"
    )


def test_parameter_and_zero_grad() -> None:
    with torch.no_grad():
        p = torch.nn.Parameter(torch.ones(2))
    assert p.is_leaf
    assert p.requires_grad
    (p * 2).sum().backward()
    torch.optim.SGD([p], lr=0.1).zero_grad()
    assert p.grad is None


def test_eight_threads_add_exactly() -> None:
    x = torch.zeros(3, requires_grad=True)

    def work() -> None:
        for _ in range(1000):
            (x * 1.0).sum().backward()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert x.grad is not None
    assert x.grad.tolist() == [8000.0] * 3


def test_a_dropped_graph_is_freed_at_once() -> None:
    x = torch.ones(4, requires_grad=True)
    gc.collect()
    gc.disable()
    try:
        y = (x.exp() * x).tanh()
        middle = [weakref.ref(y.grad_fn), weakref.ref(y.grad_fn.next_functions[0][0])]
        y.sum().backward()
        del y
        assert [ref() for ref in middle] == [None, None]
    finally:
        gc.enable()


# name: (what is computed with a library and its leaves, the shapes of the leaves)
KEPT = {
    "mul": (lambda _, x, y: x * y, (64, 64), (64, 64)),
    "mul by a constant": (lambda _, x: x * x.detach(), (64, 64)),
    "div": (lambda _, x, y: x / y, (64, 64), (64, 64)),
    "add": (lambda _, x, y: x + y, (64, 64), (64, 64)),
    "exp": (lambda _, x: x.exp(), (64, 64)),
    "sin": (lambda _, x: x.sin(), (64, 64)),
    "tanh": (lambda _, x: x.tanh(), (64, 64)),
    "sigmoid": (lambda _, x: x.sigmoid(), (64, 64)),
    "relu": (lambda _, x: x.relu(), (64, 64)),
    "pow": (lambda _, x: x**3, (64, 64)),
    "sum": (lambda _, x: x.sum(), (64, 64)),
    "mean": (lambda _, x: x.mean(0), (64, 64)),
    "var": (lambda _, x: x.var(0), (64, 64)),
    "max": (lambda _, x: x.max(1)[0], (64, 64)),
    "norm": (lambda _, x: x.norm(), (64, 64)),
    "logsumexp": (lambda _, x: x.logsumexp(1), (64, 64)),
    "cumsum": (lambda _, x: x.cumsum(0), (64, 64)),
    "clamp": (lambda _, x: x.clamp(0.2, 0.6), (64, 64)),
    "where": (lambda lib, x, y: lib.where(x > 0.5, x, y), (64, 64), (64, 64)),
    "cat": (lambda lib, x, y: lib.cat([x, y]), (64, 64), (64, 64)),
    "index": (lambda lib, x: x[lib.tensor([0, 3])], (64, 64)),
    "mm": (lambda _, x, y: x @ y, (64, 64), (64, 64)),
    "einsum": (lambda lib, x, y: lib.einsum("ij,jk->ik", x, y), (64, 64), (64, 64)),
    "linear": (lambda lib, *a: lib.nn.functional.linear(*a), (64, 64), (64, 64), (64,)),
    "softmax": (lambda _, x: x.softmax(1), (64, 64)),
    "log_softmax": (lambda _, x: x.log_softmax(1), (64, 64)),
    "cross_entropy": (lambda lib, x: lib.nn.functional.cross_entropy(x, lib.zeros(64, dtype=lib.int64)), (64, 10)),
    "mse_loss": (lambda lib, x, y: lib.nn.functional.mse_loss(x, y), (64, 64), (64, 64)),
    "gelu": (lambda lib, x: lib.nn.functional.gelu(x), (64, 64)),
    "silu": (lambda lib, x: lib.nn.functional.silu(x), (64, 64)),
    "leaky_relu": (lambda lib, x: lib.nn.functional.leaky_relu(x), (64, 64)),
    "layer_norm": (lambda lib, x, w, b: lib.nn.functional.layer_norm(x, (64,), w, b), (64, 64), (64,), (64,)),
    "conv2d": (lambda lib, *a: lib.nn.functional.conv2d(*a), (2, 3, 16, 16), (4, 3, 3, 3), (4,)),
    "max_pool2d": (lambda lib, x: lib.nn.functional.max_pool2d(x, 2), (2, 3, 16, 16)),
    "avg_pool2d": (lambda lib, x: lib.nn.functional.avg_pool2d(x, 2), (2, 3, 16, 16)),
}


def leaves_of(lib, shapes) -> list:
    rng = np.random.default_rng(0)
    return [lib.tensor(rng.random(s).astype(np.float32) + 0.1, requires_grad=True) for s in shapes]


def place(array) -> int:
    return array.__array_interface__["data"][0]


def bytes_kept(out) -> int:
    """What the graph of `out` holds: every array in a slot of a node, whether PyTorch would let hooks see it or not."""
    held: dict[int, int] = {}
    stack, seen = [out.grad_fn], set()
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        for slot in getattr(type(node), "__slots__", ()):
            value = getattr(node, slot, None)
            for x in value if isinstance(value, (tuple, list)) else (value,):
                array = getattr(x, "_array", x)
                if isinstance(array, np.ndarray) and type(node).__name__ != "AccumulateGrad":
                    held[place(array)] = max(array.nbytes, held.get(place(array), 0))
        stack += [target for target, _ in node.next_functions]
    return sum(held.values())


def test_what_is_counted_as_kept() -> None:
    x = torch.ones(64, 64, requires_grad=True)
    assert bytes_kept(x + 1) == 0
    assert bytes_kept(x.exp()) == 64 * 64 * 4
    assert bytes_kept(x.sin().exp()) == 2 * 64 * 64 * 4


@pytest.mark.conformance
@pytest.mark.parametrize("name", KEPT)
def test_bytes_kept_for_backward(name) -> None:
    import torch as oracle

    function, *shapes = KEPT[name]
    held: dict[int, int] = {}

    def pack(t):
        array = t.detach().numpy()
        held[place(array)] = max(array.nbytes, held.get(place(array), 0))
        return t

    with oracle.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        function(oracle, *leaves_of(oracle, shapes))
    assert bytes_kept(function(torch, *leaves_of(torch, shapes))) <= sum(held.values())
