"""L-BFGS (Liu and Nocedal, Math. Programming 45, 1989; two-loop recursion: Nocedal, Math. Comp. 35, 1980)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.modes import enable_grad, no_grad
from ..core.tensor import Tensor, wrap
from .line_search import Point, strong_wolfe
from .optimizer import Optimizer, changed, check_rate, number, real


class LBFGS(Optimizer):
    """Quasi-Newton steps. One call of `step(closure)` makes up to `max_iter` of them, evaluating the closure each time.

    There can be one parameter group only. `line_search_fn` is None (a step of `lr`) or "strong_wolfe".
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_rate(lr)
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    @property
    def _params(self) -> list[Tensor]:
        return self.param_groups[0]["params"]

    # All parameters, or their gradients, as one vector.
    def _gradient(self) -> Any:
        found = []
        for p in self._params:
            g = p.grad
            found.append(np.zeros_like(real(p._array)).reshape(-1) if g is None else real(g._array).reshape(-1))
        return np.concatenate(found)

    def _move(self, t: Any, d: Any) -> None:
        start = 0
        for p in self._params:
            changed(p)
            array = real(p._array)
            array += t * d[start : start + array.size].reshape(array.shape)
            start += array.size

    @no_grad()
    def step(self, closure: Any) -> Any:  # type: ignore[override]
        """Minimise for up to `max_iter` steps. `closure` computes the loss and its gradients and returns the loss."""
        group = self.param_groups[0]
        lr, most, most_evaluations = number(group["lr"]), group["max_iter"], group["max_eval"]
        flat, least = group["tolerance_grad"], group["tolerance_change"]
        search = group["line_search_fn"]
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)

        def evaluate() -> tuple[float, Any]:
            with enable_grad():
                loss = closure()
            return float(loss), self._gradient()

        with enable_grad():
            first = closure()
        loss, g = float(first), self._gradient()
        evaluations = 1
        state["func_evals"] += 1
        if not g.size or abs(g).max() <= flat:
            return first
        memory = _Memory(state)
        n = 0
        while n < most:
            n += 1
            state["n_iter"] += 1
            if state["n_iter"] == 1:
                memory.clear()
                d = -g
                t = min(1.0, 1.0 / abs(g).sum()) * lr
            else:
                d = memory.direction(g, group["history_size"])
                t = lr
            memory.last = g.copy()
            last_loss = loss
            slope = g.dot(d)
            memory.d, memory.t = d, t
            if slope > -least:
                break
            used = 0
            if search is not None:
                if search != "strong_wolfe":
                    raise RuntimeError("only 'strong_wolfe' is supported")
                start = [p._array.copy() for p in self._params]

                def along(t: Any, d: Any = d, start: Any = start) -> tuple[float, Any]:
                    self._move(t, d)
                    found = evaluate()
                    for p, array in zip(self._params, start, strict=True):
                        changed(p)
                        p._array[...] = array
                    return found

                point, used = strong_wolfe(along, t, d, Point(0, loss, g, slope), most_evaluations - evaluations)
                loss, g, t = point.f, point.g, point.t
                memory.t = t
                self._move(t, d)
            else:
                self._move(t, d)
                if n != most:  # the value after the last step is not needed
                    loss, g = evaluate()
                    used = 1
            evaluations += used
            state["func_evals"] += used
            if (
                n == most
                or evaluations >= most_evaluations
                or abs(g).max() <= flat
                or abs(d * t).max() <= least
                or abs(loss - last_loss) < least
            ):
                break
        memory.store(state, last_loss)
        return first


class _Memory:
    """The last steps and changes of the gradient, which stand for the inverse Hessian. In `state` they are Tensors."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.d, self.t, self.last = map(_plain, (state.get("d"), state.get("t"), state.get("prev_flat_grad")))
        self.changes = [_plain(x) for x in state.get("old_dirs") or []]
        self.steps = [_plain(x) for x in state.get("old_stps") or []]
        self.weights = [_plain(x) for x in state.get("ro") or []]
        self.scale = _plain(state.get("H_diag"))
        self.alpha: list[Any] | None = None if "al" not in state else [_plain(x) for x in state["al"]]

    def clear(self) -> None:
        self.changes, self.steps, self.weights, self.scale = [], [], [], 1

    def direction(self, g: Any, size: int) -> Any:
        """Minus the inverse Hessian times `g`, the last step having been noted."""
        change, step = g - self.last, self.d * self.t
        product = change.dot(step)
        if product > 1e-10:
            if len(self.changes) == size:
                del self.changes[0], self.steps[0], self.weights[0]
            self.changes.append(change)
            self.steps.append(step)
            self.weights.append(1.0 / product)
            self.scale = product / change.dot(change)
        if self.alpha is None:
            self.alpha = [None] * size
        q = -g
        for i in reversed(range(len(self.changes))):
            self.alpha[i] = self.steps[i].dot(q) * self.weights[i]
            q -= self.alpha[i] * self.changes[i]
        r = q * self.scale
        for i in range(len(self.changes)):
            r += (self.alpha[i] - self.changes[i].dot(r) * self.weights[i]) * self.steps[i]
        return r

    def store(self, state: dict[str, Any], loss: float) -> None:
        if self.alpha is not None:
            state["al"] = [_tensor(x) for x in self.alpha]
        state["d"], state["t"] = _tensor(self.d), _tensor(self.t)
        state["old_dirs"] = [_tensor(x) for x in self.changes]
        state["old_stps"] = [_tensor(x) for x in self.steps]
        state["ro"] = [_tensor(x) for x in self.weights]
        state["H_diag"] = _tensor(self.scale)
        state["prev_flat_grad"] = _tensor(self.last)
        state["prev_loss"] = loss


def _plain(x: Any) -> Any:
    """Array or NumPy scalar of a Tensor; the rest as it is."""
    return x._array[()] if isinstance(x, Tensor) else x


def _tensor(x: Any) -> Any:
    return wrap(np.asarray(x)) if isinstance(x, (np.ndarray, np.generic)) else x
