"""Imports of helpers, by libcst on the lines of one import.

Only the import that is extended, or the one that the new one comes behind, is parsed. Where a statement imports
plain names of one module it gets more of them; anything else is left to libcst's own visitors, which take longer
to load than all imports take to write.
"""

from __future__ import annotations

import ast
from collections.abc import Container, Iterable, Sequence
from functools import lru_cache

import libcst as cst
from libcst.helpers import get_full_name_for_node

from codegen.rewrite.emit.layout import comments_in, newline
from codegen.rewrite.emit.splices import Splice, spliced
from codegen.rewrite.helpers import HELPER_MODULES, helper_path
from codegen.rewrite.modules import ModuleInfo

MAX_LINE = 119
TORCH = "torch"
OPTIONAL = "Optional"
"""What written code may speak of although nobody asked for it: in annotations."""


_PACKAGE = ".".join("abcdefgh")
"""Stands for the package of a file; what matters is that relative names of one level are comparable."""


def import_splices(info: ModuleInfo, names: Iterable[str], package: str) -> list[Splice]:
    """What makes a module import helpers: a longer import of the helper module, or a new one."""
    by_spelling: dict[str, list[str]] = {}
    names = set(names)
    for name in sorted(names - {TORCH, *info.imports}):
        spelling = "typing" if name == OPTIONAL else helper_path(package, HELPER_MODULES[name])
        by_spelling.setdefault(spelling, []).append(name)
    made = [_torch_splice(info)] if TORCH in names else []
    levels = {node.level for node in info.tree.body if isinstance(node, ast.ImportFrom)}
    added: dict[int, list[str]] = {}
    for spelling, new in sorted(by_spelling.items()):
        existing = _existing(info, spelling)
        if existing is not None:
            start, end = info.text.statement_lines(existing)
            lines = info.source.text[start:end]
            made.append(Splice(start, end, _with_names(lines, spelling, tuple(new))))
            continue
        lines = _with_names("", spelling, tuple(new))
        blank = "" if _level(spelling) in levels else "\n"
        levels.add(_level(spelling))
        added.setdefault(_place(info, spelling), []).append(blank + lines)
    return made + [Splice(place, place, "".join(lines)) for place, lines in added.items()]


def _torch_splice(info: ModuleInfo) -> Splice:
    """``import torch`` behind the other plain imports, else in front of those of names."""
    imports = [n for n in info.tree.body if isinstance(n, (ast.ImportFrom, ast.Import))]
    plain = [node for node in imports if isinstance(node, ast.Import)]
    future = [n for n in imports if isinstance(n, ast.ImportFrom) and n.module == "__future__"]
    behind = (plain or future)[-1:]
    if behind:
        place = info.text.statement_lines(behind[0])[1]
    else:
        place = info.text.statement_lines(imports[0])[0] if imports else 0
    return Splice(place, place, _with_names("", TORCH, ()))


@lru_cache(maxsize=4096)
def _with_names(lines: str, module: str, names: tuple[str, ...]) -> str:
    """Lines with an import of a module, or none, that import names of it; without names the module."""
    old = cst.parse_module(lines).with_changes(has_trailing_newline=True)
    new = _extended(old, module, names) or _by_visitor(old, module, names)
    return new.visit(_Layout({module})).code


def _extended(old: cst.Module, module: str, names: Sequence[str]) -> cst.Module | None:
    """Lines with one more import, or with more names in the only one; None where they are anything else."""
    if not old.body:
        imported = (
            f"from {module} import {', '.join(sorted(names))}" if names else f"import {module}"
        )
        return old.with_changes(body=[*cst.parse_module(imported).body])
    found = _only_import(old.body[0]) if len(old.body) == 1 else None
    if found is None or isinstance(found.names, cst.ImportStar) or not names:
        return None
    added = (cst.ImportAlias(cst.Name(name)) for name in sorted(names))
    longer = found.with_changes(names=[*added, *found.names])
    return old.with_changes(body=[old.body[0].with_changes(body=[longer])])


