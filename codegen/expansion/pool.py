"""Choose the imports of each generated file from the pool that all files of a model share."""

from __future__ import annotations

import ast
import re
import symtable
import textwrap
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from codegen.errors import fail
from codegen.expansion.model import Item
from codegen.text.imports import ImportedName, ImportGuard, ImportStatement, PoolEntry
from codegen.text.lexer import lex

# A string that could be a type, where a type can stand; the syntax tree decides about the few hits.
_TYPE_STRING = re.compile(r"(?:[:>|\[,(=]|\bin\b)[ \t\n]*[\"']([\w.\[\], |]+)[\"']")
_WORD = re.compile(r"[^\W\d]\w*")


def used_names(code: str, items: Sequence[Item], candidates: Collection[str]) -> set[str]:
    """The ``candidates`` (names bound by imports) that the definitions in ``code`` refer to.

    References in annotations that are written as strings count; other strings do not. A dotted
    name (``import a.b``) is used where its whole path is.
    """
    try:
        table = symtable.symtable(code, "<definitions>", "exec")
    except SyntaxError as error:
        raise _broken(error, code, items) from None
    roots = {name.split(".", 1)[0] for name in candidates}
    referenced = set(_referenced(table, roots, frozenset()))
    missing = roots - referenced
    if missing:
        referenced |= _quoted_annotations(code, missing)
    dotted = [name for name in candidates if "." in name]
    used = {name for name in candidates if "." not in name and name in referenced}
    if dotted:
        used = _resolve_dotted(code, used, dotted, referenced)
    return used


def _referenced(
    table: symtable.SymbolTable, names: set[str], imported: frozenset[str]
) -> Iterator[str]:
    """Those of ``names`` that a scope reads from the module or from an import of its own.

    ``imported`` are the names that the functions around the scope import.
    """
    top = table.get_type() == "module"
    for name in names.intersection(table.get_identifiers()):
        symbol = table.lookup(name)
        if symbol.is_imported():
            imported |= {name}
        from_import = symbol.is_imported() or (symbol.is_free() and name in imported)
        if symbol.is_referenced() and (top or symbol.is_global() or from_import):
            yield name
    for child in table.get_children():
        yield from _referenced(child, names, imported)


def _broken(error: SyntaxError, code: str, items: Sequence[Item]) -> Exception:
    """An expansion that is no valid Python, traced back to the definition it comes from."""
    line, seen = error.lineno or 1, 0
    for item in items:
        seen += (item.lead + item.text).count("\n") + 1
        if seen >= line:
            path, _, start = item.origin.rpartition(":")
            source = code.split("\n")[line - 1].strip() if code else ""
            return fail(
                "invalid-expansion",
                f"expanding {item.name} gives invalid Python ({error.msg}): {source}",
                path,
                int(start or 0),
                "check signatures and class bodies that combine definition and parent",
            )
    return fail("invalid-expansion", f"the expansion is invalid Python: {error.msg}")


def _quoted_annotations(code: str, names: Collection[str]) -> set[str]:
    """Those of ``names`` that occur in annotations written as strings (``Literal`` excepted)."""
    present = [name for name in names if name in code]
    if not present:
        return set()
    quoted = {word for text in _TYPE_STRING.findall(code) for word in _WORD.findall(text)}
    missing = quoted.intersection(present)
    if not missing:
        return set()
    wanted = re.compile(r"\b(?:" + "|".join(map(re.escape, missing)) + r")\b")
    found: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        annotations = (getattr(node, "annotation", None), getattr(node, "returns", None))
        for annotation in annotations:
            if isinstance(annotation, ast.expr):
                for text in _annotation_strings(annotation):
                    found.update(wanted.findall(text))
    return found


def _annotation_strings(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.Subscript):
        if not ast.unparse(node.value).endswith("Literal"):
            yield from _annotation_strings(node.slice)
    else:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                yield from _annotation_strings(child)


def _resolve_dotted(
    code: str, used: set[str], dotted: Sequence[str], referenced: set[str]
) -> set[str]:
    """Attribute each use of ``a.b.c`` to the longest imported prefix of it."""
    roots = {name.split(".", 1)[0] for name in dotted} & referenced
    result = {name for name in used if name not in roots}
    for root in roots:
        options = sorted(
            [name for name in dotted if name.split(".", 1)[0] == root]
            + ([root] if root in used else []),
            key=len,
            reverse=True,
        )
        for chain in re.findall(rf"(?<![\w.]){re.escape(root)}(?:\.\w+)*", _code_with_types(code)):
            match = next((o for o in options if f"{chain}.".startswith(f"{o}.")), None)
            if match:
                result.add(match)
    return result


def _code_with_types(code: str) -> str:
    """Blanked-out code plus the one-line strings, which may be annotations."""
    lexed = lex(code)
    quoted = (code[start:end].strip("\"'") for start, end in lexed.strings)
    return lexed.code + "\n" + "\n".join(text for text in quoted if "\n" not in text)


def bound_names(pool: Iterable[PoolEntry]) -> set[str]:
    """Every name that some import of the pool binds."""
    return {name.bound for statement in _statements(pool) for name in statement.names}


def _statements(pool: Iterable[PoolEntry]) -> Iterator[ImportStatement]:
    for entry in pool:
        if isinstance(entry, ImportGuard):
            yield from entry.body
        else:
            yield entry


def guard_names(pool: Iterable[PoolEntry]) -> set[str]:
    """Names read in the conditions and ``else`` parts of the guards: they count as used."""
    found: set[str] = set()
    for entry in pool:
        if isinstance(entry, ImportGuard):
            tree = ast.parse(f"if {entry.condition}:\n    pass\n{textwrap.dedent(entry.tail)}")
            found.update(
                node.id
                for node in ast.walk(tree)
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
            )
    return found


def select_imports(
    pool: Sequence[PoolEntry],
    used: Collection[str],
    defined: Collection[str],
    path: str,
    as_conditions: bool = False,
) -> list[PoolEntry]:
    """Reduce the pool to the used names; the first provider wins. Guards come last.

    ``as_conditions``: what a guard gives, it gives on its condition only. It is no provider for
    anything else, guards of other conditions included.
    """
    provided: set[str] = set()

    def reduce(statement: ImportStatement, condition: str = "") -> ImportStatement | None:
        names: list[ImportedName] = []
        for name in statement.names:
            given = name.bound in provided or f"{condition}: {name.bound}" in provided
            if name.bound in used and name.bound not in defined and not given:
                provided.add(f"{condition}: {name.bound}" if condition else name.bound)
                names.append(name)
        return statement.only(tuple(names)) if names else None

    plain: list[PoolEntry] = []
    guards: list[PoolEntry] = []
    if as_conditions:
        pool = sorted(pool, key=lambda entry: isinstance(entry, ImportGuard))
    for entry in pool:
        if isinstance(entry, ImportStatement):
            if kept := reduce(entry):
                plain.append(kept)
            continue
        condition = f"{entry.condition}\n{entry.tail}" if as_conditions else ""
        body = tuple(kept for each in entry.body if (kept := reduce(each, condition)))
        if body and entry.mixed:
            raise fail(
                "mixed-guard",
                f"`if {entry.condition}:` mixes imports with other statements",
                entry.path or path,
                entry.line,
                "keep only imports in the `if` block",
            )
        if body:
            guards.append(replace(entry, body=body))
    return plain + guards
