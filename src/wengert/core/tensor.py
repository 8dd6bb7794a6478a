"""Tensor: an array, and what autograd must know about it.

Lives here: the class, its construction from an array, and its part in autograd (`grad`, `grad_fn`, `backward`, hooks).
Not here: what it answers about its array (`geometry`), what it becomes in Python and NumPy (`to_python`), copies (`copying`),
and any mathematics. The tables (`wengert.ops`) hang their operations on the class as methods.

Note [What a Tensor holds]
    _array   the numbers (an ndarray, 0-dim included, never a NumPy scalar; under vmap a batched array)
    _rg      requires grad
    _edge    `(node, output_nr)` that made it, or None for a leaf
    _vc      its version counter, `[version, views]`, shared by all that share the memory; None until someone needs
             it, which means version 0. `views` are weak references to the views that require grad
    _extra   the rest (views, hooks, inference, tangents), None for most
    _grad    `.grad`; unset until it is used. `_acc` likewise: a weak reference to the leaf's AccumulateGrad
"""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from . import dtypes
from .copying import Copies
from .counters import DataCounter, unseen
from .geometry import Geometry
from .modes import LOCAL, MODES, tell
from .node import SEQUENCE, Edge, Hooks, Node, RemovableHandle
from .overriding import SILENT, answers, awake, preserving
from .size import Size
from .to_python import ToPython

_new = object.__new__


class TensorExtra:
    """What few tensors have; see Note [What a Tensor holds]. Defaults are the class's: making one is cheap."""

    base: Any = None  # for a view: the tensor that is no view
    creation: str | None = None  # for a view: how it was made, if that forbids changing it in place
    made = 0  # ... and the version that the memory then had
    rebuild: Any = None  # ... and how it is made from its base (views.Rebuild), where that is noted
    multi_view = False  # one of several views of one operation
    hooks: Any = None  # of a leaf; those of other tensors are the node's
    post_hooks: Any = None
    grad_dtype: Any = False  # False: the tensor's own; None: any
    inference = False
    detached = -1  # by `detach_()`: nodes of lower numbers may have saved it as it was
    tangents: dict[int, Any] | None = None  # forward mode, by level
    name: str | None = None


