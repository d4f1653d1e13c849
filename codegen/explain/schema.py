"""JSON schemas of what `explain`, `impact` and `graph` report: those of the values that they report."""

from __future__ import annotations

import inspect
import types
from dataclasses import fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_PLAIN = {str: "string", int: "integer", bool: "boolean", type(None): "null"}


def explain_schema() -> dict[str, Any]:
    """Of `explain --format json`: one entry for each target, or for each frame."""
    from codegen.explain.values import Explanation, MemberExplanation

    either = {"anyOf": [schema_of(Explanation), schema_of(MemberExplanation)]}
    return {"$schema": _DRAFT, "title": "explanations of codegen", "type": "array", "items": either}


def impact_schema() -> dict[str, Any]:
    """Of `impact --format json`: what was asked about, by its name."""
    from codegen.explain.impact import Impact

    inner = schema_of(Impact)
    title = "impact of edits, by codegen"
    return {"$schema": _DRAFT, "title": title, "type": "object", "additionalProperties": inner}


def graph_schema() -> dict[str, Any]:
    """Of `graph --format json`."""
    from codegen.graph.build import Graph

    return {"$schema": _DRAFT, "title": "graph of models of codegen", **schema_of(Graph)}


def schema_of(kind: Any) -> dict[str, Any]:
    """The schema of values of a type: of dataclasses, tuples of one type, unions, and plain values."""
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    if get_origin(kind) is tuple:
        inner, *_ = get_args(kind)
        return {"type": "array", "items": schema_of(inner)}
    if get_origin(kind) in (Union, types.UnionType):
        return {"anyOf": [schema_of(each) for each in get_args(kind)]}
    if not is_dataclass(kind):
        raise TypeError(f"no schema for {kind}")
    hints = get_type_hints(kind)
    names = [item.name for item in fields(kind)]
    return {
        "type": "object",
        "description": " ".join((inspect.getdoc(kind) or "").split()),
        "required": names,
        "properties": {name: schema_of(hints[name]) for name in names},
        "additionalProperties": False,
    }
