"""Imports of helpers, by libcst's own visitors on the lines of one import.

Only the import that is extended, or the one that the new one comes behind, is given to them.
"""

from __future__ import annotations

import ast
from collections.abc import Container, Iterable, Mapping

import libcst as cst
from libcst.codemod import CodemodContext
from libcst.codemod.visitors import AddImportsVisitor, ImportItem, RemoveImportsVisitor
from libcst.helpers import get_full_name_for_node

from codegen.rewrite.emit.layout import comments_in, newline
from codegen.rewrite.emit.splices import Splice, spliced
from codegen.rewrite.helpers import HELPER_MODULES, helper_path
from codegen.rewrite.library import ModuleInfo

MAX_LINE = 119
TORCH = "torch"
"""The module that written code may speak of although nobody asked for it: in annotations."""

Place = tuple[int, int]


_PACKAGE = ".".join("abcdefgh")
"""Stands for the package of a file; what matters is that relative names of one level are comparable."""


def import_splices(info: ModuleInfo, names: Iterable[str], package: str) -> list[Splice]:
    """What makes a module import helpers: a longer import of the helper module, or a new one."""
    by_spelling: dict[str, list[str]] = {}
    names = set(names)
    made = []
    if TORCH in names:
        made.append(_torch_splice(info))
    for name in sorted(names - {TORCH, *info.imports}):
        spelling = helper_path(package, HELPER_MODULES[name])
        by_spelling.setdefault(spelling, []).append(name)
    wanted: dict[Place, dict[str, list[str]]] = {}
    for spelling, new in sorted(by_spelling.items()):
        wanted_at = _place(info, spelling)
        wanted.setdefault(wanted_at, {})[spelling] = new
    made += [
        Splice(*place, _with_imports(info, place, imports)) for place, imports in wanted.items()
    ]
    return made


def _torch_splice(info: ModuleInfo) -> Splice:
    """``import torch`` behind the other plain imports, else in front of those of names."""
    imports = [n for n in info.tree.body if isinstance(n, (ast.ImportFrom, ast.Import))]
    plain = [node for node in imports if isinstance(node, ast.Import)]
    future = [n for n in imports if isinstance(n, ast.ImportFrom) and n.module == "__future__"]
    behind = (plain or future)[-1:]
    if behind:
        start, end = info.text.statement_lines(behind[0])
    else:
        start = end = info.text.statement_lines(imports[0])[0] if imports else 0
    context = CodemodContext()
    AddImportsVisitor.add_needed_import(context, TORCH)
    lines = _parsed(info.source.text[start:end])
    return Splice(start, end, AddImportsVisitor(context).transform_module(lines).code)


def _parsed(lines: str) -> cst.Module:
    """Whole lines as a module, which may be none."""
    return cst.parse_module(lines).with_changes(has_trailing_newline=True)


def without_import(info: ModuleInfo, name: str) -> str:
    """The text of a module without the import of a name that it no longer uses."""
    splices = []
    for node in info.tree.body:
        if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names):
            start, end = info.text.start_of(node.lineno), info.text.statement_lines(node)[1]
            context = CodemodContext(full_package_name=_PACKAGE)
            item = ImportItem(_spelling(node), name).resolve_relative(_PACKAGE)
            RemoveImportsVisitor.remove_unused_import(context, item.module, name)
            lines = cst.parse_module(info.source.text[start:end])
            new = RemoveImportsVisitor(context).transform_module(lines)
            splices.append(Splice(start, end, new.visit(_Layout({_spelling(node)})).code))
    return spliced(info.source.text, splices)