class TensorMeta(type):
    """Lets `isinstance(x, Parameter)` and the like be decided by the class itself, and notes that a class is derived."""

    def __init__(cls, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if cls.__module__.partition(".")[0] != "wengert" and answers(cls):
            awake()


if TYPE_CHECKING:
    from .methods import Methods  # what the tables install, for editors and type checkers
else:
    Methods = object


class Tensor(Geometry, ToPython, Copies, Methods, metaclass=TensorMeta):
    """A multi-dimensional array of one dtype that can record what is done to it."""

    __slots__ = ("__dict__", "__weakref__", "_acc", "_array", "_edge", "_extra", "_grad", "_rg", "_vc")

    _array: Any
    _rg: bool
    _edge: Edge | None
    _vc: list[Any] | None  # [version, weak references to views or None]: shared by all that share the memory
    _extra: TensorExtra | None
    _grad: Tensor | None
    _acc: Any

    __array_priority__ = 1000

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        t = _new(cls)
        t._array = legacy_array(args)
        t._rg = False
        t._edge = None
        t._vc = None
        t._extra = None
        return t

    __torch_function__: Any = classmethod(preserving)

    def more(self) -> TensorExtra:
        if self._extra is None:
            self._extra = TensorExtra()
        return self._extra

    # -- autograd ----------------------------------------------------------------------------------------------
    @property
    def requires_grad(self) -> bool:
        return self._rg

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if value and self._array.dtype.kind not in "fcV":
            raise RuntimeError("only Tensors of floating point and complex dtype can require gradients")
        self._set_requires_grad(value)

    @requires_grad.deleter
    def requires_grad(self) -> None:
        raise RuntimeError("requires_grad must be a bool")

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Ask for a gradient of this leaf (or stop asking). Returns the tensor itself."""
        if LOCAL.transforms:
            LOCAL.transforms[-1].refuse("requires_grad_()")
        if requires_grad and self._array.dtype.kind not in "fcV":
            raise RuntimeError("only Tensors of floating point dtype can require gradients")
        self._set_requires_grad(requires_grad)
        return self

    def _set_requires_grad(self, value: bool) -> None:
        if value and self._extra is not None and self._extra.inference and not LOCAL.inference:
            raise RuntimeError("Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.")
        if self._edge is not None:
            if not value:
                raise RuntimeError(
                    "you can only change requires_grad flags of leaf variables. If you want to use a computed "
                    "variable in a subgraph that doesn't require differentiation use var_no_grad = var.detach()."
                )
            return
        self._rg = bool(value)

    @property
    def is_leaf(self) -> bool:
        return self._edge is None

    @property
    def grad_fn(self) -> Node | None:
        if self._edge is not None:
            return self._edge[0]
        if self._extra is not None and self._extra.creation in ("no_grad", "inference_mode"):
            from .views import check_current

            check_current(self)
        return None

    @property
    def output_nr(self) -> int:
        return self._edge[1] if self._edge is not None else 0

    @property
    def grad(self) -> Tensor | None:
        """The accumulated gradient of a leaf, None until a backward pass has reached it."""
        found = getattr(self, "_grad", None)
        if found is None and self._edge is not None and not self.retains_grad:
            warnings.warn(
                "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute "
                "won't be populated during autograd.backward(). If you indeed want the .grad field to be populated "
                "for a non-leaf Tensor, use .retain_grad() on the non-leaf Tensor. If you access the non-leaf Tensor "
                "by mistake, make sure you access the leaf Tensor instead.",
                UserWarning,
                stacklevel=2,
            )
        return found

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is None:
            self._grad = None
            return
        if not isinstance(value, Tensor):
            raise TypeError(
                f"assigned grad expected to be a Tensor or None but got grad of type {type(value).__name__}"
            )
        if value is self:
            raise RuntimeError("can't assign Variable as its own grad")
        wanted = self.dtype if self._edge is not None else self.grad_dtype
        if wanted is not None and value.dtype is not wanted:
            raise RuntimeError(
                f"attempting to assign a gradient with dtype '{_type_word(value.dtype)}' to a tensor with grad_dtype "
                f"'{_cap_word(wanted)}'. The gradient must match the tensor's grad_dtype (defaults to the tensor's dtype). "
                "You can set the tensor's grad_dtype attribute with a specific dtype, or None to allow any dtype. "
                "Set grad_dtype with caution. Diverging the dtypes of a tensor and its gradient may break downstream "
                "systems that assume they match."
            )
        if value._array.shape != self._array.shape:
            raise RuntimeError(
                f"attempting to assign a gradient of size '{list(value._array.shape)}' to a tensor of size "
                f"'{list(self._array.shape)}'. Please ensure that the gradient and the tensor are the same size"
            )
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    @property
    def grad_dtype(self) -> dtypes.dtype | None:
        """The dtype `.grad` is accumulated in: the tensor's own unless set; None accepts any. Of leaves only."""
        if self._edge is not None:
            raise RuntimeError("grad_dtype can only be accessed on leaf tensors.")
        extra = self._extra
        return self.dtype if extra is None or extra.grad_dtype is False else extra.grad_dtype

    @grad_dtype.setter
    def grad_dtype(self, value: dtypes.dtype | None) -> None:
        if self._edge is not None:
            raise RuntimeError("grad_dtype can only be set on leaf tensors.")
        wanted = None if value is None else dtypes.as_dtype(value)
        found = getattr(self, "_grad", None)
        if wanted is not None and found is not None and found.dtype is not wanted:
            raise RuntimeError(
                f"Cannot set grad_dtype to '{_cap_word(wanted)}' because there is already a gradient with dtype "
                f"'{_type_word(found.dtype)}'. Please clear the gradient (.grad = None) before changing grad_dtype, or "
                "ensure the new grad_dtype matches the existing gradient's dtype."
            )
        self.more().grad_dtype = wanted

    @property
    def data(self) -> Tensor:
        """The same memory, outside autograd: no graph, a version counter of its own (see `DataCounter`)."""
        t = wrap(self._array)
        if self._vc is None:
            self._vc = [0, None]
        t._vc = DataCounter(self._vc)
        if MODES.active:
            tell("data", self, t)
        return t

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
        if self._rg and value._array.dtype.kind not in "fcV":
            raise RuntimeError("data set to a tensor that requires gradients must be floating point or complex dtype")
        self._array = value._array
        if self._edge is None:
            self._acc = no_sink  # a sink made for another shape must not be used again

    @data.deleter
    def data(self) -> None:
        raise RuntimeError("Deleting tensor data is not allowed. Delete tensor instead!")

    @property
    def volatile(self) -> bool:
        """Gone, as in PyTorch: warns, and is False."""
        warnings.warn("volatile was removed (Variable.volatile is always False)", UserWarning, stacklevel=2)
        return False

    def detach(self) -> Tensor:
        """The same memory, outside the graph and without tangents. Changes in place are seen by both, and by backward."""
        t = wrap(self._array)
        if self._vc is None:
            self._vc = [0, None]
        t._vc = self._vc
        if self._extra is not None and self._extra.inference:
            mark_inference(t)
        if MODES.active:
            tell("detach", self, t)
        return t

    def detach_(self) -> Tensor:
        if self._extra is not None and self._extra.base is not None:
            raise RuntimeError(
                "Can't detach views in-place. Use detach() instead. If you are using DistributedDataParallel (DDP) for "
                "training, and gradient_as_bucket_view is set as True, gradients are views of DDP buckets, and hence "
                "detach_() cannot be called on these gradients. To fix this error, please refer to the "
                "Optimizer.zero_grad() function in torch/optim/optimizer.py as a solution."
            )
        if MODES.active:
            tell("detach_", self, self)
        if self._extra is not None:
            self._extra.tangents = None
        if self._edge is not None:  # who saved it shall notice
            self.more().detached = next(SEQUENCE)
            if self._vc is None:
                self._vc = [0, None]
        self._rg = False
        self._edge = None
        return self

    def _use_count(self) -> int:
        """How many hold this leaf: its owner, and the graph's sink for its gradient while there is one."""
        return 1 + (getattr(self, "_acc", no_sink)() is not None)

    @property
    def _version(self) -> int:
        if self._extra is not None and self._extra.inference:
            raise RuntimeError("Inference tensors do not track version counter.")
        return self._vc[0] - unseen(self._vc) if self._vc is not None else 0

    @property
    def _base(self) -> Tensor | None:
        return self._extra.base if self._extra is not None else None

    def _is_view(self) -> bool:
        return self._extra is not None and self._extra.base is not None

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Gradients of this tensor with respect to the leaves of its graph, added to their `.grad`.

        `gradient` is the vector of the vector-Jacobian product, needed unless this tensor has one element. `inputs`
        limits accumulation to the tensors named.
        """
        from ..autograd import backward

        backward(self, gradient, retain_graph, create_graph, inputs=inputs)

    def retain_grad(self) -> None:
        """Let `.grad` of this non-leaf be filled too."""
        if not self._rg:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if LOCAL.transforms:
            LOCAL.transforms[-1].refuse("retain_grad()")
        node = self.grad_fn
        if node is None:
            return
        assert self._edge is not None
        node.more().retained[self._edge[1]] = weakref.ref(self)

    @property
    def retains_grad(self) -> bool:
        if self._edge is None or self._edge[0].extra is None:
            return False
        keeper = self._edge[0].extra.retained.get(self._edge[1])
        return keeper is not None and keeper() is self

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """`hook(grad) -> Tensor | None` sees, and may replace, the gradient of this tensor."""
        if not self._rg:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        node = self.grad_fn
        if node is None:
            extra = self.more()
            if extra.hooks is None:
                extra.hooks = Hooks()
            return extra.hooks.add(hook)
        assert self._edge is not None
        hooks = node.more().tensor_hooks.setdefault(self._edge[1], Hooks())
        return hooks.add(hook)

    @property
    def _grad_fn(self) -> Any:
        return self.grad_fn

    @_grad_fn.deleter
    def _grad_fn(self) -> None:
        raise RuntimeError("Deletion of _grad_fn not allowed. Detach tensor instead!")

    @property
    def _backward_hooks(self) -> Hooks | None:
        """The hooks of `register_hook` on this tensor, by number, or None."""
        node = self.grad_fn
        if node is None:
            return self._extra.hooks if self._extra is not None else None
        assert self._edge is not None
        return node.extra.tensor_hooks.get(self._edge[1]) if node.extra is not None else None

    @_backward_hooks.setter
    def _backward_hooks(self, hooks: dict[int, Any] | None) -> None:
        found = hooks if hooks is None or isinstance(hooks, Hooks) else Hooks(hooks)
        node = self.grad_fn
        if node is None:
            self.more().hooks = found
        elif found is not None:
            assert self._edge is not None
            node.more().tensor_hooks[self._edge[1]] = found
        elif node.extra is not None:
            assert self._edge is not None
            node.extra.tensor_hooks.pop(self._edge[1], None)

    @_backward_hooks.deleter
    def _backward_hooks(self) -> None:
        raise RuntimeError("Deletion of _backwards_hooks not allowed!")

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> RemovableHandle:
        """`hook(tensor)` runs after this leaf's `.grad` has been accumulated."""
        if not self._rg:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if self.grad_fn is not None:
            raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
        extra = self.more()
        if extra.post_hooks is None:
            extra.post_hooks = Hooks()
        return extra.post_hooks.add(hook)

    @property
    def name(self) -> str | None:
        """The name this tensor is shown by; yours to set."""
        return self._extra.name if self._extra is not None else None

    @name.setter
    def name(self, value: str | None) -> None:
        self.more().name = value


SILENT.add(Tensor)
for _part in (Geometry, ToPython, Copies):
    for _f in vars(_part).values():
        if isinstance(_f, FunctionType):  # in Python's messages they are Tensor's
            _f.__qualname__ = f"Tensor.{_f.__name__}"


def wrap(array: Any, requires_grad: bool = False) -> Tensor:
    """A leaf around `array`, which is not copied."""
    t = _new(Tensor)
    t._array = array
    t._rg = requires_grad
    t._edge = None
    t._vc = None
    t._extra = None
    return t


def mark_inference(t: Tensor) -> None:
    """`t` was made in inference mode. It gets a version counter, so that whoever saves it looks at it closely."""
    t.more().inference = True
    if t._vc is None:
        t._vc = [0, None]


def no_sink() -> None:
    """In place of the weak reference to a leaf's AccumulateGrad."""


# Classes the fast road takes as they are. nn.Parameter adds itself.
PLAIN_TYPES: set[type] = {Tensor}

_DTYPE_WORDS = {
    "float32": "float",
    "float64": "double",
    "float16": "c10::Half",
    "complex64": "c10::complex<float>",
    "complex128": "c10::complex<double>",
    "int64": "long long",
    "int32": "int",
}


def _type_word(d: dtypes.dtype) -> str:
    return d.tensor_type.lower() if d.name in ("float32", "float64") else d.tensor_type


def _cap_word(d: dtypes.dtype) -> str:
    return d.tensor_type


def legacy_array(args: tuple[Any, ...], dtype: Any = None) -> Any:
    """`Tensor(2, 3)` is an uninitialised tensor of that shape, `Tensor([1, 2])` one of those numbers."""
    d = dtypes.DEFAULT.floating.np if dtype is None else dtype
    if not args:
        return np.empty((0,), d)
    if len(args) == 1:
        (a,) = args
        if isinstance(a, Tensor):
            return a._array
        if isinstance(a, np.ndarray):
            return a.astype(d)
        if isinstance(a, (list, tuple)) and not isinstance(a, Size):
            return np.array(a, d)
        if isinstance(a, Size):
            return np.zeros(a, d)
    if all(isinstance(a, (int, np.integer)) for a in args):
        return np.zeros(args, d)
    raise TypeError(f"new(): data must be a sequence (got {type(args[0]).__name__})")
