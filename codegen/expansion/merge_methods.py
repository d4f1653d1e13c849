"""Expand ``super()`` calls of overriding methods into the statements of the parent's method."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from codegen.errors import fail
from codegen.text.classes import Function, adjust_indent, is_docstring
from codegen.text.lexer import lex
from codegen.text.lines import LineMap
from codegen.text.read_classes import functions_inside
from codegen.text.statements import Statement
from codegen.trees.dialect import Dialect

_DELETION = re.compile(r"def [^\n]*\([^\n]*\)[^\n]*:[^\n]*\n[ \t]*raise[^\n]*Error\(")


def is_deletion(method: Function) -> bool:
    """Whether an overriding method only says that the parent's is to be removed.

    The shape is exact: one blank line in front, an undecorated one-line signature, and a first
    line that raises some ``...Error(``.
    """
    return (
        not method.decorators
        and method.lead.strip(" \t") == "\n"
        and _DELETION.match(method.source.lstrip()) is not None
    )


def is_expandable(statement: Statement, name: str) -> bool:
    """Whether a statement is just ``[return] super().<name>(...)``, whatever the arguments."""
    node = statement.node
    value = node.value if isinstance(node, (ast.Expr, ast.Return)) else None
    return (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and value.func.attr == name
        and isinstance(value.func.value, ast.Call)
        and isinstance(value.func.value.func, ast.Name)
        and value.func.value.func.id == "super"
    )


@dataclass
class MethodMerger:
    """Expands the methods of one class; what is assigned or deleted after ``super()`` is
    remembered across its methods, as the convention has it."""

    inherited: Mapping[str, Function]
    bases: tuple[str, ...]
    path: str
    offset: int
    dialect: Dialect
    assigned: dict[str, Statement] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)

    def text(self, method: Function, name: str) -> str:
        """Source of the method with its ``super()`` call expanded, if it has one."""
        statements = list(method.body)
        for index, statement in enumerate(statements):
            if is_expandable(statement, name):
                before = [self._rewrite_parent_calls(item) for item in statements[:index]]
                body = self._expand(method, name, statement, before, statements[index + 1 :])
                return replace(method, body=tuple(body)).text()
        body = [
            self._rewrite_parent_calls(item)
            for item in statements
            if self.dialect.keeps_del or not isinstance(item.node, ast.Delete)
        ]
        return replace(method, body=tuple(body)).text()

    def nested(self, text: str, names: Collection[str]) -> str:
        """The source of a method with the functions inside it expanded that have such names."""
        pattern = rf"^[ \t]+(?:async )?def (?:{'|'.join(names)})\b"
        inner = text[text.index("def ") + 4 :]
        if not names or not re.search(pattern, inner, re.MULTILINE):
            return text
        count = len(functions_inside(text, names))
        # From the last to the first, so that an inner one comes before the one around it.
        for index in reversed(range(count)):
            (start, end), function = functions_inside(text, names)[index]
            text = text[:start] + self.text(function, function.name).rstrip("\n") + text[end:]
        return text

    def _expand(
        self,
        method: Function,
        name: str,
        call: Statement,
        before: list[Statement],
        rest: list[Statement],
    ) -> list[Statement]:
        parent = self.inherited.get(name)
        if parent is None:
            raise fail(
                "missing-parent-method",
                f"super().{name}() cannot be expanded: the parent class does not define {name}",
                self.path,
                self.offset + call.line,
                "write the inherited code out, or assign the result of the call",
            )
        body = [*before, *self._merge(parent, method.indent, rest)]
        return _init_first(body, parent, self.dialect.keeps_late_init)

    def _merge(self, parent: Function, indent: str, rest: list[Statement]) -> list[Statement]:
        for statement in rest:
            node = statement.node
            target = self._target(node)
            if target is not None:
                self.assigned[target] = statement
            elif isinstance(node, ast.Delete):
                self.deleted.add(_deleted_target(node))
        merged: list[Statement] = []
        for statement in parent.body:
            if statement in parent.docstrings:
                continue
            target = self._target(statement.node)
            if target in self.deleted:
                continue
            if target in self.assigned:
                merged.append(self.assigned[target])
            else:
                merged.append(adjust_indent(statement, parent.indent, indent))
        present = {statement.comparable() for statement in merged}
        for statement in rest:
            if isinstance(statement.node, ast.Delete) or any(
                statement is other for other in merged
            ):
                continue
            if statement.comparable() not in present:
                merged.append(statement)
                present.add(statement.comparable())
        for index, statement in enumerate(merged[:-1]):
            if "self.post_init(" in statement.lead + statement.text:
                merged.append(merged.pop(index))
                break
        return merged

    def _target(self, node: ast.stmt | None) -> str | None:
        """Text of the target that a statement assigns, if it is an assignment that counts."""
        if isinstance(node, ast.Assign):
            return ast.unparse(node.targets[0])
        if (
            self.dialect.annotated_targets
            and isinstance(node, ast.AnnAssign)
            and node.value is not None
        ):
            return ast.unparse(node.target)
        return None

    def _callable_bases(self) -> set[str]:
        """Texts that denote a base in explicit calls of its methods."""
        wanted = set(self.bases)
        if self.dialect.calls_listed_bases:
            return wanted | {f"{base}()" for base in wanted}
        if "GradientCheckpointingLayer" in wanted:
            wanted.add("nn.Module")
        if any("PreTrainedModel" in base for base in self.bases):
            wanted.add("PreTrainedModel")
        return wanted

    def _rewrite_parent_calls(self, statement: Statement) -> Statement:
        """Turn ``Parent.method(self, ...)`` into ``super().method(...)`` for bases that remain."""
        wanted = self._callable_bases()
        if not any(f"{base}." in statement.text for base in wanted):
            return statement
        text = "if True:\n" + statement.text
        lines, code = LineMap(text), lex(text).code
        edits: list[tuple[int, int, str]] = []
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            owner = node.func.value
            start, end = lines.span(owner)
            if text[start:end] not in wanted:
                continue
            edits.append((start, end, "super()"))
            if node.args and isinstance(node.args[0], ast.Name) and node.args[0].id == "self":
                begin, stop = lines.span(node.args[0])
                comma = re.match(r"\s*,\s*", code[stop:])
                edits.append((begin, stop + (comma.end() if comma else 0), ""))
        for start, end, replacement in sorted(edits, reverse=True):
            text = text[:start] + replacement + text[end:]
        return replace(statement, text=text.removeprefix("if True:\n"))


def _init_first(body: list[Statement], parent: Function, keeps_late: bool) -> list[Statement]:
    """Move ``super().__init__`` in front unless the parent, too, had statements before it."""
    call = "super().__init__"
    inherited = parent.body[_leading_docstrings(parent.body) + 1 :]
    if keeps_late and any(call in statement.comparable() for statement in inherited):
        return body
    first = _leading_docstrings(body)
    for index, statement in enumerate(body):
        if call in statement.comparable():
            rest = [item for item in body if item is not statement]
            return [*rest[:first], statement, *rest[first:]] if index > first else body
    return body


def _deleted_target(node: ast.Delete) -> str:
    """Text of what a ``del`` names: several names are one target, like that of ``a, b = ...``."""
    several = ast.Tuple(node.targets, ast.Del())
    return ast.unparse(node.targets[0] if len(node.targets) == 1 else several)


def _leading_docstrings(body: Sequence[Statement]) -> int:
    """How many docstrings stand at the start of a body."""
    count = 0
    while count < len(body) and is_docstring(body[count]):
        count += 1
    return count
