"""What rules and stages hand to each other cannot be changed on the way."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any

import pytest

import codegen.rewrite

#: What a run fills: the flow of a lift, a trace, values of the interpreter that have torch's semantics.
FILLED = {"Lifting", "Trace", "Trial", "Freq", "Arr", "Module", "Index", "StatementEdits", "_Frame"}


def values() -> Iterator[Any]:
    for found in pkgutil.walk_packages(codegen.rewrite.__path__, "codegen.rewrite."):
        module = importlib.import_module(found.name)
        for value in vars(module).values():
            own = isinstance(value, type) and value.__module__ == module.__name__
            if own and is_dataclass(value) and value.__name__ not in FILLED:
                yield pytest.param(value, id=f"{value.__module__}.{value.__name__}")


@pytest.mark.parametrize("value", list(values()))
def test_values_are_frozen(value: Any) -> None:
    assert value.__dataclass_params__.frozen
