"""`torch.overrides`: which functions ask their arguments' `__torch_function__`, what they are called, and modes that see
every call.

Lives here: the lists of functions, and the public questions. The protocol itself is in `core.overriding`.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from types import FunctionType
from typing import Any

from .core import overriding
from .core.overriding import STATE, ask, in_order
from .core.tensor import Tensor
from .ops.matmul import affine

__all__ = [
    "enable_reentrant_dispatch", "get_default_nowrap_functions", "get_ignored_functions", "get_overridable_functions",
    "get_testing_overrides", "handle_torch_function", "has_torch_function", "is_tensor_like", "is_tensor_method_or_property",
    "redispatch_function", "resolve_name", "wrap_torch_function",
]  # fmt: skip

# -- which functions ask -----------------------------------------------------------------------------------------

# By namespace: (where it is, its name in messages of functions that PyTorch has in C, ... in Python, those in Python).
_IN_PYTHON = {
    "": """
        atleast_1d atleast_2d atleast_3d block_diag broadcast_tensors cartesian_prod cdist chain_matmul einsum lobpcg lu
        meshgrid norm pca_lowrank split stft svd_lowrank tensordot unique unique_consecutive unravel_index
    """,
    "Tensor": """
        __array__ __array_wrap__ __contains__ __deepcopy__ __dir__ __dlpack__ __dlpack_device__ __floordiv__ __format__
        __ipow__ __len__ __pow__ __rdiv__ __reduce_ex__ __repr__ __reversed__ __rfloordiv__ __rlshift__ __rmod__ __rpow__
        __rrshift__ __rsub__ __rtruediv__ backward dim_order is_shared istft lu module_load norm register_hook
        register_post_accumulate_grad_hook resize resize_as share_memory_ split stft storage storage_type unique
        unique_consecutive
    """,
    "autograd": "backward grad",
    "nn.init": "constant_ kaiming_uniform_ normal_ uniform_",
}
# In nn.functional it is the other way round: most are in Python, and these are not.
_IN_C = """
    adaptive_avg_pool1d avg_pool1d avg_pool2d avg_pool3d bilinear celu_ channel_shuffle conv1d conv2d conv3d conv_tbc
    conv_transpose1d conv_transpose2d conv_transpose3d cosine_similarity elu_ gelu hardshrink hardtanh_ leaky_relu_ linear
    logsigmoid native_channel_shuffle one_hot pairwise_distance pdist pixel_shuffle pixel_unshuffle prelu relu_ rrelu_
    scaled_dot_product_attention selu_ softplus softshrink threshold_
"""
# What asks nobody: questions about the program and not about tensors, and functions that call others, which ask.
_SILENT = {
    "": """
        are_deterministic_algorithms_enabled autocast_decrement_nesting autocast_increment_nesting as_dtype as_strided
        broadcast_shapes clear_autocast_cache compile cond fitted fork_rng frombuffer from_numpy
        get_autocast_cpu_dtype get_autocast_dtype get_autocast_gpu_dtype get_default_dtype
        get_deterministic_debug_mode get_float32_matmul_precision get_num_interop_threads
        get_num_threads get_rng_state initial_seed is_anomaly_check_nan_enabled is_anomaly_enabled
        is_autocast_cache_enabled is_autocast_cpu_enabled is_autocast_enabled is_deterministic_algorithms_warn_only_enabled
        is_grad_enabled is_inference_mode_enabled is_storage is_tensor is_vulkan_available is_warn_always_enabled load
        manual_seed of of_scalar save seed set_anomaly_enabled set_autocast_cache_enabled
        set_autocast_dtype set_autocast_enabled set_default_device set_default_dtype set_default_tensor_type
        set_deterministic_debug_mode set_float32_matmul_precision set_flush_denormal set_num_interop_threads
        set_num_threads set_printoptions set_rng_state set_warn_always typename use_deterministic_algorithms vmap
        eig lstsq matrix_rank solve symeig
    """,
    "nn.functional": "linear_cross_entropy sigmoid tanh upsample upsample_bilinear upsample_nearest",
    "Tensor": """
        add_scaled_ as_subclass clamp_tensors_ div_rounded_ eig lstsq more pow_number_ reinforce solve sub_scaled_ symeig
    """,
}
# Answered for modes alone: an argument is data, not asked.
_OF_DATA = {"as_tensor", "asarray", "from_dlpack", "scalar_tensor", "tensor"}
_PRIVATE = "_backward_hooks _base _grad_fn _is_view _version"  # of Tensor, that ask
# Python's operators, and the method that PyTorch says they are.
_OPERATORS = {
    **{f"__{n}__": m for n, m in (("add", "add"), ("sub", "sub"), ("mul", "mul"), ("truediv", "div"), ("mod", "remainder"))},
    **{f"__{n}__": m for n, m in (("radd", "add"), ("rmul", "mul"), ("matmul", "matmul"), ("rmatmul", "matmul"))},
    **{f"__{n}__": m for n, m in (("rand", "bitwise_and"), ("ror", "bitwise_or"), ("rxor", "bitwise_xor"))},
    **{f"__{n}__": m for n, m in (("iadd", "add_"), ("isub", "sub_"), ("imul", "mul_"), ("itruediv", "div_"))},
    **{f"__{n}__": m for n, m in (("ifloordiv", "floor_divide_"), ("imod", "remainder_"), ("ne", "ne"))},
    **{f"__{n}__": n for n in ("lt", "le", "gt", "ge", "neg", "abs")},
    "__pos__": "positive",
}  # fmt: skip
_OWN_OPERATORS = """
    __and__ __eq__ __floordiv__ __iand__ __ilshift__ __invert__ __ior__ __ipow__ __irshift__ __ixor__ __lshift__ __or__
    __pow__ __rfloordiv__ __rlshift__ __rmod__ __rpow__ __rrshift__ __rshift__ __rsub__ __rtruediv__ __xor__