def _by_visitor(old: cst.Module, module: str, names: Sequence[str]) -> cst.Module:
    """The same by libcst's visitor, which finds imports wherever they stand."""
    from libcst.codemod import CodemodContext
    from libcst.codemod.visitors import AddImportsVisitor, ImportItem

    # Below a package an existing relative import is found, and without one a new import stays relative.
    context = CodemodContext(full_package_name=_PACKAGE if old.body else None)
    items = [ImportItem(module, name) for name in names or (None,)]
    return AddImportsVisitor(context, items).transform_module(old)


def _only_import(statement: cst.CSTNode) -> cst.ImportFrom | None:
    """The import of single names that a statement is, None if it is or holds anything else."""
    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) > 1:
        return None
    only = statement.body[0]
    if not isinstance(only, cst.ImportFrom) or isinstance(only.names, cst.ImportStar):
        return None
    return only


def idle_splices(info: ModuleInfo, text: str) -> list[Splice]:
    """What takes out imports of single modules that a file has no more use for, by its new text.

    Only names that stand nowhere else are looked at, so that none is missed in strings or ``__all__``.
    """
    found = []
    for node in info.tree.body:
        if not isinstance(node, ast.Import) or len(node.names) > 1:
            continue
        name = node.names[0].asname or node.names[0].name
        if text.count(name) == 1 and info.source.text.count(name) > 1:
            start, end = info.text.start_of(node.lineno), info.text.statement_lines(node)[1]
            if "#" not in info.source.text[start:end]:
                found.append(Splice(start, end, ""))
    return found


def without_import(info: ModuleInfo, name: str) -> str:
    """The text of a module without the import of a name that it no longer uses."""
    from libcst.codemod import CodemodContext
    from libcst.codemod.visitors import ImportItem, RemoveImportsVisitor

    splices = []
    for node in info.tree.body:
        if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names):
            start, end = info.text.start_of(node.lineno), info.text.statement_lines(node)[1]
            context = CodemodContext(full_package_name=_PACKAGE)
            item = ImportItem(_spelling(node), name).resolve_relative(_PACKAGE)
            RemoveImportsVisitor.remove_unused_import(context, item.module, name)
            lines = cst.parse_module(info.source.text[start:end])
            new = RemoveImportsVisitor(context).transform_module(lines)
            code = new.visit(_Layout({_spelling(node)})).code
            if not code.strip():
                end += _gap(info.source.text, start, end)
                code = ""
            splices.append(Splice(start, end, code))
    return spliced(info.source.text, splices)


def _gap(text: str, start: int, end: int) -> int:
    """How many blank lines behind a statement go with it: those that are as well in front of it."""
    before, behind = text[:start], text[end:]
    above = len(before) - len(before.rstrip("\n")) - 1
    return max(0, min(above, len(behind) - len(behind.lstrip("\n"))))


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


def _level(spelling: str) -> int:
    return len(spelling) - len(spelling.lstrip("."))


def _existing(info: ModuleInfo, spelling: str) -> ast.ImportFrom | None:
    for node in info.tree.body:
        if isinstance(node, ast.ImportFrom) and _spelling(node) == spelling:
            return node
    return None


def _place(info: ModuleInfo, spelling: str) -> int:
    """Where a new import goes: in order among those of its level, else behind all others.

    Without imports that is behind the docstring of the module.
    """
    imports = [n for n in info.tree.body if isinstance(n, (ast.ImportFrom, ast.Import))]
    same = [n for n in imports if isinstance(n, ast.ImportFrom) and n.level == _level(spelling)]
    smaller = [node for node in same if _spelling(node) < spelling]
    if same and not smaller:
        return info.text.start_of(same[0].lineno)
    first = info.tree.body[0] if info.tree.body else None
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    behind = (smaller or imports or ([first] if first and is_docstring else []))[-1:]
    return info.text.statement_lines(behind[0])[1] if behind else 0
