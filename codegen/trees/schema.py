"""JSON schemas: of the ``[tool.codegen]`` table and of the reports of ``--format json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, get_type_hints

from codegen.trees.config import FORMATTERS, LONGEST_LINE, SUPER_CALLS, Config

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_STRING = {"type": "string"}
_STRINGS = {"type": "array", "items": _STRING}
#: The type of a setting, as an annotation of Config spells it, in the words of JSON schema.
_TYPES: Mapping[Any, Mapping[str, Any]] = {
    str: _STRING,
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    tuple[str, ...]: _STRINGS,
    Mapping[str, str]: {"type": "object", "additionalProperties": _STRING},
    Mapping[str, tuple[str, ...]]: {"type": "object", "additionalProperties": _STRINGS},
}
_LIMITS: Mapping[str, Mapping[str, Any]] = {
    "formatter": {"enum": list(FORMATTERS)},
    "super-calls": {"enum": list(SUPER_CALLS)},
    "line-length": {"minimum": 1, "maximum": LONGEST_LINE},
}


def table_schema() -> dict[str, Any]:
    """Schema of the ``[tool.codegen]`` table, made from the settings themselves."""
    types = get_type_hints(Config)
    properties = {}
    for item in fields(Config):
        key = item.name.replace("_", "-")
        default = item.default_factory() if item.default_factory is not MISSING else item.default
        properties[key] = {
            "description": item.metadata["help"],
            **_TYPES[types[item.name]],
            **_LIMITS.get(key, {}),
            "default": list(default) if isinstance(default, tuple) else default,
        }
    return {
        "$schema": _DRAFT,
        "title": "[tool.codegen]",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def report_schema() -> dict[str, Any]:
    """Schema of what ``sync``, ``check`` and ``list`` print with ``--format json``."""
    return {
        "$schema": _DRAFT,
        "title": "report of codegen",
        "type": "object",
        "required": ["command", "root", "seconds", "models", "problems", "dependents", "rewrites"],
        "properties": {
            "command": {"type": "string", "description": "sync, check or list"},
            "root": {"type": "string", "description": "the tree"},
            "seconds": {"type": "number"},
            "models": {"type": "array", "items": _MODEL},
            "rules": _RULES,
            "problems": {"type": "array", "items": _PROBLEM},
            "dependents": {**_STRINGS, "description": "built from these models, not looked at"},
            "rewrites": {"type": "array", "items": _REWRITE},
        },
    }


_RULES = {
    "type": ["object", "null"],
    "description": "by which rules a library's tree was expanded; null for a project",
    "properties": {
        "release": {"type": "string", "description": "what the tree says it is"},
        "oldest_known": _STRING,
        "newest_known": _STRING,
        "shown": {
            "type": "array",
            "description": "rules that the files show although that release has others",
            "items": {
                "type": "object",
                "required": ["rule", "value", "files"],
                "properties": {"rule": _STRING, "value": {}, "files": {"type": "integer"}},
            },
        },
        "files": {"type": "integer", "description": "generated files of the tree"},
        "unexplained": {**_STRINGS, "description": "files that no rule and no edit explains"},
        "unknown": {"type": "boolean", "description": "sync writes nothing without --force"},
    },
}
_FILE = {
    "type": "object",
    "required": ["path", "state"],
    "properties": {
        "path": _STRING,
        "state": {"type": "string", "description": "how the file relates to its definition"},
        "added": {"type": "integer", "description": "lines that sync would add"},
        "removed": {"type": "integer", "description": "lines that sync would remove"},
        "copy": {"type": ["string", "null"], "description": "where what was there was kept"},
        "diff": {"type": "string", "description": "unified difference (check --diff)"},
    },
}
_MODEL = {
    "type": "object",
    "required": ["model", "definition", "state", "files", "written", "parents", "lines"],
    "properties": {
        "model": _STRING,
        "definition": _STRING,
        "state": _STRING,
        "files": {"type": "array", "items": _FILE},
        "written": _STRINGS,
        "parents": _STRINGS,
        "lines": {
            "type": "object",
            "required": ["definition", "generated"],
            "properties": {
                "definition": {"type": "integer"},
                "generated": {"type": "integer"},
            },
        },
        "warnings": {"type": "array"},
        "expanded": {"type": "boolean"},
        "blocked_by": {"type": ["string", "null"]},
    },
}
_PROBLEM = {
    "type": "object",
    "required": ["code", "message", "path", "line", "hint"],
    "properties": {
        "code": _STRING,
        "message": _STRING,
        "path": {"type": ["string", "null"]},
        "line": {"type": ["integer", "null"]},
        "hint": {"type": ["string", "null"]},
    },
}
_REWRITE = {
    "type": "object",
    "required": ["model", "cls", "method", "kind", "location", "helper", "reason"],
    "properties": dict.fromkeys(
        ("model", "cls", "method", "kind", "location", "helper", "reason"), _STRING
    )
    | {"parameters": _STRINGS, "path_taken": _STRINGS},
}
SCHEMAS = {"table": table_schema, "report": report_schema}