"""
_PROTOCOLS = """
    __array__ __array_wrap__ __bool__ __complex__ __contains__ __deepcopy__ __dir__ __dlpack__ __dlpack_device__ __float__
    __format__ __getitem__ __index__ __int__ __len__ __reduce_ex__ __repr__ __reversed__ __setitem__
"""
_NAMESPACES = ("nn.functional", "", "Tensor", "linalg", "fft", "special", "nn.init", "autograd")

_letting = threading.Lock()


def _home(namespace: str) -> Any:
    if namespace == "Tensor":
        return Tensor
    return importlib.import_module("wengert" + ("." + namespace if namespace else ""))


def _functions(namespace: str) -> Iterator[tuple[str, FunctionType]]:
    """The functions of a namespace that ask, by name."""
    silent = _SILENT.get(namespace, "").split()
    if namespace in ("nn.init", "autograd"):
        names: Iterable[str] = _IN_PYTHON[namespace].split()
    elif namespace == "Tensor":
        names = [n for n in dir(Tensor) if not n.startswith("_")]
        names += (_PRIVATE + _PROTOCOLS).split()
    else:
        names = [n for n in sorted(vars(_home(namespace))) if not n.startswith("_") and n != "stated_under"]
    for name in names:
        function = getattr(_home(namespace), name, None)
        if name not in silent and isinstance(function, FunctionType):
            yield name, function


def _named() -> Iterator[tuple[str, str, FunctionType]]:
    """All of them, with the first namespace first, and of the names in it the function's own."""
    for namespace in _NAMESPACES:
        for name, function in sorted(_functions(namespace), key=lambda pair: pair[0] != pair[1].__name__):
            yield namespace, name, function


def _title(namespace: str, name: str) -> tuple[str, bool]:
    """What messages call a function, and whether PyTorch has it in Python."""
    if namespace == "nn.functional":
        return (f"torch.nn.{name}", False) if name in _IN_C.split() else (f"torch.nn.functional.{name}", True)
    if name in _IN_PYTHON.get(namespace, "").split():
        home = {"": "torch.functional", "Tensor": "torch._tensor"}.get(namespace, f"torch.{namespace}")
        return f"{home}.{name}", True
    prefix = f"{namespace}_" if namespace in ("linalg", "fft", "special") else ""
    return ".".join(filter(None, ("torch", namespace, prefix + name))), False


def let_all_ask() -> None:
    """Let every public function and method ask; see Note [Functions that ask] in `core.overriding`."""
    with _letting:
        _operators()
        linear = _home("nn.functional").linear
        overriding.let_ask(affine, linear, "torch.nn.linear")  # what nn.Linear calls
        for namespace, name, function in _named():
            if not overriding.asks(function):
                function.__name__ = name  # not every one has it from its definition
                title, written = _title(namespace, name)
                by_name, of_data = namespace == "nn.init", not namespace and name in _OF_DATA
                overriding.let_ask(function, function, title, written=written, by_name=by_name, of_data=of_data)
        _attributes()


