"""The tensor methods that index arithmetic uses, on probe values.

Each is a function with the parameters of the torch method that matter, under their names: an argument
that is not among them is refused by Python itself, so none is overlooked. A method that can give
more numbers than its tensor has asks for them first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from codegen.rewrite.probe import budget
from codegen.rewrite.probe.tensor_numbers import ELEMENTWISE, REDUCED
from codegen.rewrite.probe.tensor_shapes import SHAPED
from codegen.rewrite.probe.values import (
    LATE,
    PLAIN,
    Arr,
    Dtype,
    Freq,
    Unsupported,
    array,
    cast,
    dtype_of,
    is_late,
    plain,
    volume,
)

HARMLESS = frozenset(
    ("device", "requires_grad", "non_blocking", "memory_format", "pin_memory", "layout", "copy")
)
"""Keywords that change no number."""


def without_harmless(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords that may change numbers."""
    return {name: value for name, value in kwargs.items() if name not in HARMLESS}


def call_method(target: Arr, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call a tensor method; results keep the lateness of their inputs."""
    given = without_harmless(kwargs) if kwargs else {}
    everything = [*args, *given.values()]
    if PLAIN.issuperset(map(type, everything)):
        late = target.late  # most are given numbers, if anything
    else:
        for value in everything:
            if value is LATE or value.__class__ is Freq:
                raise Unsupported(f"tensor method {name} of late values")
        late = target.late or is_late(everything)
    if name.endswith("_") and not name.startswith("_"):
        return _in_place(target, name[:-1], args, given)
    budget.numbers(target.data.size)
    if name in ("tolist", "item"):
        return LATE if target.late else _host(target, name, args)
    if name in _CONVERSIONS:
        return Arr(_convert(target.data, name, everything), late)
    known = METHODS.get(name)
    if known is None:
        raise Unsupported(f"tensor method {name}")
    return _wrapped(known(target.data, *args, **given), late)


def _wrapped(result: Any, late: bool) -> Any:
    """Arrays as tensors, also in sequences; Python numbers as they are."""
    if isinstance(result, (np.ndarray, np.generic)):
        return Arr(np.asarray(result), late)
    if isinstance(result, (list, tuple)) and any(isinstance(part, np.ndarray) for part in result):
        budget.items(4 * len(result))
        return type(result)(Arr(part, late) for part in result)
    return result


def _in_place(target: Arr, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Arr:
    """``x.clamp_(...)``: the result is written into the tensor, and so into what shares its memory."""
    if name in ("fill", "zero"):
        result: Any = Arr(array(args[0] if name == "fill" else 0), is_late(list(args)))
    else:
        result = call_method(target, name, args, kwargs)
    if not isinstance(result, Arr) or name not in ("fill", "zero", *ELEMENTWISE):
        raise Unsupported(f"tensor method {name}_")
    write(target, ..., result)
    return target


def write(target: Arr, key: Any, value: Any) -> None:
    """``target[key] = value``; numbers are converted to the dtype of the tensor, as torch does it."""
    data = array(value)
    budget.numbers(data.size)
    if target.data.dtype.kind == "i" and data.dtype.kind == "f":
        data = np.trunc(data)
    target.data[key] = data
    target.late = target.late or is_late(value)


def ask_index(data: np.ndarray, key: Any) -> None:
    """Ask for ``data[key]`` where that is not a view."""
    if key.__class__ is int or key.__class__ is slice:
        return
    parts = key if isinstance(key, tuple) else (key,)
    lists = [np.asarray(part) for part in parts if isinstance(part, (np.ndarray, list))]
    if not lists:
        return
    axes = sum(item.ndim if item.dtype == bool else 1 for item in lists)
    rows = [np.empty(item.size) if item.dtype == bool else item for item in lists]
    # What the arrays do not index stays whole at most; the largest axes, to be on the safe side.
    others = sorted(data.shape)[min(axes, data.ndim) :]
    volume([*np.broadcast_shapes(*[row.shape for row in rows]), *others])


def _host(target: Arr, name: str, args: Sequence[Any]) -> Any:
    if args or (name == "item" and target.data.size != 1):
        raise Unsupported(f"tensor method {name}")
    return plain(target.data.reshape(()) if name == "item" else target.data)


_CONVERSIONS = {
    "int": Dtype("int", bits=32),
    "long": Dtype("int"),
    **dict.fromkeys(("float", "double"), Dtype("float")),
    "bool": Dtype("bool"),
    **dict.fromkeys(("half", "bfloat16", "short", "char", "byte"), Dtype("", narrow=True)),
    **dict.fromkeys(("to", "contiguous", "clone", "detach", "cpu", "cuda", "type"), None),
    "type_as": None,
}


def _convert(data: np.ndarray, name: str, args: Sequence[Any]) -> np.ndarray:
    dtype = _CONVERSIONS[name]
    if name in ("to", "type"):
        dtype = next((arg for arg in args if isinstance(arg, Dtype)), None)
    if name == "type_as" or any(isinstance(arg, Arr) for arg in args):
        # ``to(other)``: the device of the other tensor, and its dtype.
        dtype = next((dtype_of(arg) for arg in args if isinstance(arg, Arr)), None)
        if dtype is None or not dtype.kind:
            raise Unsupported("the dtype of another tensor")
    if dtype is not None:
        return cast(data, dtype)
    return data.copy() if name == "clone" else data


METHODS: dict[str, Callable[..., Any]] = {**ELEMENTWISE, **SHAPED, **REDUCED}
KNOWN = frozenset(METHODS) | frozenset(_CONVERSIONS) | {"tolist", "item"}
"""Names of the tensor methods that have no other effect than their result."""