def _with_imports(info: ModuleInfo, place: Place, imports: Mapping[str, list[str]]) -> str:
    """Some lines with an import, and further imports of names by module."""
    old = _parsed(info.source.text[slice(*place)])
    known = {_spelling_of(statement) for statement in old.body}
    new = old
    for is_known, package in ((True, _PACKAGE), (False, None)):
        # Only below a package is an existing relative import found, and only without stays a new one so.
        some = {module: names for module, names in imports.items() if (module in known) == is_known}
        if some:
            context = CodemodContext(full_package_name=package)
            for module, names in some.items():
                for name in names:
                    AddImportsVisitor.add_needed_import(context, module, name)
            new = AddImportsVisitor(context).transform_module(new)
    statements = list(new.body)
    spellings = {_spelling(node) for node in info.tree.body if isinstance(node, ast.ImportFrom)}
    levels = {_level(spelling) for spelling in spellings}
    for number in range(len(old.body), len(statements)):
        statement = statements[number]
        if _level(_spelling_of(statement)) not in levels:
            statements[number] = statement.with_changes(leading_lines=[cst.EmptyLine(indent=False)])
    return new.with_changes(body=statements).visit(_Layout(imports)).code


class _Layout(cst.CSTTransformer):
    """Imports of our helpers in sorted order, one name a line where they do not fit on one."""

    def __init__(self, modules: Container[str]) -> None:
        super().__init__()
        self.modules = modules

    def leave_ImportFrom(
        self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom
    ) -> cst.ImportFrom:
        """The statement as a formatter would have it, unless it holds comments."""
        names = updated_node.names
        if isinstance(names, cst.ImportStar) or any(comments_in(updated_node)):
            return updated_node
        if _node_spelling(updated_node) not in self.modules:
            return updated_node
        flat = sorted(names, key=lambda alias: alias.evaluated_name)
        plain = cst.MaybeSentinel.DEFAULT
        line = updated_node.with_changes(
            names=[alias.with_changes(comma=plain) for alias in flat], lpar=None, rpar=None
        )
        if len(cst.Module([]).code_for_node(line)) <= MAX_LINE:
            return line
        return line.with_changes(
            names=[
                alias.with_changes(comma=cst.Comma(whitespace_after=newline(None, margin)))
                for alias, margin in zip(flat, [*["    "] * (len(flat) - 1), ""])
            ],
            lpar=cst.LeftParen(newline(None, "    ")),
            rpar=cst.RightParen(),
        )


def _spelling(node: ast.ImportFrom) -> str:
    return "." * node.level + (node.module or "")


def _node_spelling(node: cst.ImportFrom) -> str:
    module = get_full_name_for_node(node.module) if node.module is not None else ""
    return "." * len(node.relative) + (module or "")


def _spelling_of(statement: cst.CSTNode) -> str:
    """The module that a line imports names from, empty for another line."""
    for node in (
        getattr(statement, "body", ()) if isinstance(statement, cst.SimpleStatementLine) else ()
    ):
        if isinstance(node, cst.ImportFrom):
            return _node_spelling(node)
    return ""


def _level(spelling: str) -> int:
    return len(spelling) - len(spelling.lstrip("."))


def _existing(info: ModuleInfo, spelling: str) -> ast.ImportFrom | None:
    for node in info.tree.body:
        if isinstance(node, ast.ImportFrom) and _spelling(node) == spelling:
            return node
    return None


def _place(info: ModuleInfo, spelling: str) -> Place:
    """The lines of the import to extend, or of the one that a new one comes behind.

    A new import stands in order among those of its level, else behind all others. No lines, at its
    place, if it comes first; without imports it stands behind the docstring of the module.
    """
    existing = _existing(info, spelling)
    if existing is not None:
        return info.text.statement_lines(existing)
    imports = [n for n in info.tree.body if isinstance(n, (ast.ImportFrom, ast.Import))]
    same = [n for n in imports if isinstance(n, ast.ImportFrom) and n.level == _level(spelling)]
    smaller = [node for node in same if _spelling(node) < spelling]
    if same and not smaller:
        start = info.text.start_of(same[0].lineno)
        return start, start
    if imports:
        return info.text.statement_lines((smaller or imports)[-1])
    first = info.tree.body[0] if info.tree.body else None
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return info.text.statement_lines(first) if first and is_docstring else (0, 0)