def _operators() -> None:
    """An operator may be the same function as a method; it asks for the method, and lets the other operand try."""
    T: Any = Tensor
    for name in (*_OPERATORS, *_OWN_OPERATORS.split()):
        plain = getattr(T, name)
        written = name in _IN_PYTHON["Tensor"].split()
        method = getattr(T, _OPERATORS[name]) if name in _OPERATORS else None
        home = "torch._tensor" if written else "torch.Tensor"
        if method is None and not any(plain is f for f in _shared()):
            overriding.let_ask(plain, plain, f"{home}.{name}", written=written, operator=True)
            continue
        if method is not None:
            overriding.STANDS_FOR.setdefault(plain, method)
        found = overriding.asking(overriding.twin_of(plain), method, f"{home}.{name}", written=written, operator=True)
        found.__name__ = name
        setattr(T, name, found)


@functools.cache
def _shared() -> list[Any]:
    """Functions that are known by another name than an operator's."""
    return [f for namespace in ("", "Tensor") for _, f in _functions(namespace)]


def _attributes() -> None:
    """Properties of Tensor: `Tensor.shape.__get__` is what is asked for."""
    for name in dir(Tensor):
        found = getattr(Tensor, name)
        if not isinstance(found, property) or (name.startswith("_") and name not in _PRIVATE.split()):
            continue
        parts = [f for f in (found.fget, found.fset, found.fdel) if f is not None]
        if any(not isinstance(f, FunctionType) or overriding.asks(f) for f in parts):  # it is a public function's too
            get, put, delete = (
                None if f is None else overriding.forwarding(f) for f in (found.fget, found.fset, found.fdel)
            )
            found = property(get, put, delete, found.__doc__)
            setattr(Tensor, name, found)
        part: Any
        for part, how in ((found.fget, "__get__"), (found.fset, "__set__"), (found.fdel, "__delete__")):
            if part is not None and not (how == "__set__" and name in ("real", "imag")):
                overriding.let_ask(part, getattr(found, how), f"torch.Tensor.{name}.{how}", plain_too=True)


# -- questions -----------------------------------------------------------------------------------------------------


def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """Is there a mode, or among these an argument, to ask? Then call `handle_torch_function`."""
    if STATE.off == overriding.NOBODY or not (STATE.modes or (not STATE.off and any(map(_answers, relevant_args)))):
        return False
    if STATE.skip:
        STATE.skip = False
        return False
    return True


def _answers(x: Any) -> bool:
    return overriding.answers(type(x))


def has_torch_function_unary(arg: Any) -> bool:
    """`has_torch_function` of one argument."""
    return has_torch_function((arg,))


def has_torch_function_variadic(*args: Any) -> bool:
    """`has_torch_function` of these arguments."""
    return has_torch_function(args)


def handle_torch_function(
    public_api: Callable[..., Any], relevant_args: Iterable[Any], *args: Any, **kwargs: Any
) -> Any:
    """What the mode or the first argument that does not decline answers for `public_api(*args, **kwargs)`.

    TypeError if all decline (give NotImplemented).
    """
    asked = in_order(relevant_args, plain_too=True) if not STATE.off else []
    result = ask(public_api, asked, args, kwargs)
    if result is NotImplemented:
        raise TypeError(overriding.no_implementation(f"{public_api.__module__}.{public_api.__name__}", asked))
    return result


