"""The python builtins that index arithmetic calls, on probe values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codegen.rewrite.probe.functions import torch_int
from codegen.rewrite.probe.operators import iterate
from codegen.rewrite.probe.values import LATE, Arr, array, is_late, scalar

SEQUENCES = ("range", "enumerate", "zip", "reversed", "list", "tuple")


def call_sequence(name: str, args: list[Any]) -> Any:
    """Call a builtin of :data:`SEQUENCES`."""
    if name == "range":
        return LATE if is_late(args) else range(*[scalar(a) for a in args])
    lists = [iterate(a) for a in args[: 1 if name == "enumerate" else None]]
    if any(items is None for items in lists):
        return LATE
    known = [items for items in lists if items is not None]
    if name == "enumerate":
        return list(enumerate(known[0]))
    if name == "zip":
        return list(zip(*known))
    items = list(known[0]) if known else []
    return items[::-1] if name == "reversed" else (tuple(items) if name == "tuple" else items)


def _len(args: list[Any]) -> Any:
    value = args[0]
    return LATE if value is LATE else (len(value.data) if isinstance(value, Arr) else len(value))


def _int(args: list[Any]) -> Any:
    return LATE if is_late(args[0]) else torch_int(args[0])


def _float(args: list[Any]) -> Any:
    return LATE if is_late(args[0]) else float(array(args[0]))


def _max(args: list[Any]) -> Any:
    return _reduce(max, args)


def _min(args: list[Any]) -> Any:
    return _reduce(min, args)


def _sum(args: list[Any]) -> Any:
    items = iterate(args[0])
    if items is None or is_late(items):
        return LATE
    return sum(array(i).item() if array(i).ndim == 0 else array(i) for i in items)


def _isinstance(args: list[Any]) -> Any:
    name = getattr(args[1], "name", "")
    kinds: dict[str, Any] = {"list": list, "tuple": tuple, "int": int, "Tensor": Arr}
    return LATE if args[0] is LATE or name not in kinds else isinstance(args[0], kinds[name])


def _reduce(function: Callable[[list[Any]], Any], args: list[Any]) -> Any:
    items = args if len(args) > 1 else iterate(args[0])
    if items is None or is_late(items):
        return LATE
    return function([array(i).item() for i in items])


BUILTINS: dict[str, Callable[[list[Any]], Any]] = {
    "len": _len,
    "int": _int,
    "float": _float,
    "max": _max,
    "min": _min,
    "sum": _sum,
    "isinstance": _isinstance,
}
