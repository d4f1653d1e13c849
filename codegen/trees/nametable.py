"""Where the spellings of model names come from.

A transformers tree has a table in its auto-configuration modules; it is read, not imported. A
project needs none: its spellings follow from the class names in its files.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from codegen.errors import CodegenError, fail
from codegen.trees.names import NameTable

_TABLE = "CONFIG_MAPPING_NAMES"
_CONSTRUCTOR = re.compile(r"(?:OrderedDict|dict)\b")


def read_name_table(texts: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Evaluate the table from the source of the modules that build it, in import order.

    ``texts`` are (path, source) pairs. Literals, ``OrderedDict([...])``, ``.update({...})`` and
    ``OrderedDict(**{...}, **TABLE)`` are understood; anything else about the table is an error.
    """
    table: dict[str, str] = {}
    for path, text in texts:
        for node in _statements(path, text):
            value: ast.expr | None = None
            if isinstance(node, (ast.Assign, ast.AnnAssign)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(isinstance(target, ast.Name) and target.id == _TABLE for target in targets):
                    value = node.value
                    if value is not None:
                        table = _evaluate(value, table, path)
            elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                call = node.value
                if ast.unparse(call.func) == f"{_TABLE}.update":
                    for argument in call.args:
                        table = {**table, **_evaluate(argument, table, path)}
    return table


def _statements(path: str, text: str) -> list[ast.stmt]:
    try:
        return ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = (error.lineno or 0) if isinstance(error, SyntaxError) else 0
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        message = f"cannot parse the file: {reason}"
        raise fail("syntax-error", message, path, line, "fix the syntax error") from None


def _evaluate(node: ast.expr, table: Mapping[str, str], path: str) -> dict[str, str]:
    if isinstance(node, ast.Name) and node.id == _TABLE:
        return dict(table)
    if isinstance(node, (ast.Dict, ast.List, ast.Tuple)):
        return dict(_literal(node, path))
    if isinstance(node, ast.Call) and _CONSTRUCTOR.match(ast.unparse(node.func)):
        result: dict[str, str] = {}
        for argument in node.args:
            result.update(_evaluate(argument, table, path))
        for keyword in node.keywords:
            if keyword.arg is None:
                result.update(_evaluate(keyword.value, table, path))
            else:
                result[keyword.arg] = _literal(keyword.value, path)
        return result
    raise _unexpected(node, path)


def _literal(node: ast.expr, path: str) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        raise _unexpected(node, path) from None


def _unexpected(node: ast.expr, path: str) -> CodegenError:
    return fail(
        "name-table",
        f"cannot read {_TABLE}: unexpected `{ast.unparse(node)[:60]}`",
        path,
        node.lineno,
        "the table must be built from literals",
    )


class RecordingTable(NameTable):
    """A name table that remembers what it was asked, so that a change of an answer shows."""

    def __init__(self, config_classes: Mapping[str, str]) -> None:
        super().__init__(config_classes)
        object.__setattr__(self, "lookups", {})

    lookups: dict[str, str]

    def cased(self, lower: str) -> str:
        """See :meth:`NameTable.cased`."""
        return self.lookups.setdefault(f"cased:{lower}", super().cased(lower))

    def lower(self, cased: str) -> str:
        """See :meth:`NameTable.lower`."""
        return self.lookups.setdefault(f"lower:{cased}", super().lower(cased))


def answer(table: NameTable, question: str) -> str:
    """Repeat a recorded question (``cased:...`` or ``lower:...``) on another table."""
    kind, _, name = question.partition(":")
    return table.cased(name) if kind == "cased" else table.lower(name)


class ProjectNames(RecordingTable):
    """Spellings of a project: known models by their class names, their parts by composition."""

    def cased(self, lower: str) -> str:
        """``qwen2_vl_text`` is ``Qwen2VL`` + ``Text`` where ``qwen2_vl`` is known."""
        known = self._known_prefix(lower, self.config_classes)
        if known and known != lower:
            rest = lower[len(known) + 1 :]
            return super().cased(known) + "".join(part.title() for part in rest.split("_"))
        return super().cased(lower)

    def lower(self, cased: str) -> str:
        """Inverse of :meth:`cased`."""
        for lower in sorted(self.config_classes, key=len, reverse=True):
            spelled = super().cased(lower)
            if cased != spelled and cased.startswith(spelled):
                rest = super().lower(cased[len(spelled) :])
                if rest:
                    return f"{lower}_{rest}"
        return super().lower(cased)

    @staticmethod
    def _known_prefix(lower: str, known: Iterable[str]) -> str | None:
        fitting = [name for name in known if lower == name or lower.startswith(f"{name}_")]
        return max(fitting, key=len, default=None)


def infer_cased(model: str, class_names: Iterable[str]) -> str | None:
    """The spelling of a model name that its class names begin with, whatever its capitals."""
    wanted = model.replace("_", "").lower()
    found: Counter[str] = Counter()
    for name in class_names:
        prefix = ""
        for char in name:
            prefix += char
            if prefix.replace("_", "").lower() == wanted:
                following = name[len(prefix) : len(prefix) + 1]
                if following == "_":
                    prefix += "_" if model.endswith("_") else ""
                found[prefix] += 1
                break
    return found.most_common(1)[0][0] if found else None