def wrap_torch_function(dispatcher: Callable[..., Iterable[Any]]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator: the function asks first, namely those arguments that `dispatcher(*args, **kwargs)` gives."""

    def decorate(func: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(func)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            relevant = dispatcher(*args, **kwargs)
            if has_torch_function(relevant):
                return handle_torch_function(wrapped, relevant, *args, **kwargs)
            return func(*args, **kwargs)

        return wrapped

    return decorate


def redispatch_function(func: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
    """Call `func` as if it did not ask; functions that it calls do."""
    STATE.skip = True
    try:
        return func(*args, **(kwargs or {}))
    finally:
        STATE.skip = False


def is_tensor_like(inp: Any) -> bool:
    """Is it a Tensor, or has it `__torch_function__`?"""
    return type(inp) is Tensor or hasattr(inp, "__torch_function__")


@functools.cache
def _index() -> dict[Any, str]:
    """Names of functions. One function may have several: the first namespace's counts, and there the function's own."""
    found: dict[Any, str] = {}
    for namespace, name, function in _named():
        found.setdefault(function, ".".join(filter(None, ("torch", namespace, name))))
    for name in _OWN_OPERATORS.split():
        found.setdefault(getattr(Tensor, name), f"torch.Tensor.{name}")
    for name, attribute in _properties():
        found[attribute.__get__] = f"torch.Tensor.{name}.__get__"
        found[attribute.__set__] = f"torch.Tensor.{name}.__set__"
    return found


def _properties() -> Iterator[tuple[str, Any]]:
    for name in dir(Tensor):
        if isinstance(getattr(Tensor, name), property) and (not name.startswith("_") or name in _PRIVATE.split()):
            yield name, getattr(Tensor, name)


def resolve_name(f: Any) -> str | None:
    """The name of a function that `__torch_function__` was given, say 'torch.Tensor.add'; None if it has none."""
    overriding.awake()
    return _index().get(f)


def get_overridable_functions() -> dict[Any, list[Callable[..., Any]]]:
    """The functions that ask their arguments, by the namespace they are in; of properties their `__get__`, by property."""
    overriding.awake()
    found: dict[Any, list[Any]] = {}
    for namespace in _NAMESPACES[:-1]:
        ignored = get_ignored_functions()
        functions = [f for name, f in _functions(namespace) if f not in ignored and not (name[-1] == "_" != name[0])]
        if namespace == "Tensor":
            functions = [f for _, f in _functions(namespace) if f not in ignored]
            functions += [getattr(Tensor, name) for name in _OWN_OPERATORS.split()]
        if functions:
            found[_home(namespace)] = functions
    found.update((attribute, [attribute.__get__]) for _, attribute in _properties())
    return found


def get_ignored_functions() -> set[Any]:
    """Public functions that do not ask their arguments."""
    import wengert

    found: set[Any] = set()
    for namespace, names in _SILENT.items():
        found.update(filter(None, (getattr(_home(namespace), name, None) for name in names.split())))
    found.update(getattr(wengert, name) for name in (*_OF_DATA, *_WITHOUT_TENSORS.split()))
    return found


# Functions that make tensors from numbers: modes see them, but there is no argument to ask.
_WITHOUT_TENSORS = """
    arange bartlett_window blackman_window empty empty_permuted empty_strided eye full hamming_window hann_window
    kaiser_window linspace logspace normal ones rand randint randn randperm tril_indices triu_indices zeros
"""


def get_testing_overrides() -> dict[Any, Callable[..., Any]]:
    """For each function that asks, one of the same arguments that gives -1."""

    def ignoring(*args: Any, **kwargs: Any) -> int:
        return -1

    return {f: ignoring for functions in get_overridable_functions().values() for f in functions}


def is_tensor_method_or_property(func: Callable[..., Any]) -> bool:
    """Is it a method of Tensor, or the `__get__` of a property of it?"""
    return func in get_overridable_functions()[Tensor] or getattr(func, "__name__", "") == "__get__"


def get_default_nowrap_functions() -> set[Any]:
    """Functions whose results `Tensor.__torch_function__` leaves as they are: tensors that are kept somewhere."""
    T: Any = Tensor
    return {T._base.__get__, T.grad.__get__}


# -- modes -------------------------------------------------------------------------------------------------------------


class TorchFunctionMode:
    """`with Mode():` every public function asks `Mode.__torch_function__(func, types, args, kwargs)` before its arguments.

    Inside of it the mode itself is not asked, but the one around it is. Which functions ask: `get_overridable_functions`,
    and those that make tensors from numbers.
    """

    inner: TorchFunctionMode

    def __init__(self) -> None:
        pass

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """To be written by the derived class."""
        raise NotImplementedError

    def __enter__(self) -> Any:
        overriding.awake()
        STATE.modes = (*STATE.modes, self)
        return self

    def __exit__(self, *_: Any) -> None:
        STATE.modes = STATE.modes[:-1]

    @classmethod
    def push(cls, *args: Any, **kwargs: Any) -> Any:
        """Deprecated in PyTorch: the mode itself."""
        warnings.warn(
            "`Mode.push()` is no longer necessary and can be replaced with just `with Mode()`",
            UserWarning,
            stacklevel=2,
        )
        return cls(*args, **kwargs)


class BaseTorchFunctionMode(TorchFunctionMode):
    """A mode that lets every function do what it does."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


def _get_current_function_mode() -> Any:
    return STATE.modes[-1] if STATE.modes else None


def _get_current_function_mode_stack() -> list[Any]:
    return list(STATE.modes)


def _push_mode(mode: Any) -> None:
    overriding.awake()
    STATE.modes = (*STATE.modes, mode)


def _pop_mode() -> Any:
    mode = STATE.modes[-1]
    STATE.modes = STATE.modes[:-1]
    return mode


@contextlib.contextmanager
def _pop_mode_temporarily() -> Iterator[Any]:
    with overriding.without_mode() as mode:
        yield mode


@contextlib.contextmanager
def _enable_torch_function() -> Iterator[None]:
    before, STATE.off = STATE.off, overriding.ASKED
    try:
        yield
    finally:
        STATE.off = before


@contextlib.contextmanager
def enable_reentrant_dispatch() -> Iterator[None]:
    """Inside, functions ask as they would outside of everything: there is no dispatcher that could be below them."""
    yield


# Whoever imports this module is about to use it.
overriding.awake()
