"""What rules and stages hand to each other cannot be changed on the way."""

from __future__ import annotations

import importlib
from dataclasses import is_dataclass
from typing import Any

import pytest

#: Modules whose classes are values that pass from one stage to another.
MODULES = (
    *(
        "values",
        "keep",
        "check",
        "settle",
        "helpers",
        "codemods",
        "registry",
        "emit.edits",
        "emit.splices",
    ),
    *("probe.probes", "recognise.grids", "place.demands", "place.carry", "place.hoist"),
)


def values() -> list[Any]:
    found = []
    for name in MODULES:
        module = importlib.import_module(f"codegen.rewrite.{name}")
        own = (v for v in vars(module).values() if getattr(v, "__module__", "") == module.__name__)
        found += [
            pytest.param(v, id=f"{name}.{v.__name__}")
            for v in own
            if isinstance(v, type) and is_dataclass(v)
        ]
    return found


@pytest.mark.parametrize("value", values())
def test_values_are_frozen(value: Any) -> None:
    assert value.__dataclass_params__.frozen
