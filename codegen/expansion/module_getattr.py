"""A module-level ``__getattr__`` names moved or deprecated classes; split it by generated file."""

from __future__ import annotations

import ast
from collections.abc import Callable

from codegen.text.lines import LineMap


def restrict_getattr(text: str, keep: Callable[[str], bool]) -> str:
    """Reduce the mappings in ``__getattr__ = f(..., names={"Old": ...})`` to the keys to keep.

    Anything that is not such a call is returned as it is.
    """
    node = ast.parse(text).body[0]
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
        return text
    lines, call = LineMap(text), node.value
    arguments = [_cut(lines, argument) for argument in call.args]
    for keyword in call.keywords:
        value = _cut(lines, keyword.value)
        if isinstance(keyword.value, ast.Dict):
            reduced = _restrict_mapping(lines, keyword.value, keep)
            if reduced is None:
                continue
            value = reduced
        arguments.append(f"{keyword.arg}={value}" if keyword.arg else f"**{value}")
    start = lines.span(call.func)[1]
    return f"{text[:start]}({', '.join(arguments)}){text[lines.span(call)[1] :]}"


def _restrict_mapping(lines: LineMap, node: ast.Dict, keep: Callable[[str], bool]) -> str | None:
    """The mapping with the entries to keep, as written; None when nothing remains."""
    kept = [
        isinstance(key, ast.Constant) and isinstance(key.value, str) and keep(key.value)
        for key in node.keys
    ]
    if all(kept):
        return _cut(lines, node)
    if not any(kept):
        return None
    entries = [
        f"{_cut(lines, key)}: {_cut(lines, value)}"
        for key, value, wanted in zip(node.keys, node.values, kept)
        if wanted and key is not None
    ]
    return "{" + ", ".join(entries) + "}"


def _cut(lines: LineMap, node: ast.expr) -> str:
    start, end = lines.span(node)
    return lines.text[start:end]
