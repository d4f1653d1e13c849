"""Every number and switch of the passes that stands by a name, as a table: limits, what is taken where nothing is given,
what classes of values promise.

A limit that moves is a decision, to be seen in ``golden/limits.txt`` and reviewed there; what happens on both sides
of the limits of interpreting is in ``test_budget.py``.
Record anew with ``pytest tests/rewrite/test_limits.py --update-golden``.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import codegen.rewrite

PACKAGE = "codegen.rewrite"
TABLE = Path(__file__).parent / "golden" / "limits.txt"


def is_number(value: object) -> bool:
    """Whether something is a number or a switch, or holds any beside words."""
    if isinstance(value, (np.ndarray, range)):
        return True
    if isinstance(value, (tuple, list, frozenset, dict)):
        items = [*(value.values() if isinstance(value, dict) else value)]
        plain = [item for item in items if isinstance(item, str) or is_number(item)]
        return len(plain) == len(items) and any(not isinstance(item, str) for item in items)
    return isinstance(value, (bool, int, float))


def spelled(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.size} numbers, {hashlib.sha256(repr(value.tolist()).encode()).hexdigest()[:12]}"
    return repr(sorted(value)) if isinstance(value, frozenset) else repr(value)


def constants(module: ModuleType) -> Iterator[tuple[str, object]]:
    """Values that a module gives a name, where a number is written down for them."""
    for node in ast.parse(inspect.getsource(module)).body:
        if not any(isinstance(n, ast.Constant) and is_number(n.value) for n in ast.walk(node)):
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            if isinstance(target, ast.Name):
                yield target.id, getattr(module, target.id, None)


def defaults(module: ModuleType) -> Iterator[tuple[str, object]]:
    """What functions and classes of a module take where nothing is given."""
    for name, kind in vars(module).items():
        if getattr(kind, "__module__", "") != module.__name__:
            continue
        found = {name: kind}
        if isinstance(kind, type):
            found = {f"{name}.{inner}": value for inner, value in vars(kind).items()}
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            found.pop(f"{name}.__init__", None)
            yield from ((f"{name}.{f.name}", f.default) for f in dataclasses.fields(kind))
        for full, value in found.items():
            function = inspect.unwrap(value) if callable(value) else None
            if inspect.isfunction(function) and function.__module__ == module.__name__:
                for parameter in inspect.signature(function).parameters.values():
                    yield f"{full}({parameter.name})", parameter.default


def promises(module: ModuleType) -> Iterator[str]:
    """What the dataclasses of a module promise."""
    for name, kind in vars(module).items():
        if not isinstance(kind, type) or kind.__module__ != module.__name__:
            continue
        if not dataclasses.is_dataclass(kind):
            continue
        known: Any = kind
        options = {n: getattr(known.__dataclass_params__, n) for n in ("frozen", "eq", "order")}
        kept = [
            *(n for n, is_so in options.items() if is_so),
            *["slots"] * ("__slots__" in vars(kind)),
        ]
        yield f"{name}: {', '.join(kept) or 'nothing'}"


def modules() -> list[str]:
    walked = pkgutil.walk_packages(codegen.rewrite.__path__, f"{PACKAGE}.")
    return [found.name.removeprefix(f"{PACKAGE}.") for found in walked]


def of_module(name: str) -> Iterator[str]:
    module = importlib.import_module(f"{PACKAGE}.{name}")
    for label, value in (*constants(module), *defaults(module)):
        if is_number(value):
            yield f"{name}: {label} = {spelled(value)}"
    yield from (f"{name}: {promise}" for promise in promises(module))


def test_each_module_with_limits_is_recorded(update_golden: bool) -> None:
    if update_golden:
        lines = (f"{line}\n" for name in modules() for line in of_module(name))
        TABLE.write_text("".join(lines), encoding="utf-8")
    recorded = TABLE.read_text(encoding="utf-8").split("\n")[:-1]
    assert {line.partition(":")[0] for line in recorded} <= {*modules()}


@pytest.mark.parametrize("name", modules())
def test_limits_are_as_recorded(name: str) -> None:
    recorded = TABLE.read_text(encoding="utf-8").split("\n")
    wanted = [line for line in recorded if line.startswith(f"{name}: ")]
    update = "record anew with: pytest tests/rewrite/test_limits.py --update-golden"
    assert [*of_module(name)] == wanted, update
