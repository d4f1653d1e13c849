"""The python builtins that index arithmetic calls, on probe values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codegen.rewrite.probe import budget
from codegen.rewrite.probe.functions import torch_int
from codegen.rewrite.probe.operators import binary_add, iterate
from codegen.rewrite.probe.values import LATE, Arr, Once, Unsupported, array, is_late, scalar


def _range(*bounds: Any) -> Any:
    return LATE if is_late(list(bounds)) else range(*[scalar(bound) for bound in bounds])


def _enumerate(values: Any, start: Any = 0) -> Any:
    listed = iterate(values)
    return LATE if listed is None or is_late(start) else Once(enumerate(listed, scalar(start)))


def _zip(*values: Any, strict: Any = False) -> Any:
    if len({id(value) for value in values if isinstance(value, Once)}) < sum(
        isinstance(value, Once) for value in values
    ):
        raise Unsupported("one generator in several places")
    lists = [iterate(value) for value in values]
    known = [listed for listed in lists if listed is not None]
    if len(known) < len(lists):
        return LATE
    if strict and len({len(listed) for listed in known}) > 1:
        raise Unsupported("zip of different lengths")
    return Once(zip(*known))


def _reversed(values: Any) -> Any:
    listed = iterate(values)
    return LATE if listed is None else Once(listed[::-1])


def _list(values: Any = ()) -> Any:
    listed = iterate(values)
    return LATE if listed is None else listed


def _tuple(values: Any = ()) -> Any:
    listed = iterate(values)
    return LATE if listed is None else tuple(listed)


def _len(value: Any) -> Any:
    if value is LATE:
        return LATE
    if isinstance(value, Once):
        raise Unsupported("length of a generator")
    return len(value.data) if isinstance(value, Arr) else len(value)


def _int(value: Any) -> Any:
    return LATE if is_late(value) else torch_int(value)


def _float(value: Any) -> Any:
    return LATE if is_late(value) else float(array(value))


def _abs(value: Any) -> Any:
    if is_late(value):
        return LATE
    return Arr(abs(value.data)) if isinstance(value, Arr) else abs(array(value)).item()


def _sum(values: Any, start: Any = 0) -> Any:
    listed = iterate(values)
    if listed is None or is_late(listed) or is_late(start):
        return LATE
    total = start
    for item in listed:
        total = binary_add(total, item)
    return total


def _isinstance(value: Any, kind: Any) -> Any:
    name = getattr(kind, "name", "")
    kinds: dict[str, Any] = {"list": list, "tuple": tuple, "int": int, "Tensor": Arr}
    return LATE if value is LATE or name not in kinds else isinstance(value, kinds[name])


def _extreme(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*values: Any) -> Any:
        listed = list(values) if len(values) > 1 else iterate(values[0])
        if listed is None or is_late(listed):
            return LATE
        budget.items(len(listed))
        return function(listed, key=lambda item: array(item).item())

    return call


BUILTINS: dict[str, Callable[..., Any]] = {
    "range": _range,
    "enumerate": _enumerate,
    "zip": _zip,
    "reversed": _reversed,
    "list": _list,
    "tuple": _tuple,
    "len": _len,
    "int": _int,
    "float": _float,
    "abs": _abs,
    "max": _extreme(max),
    "min": _extreme(min),
    "sum": _sum,
    "isinstance": _isinstance,
}
