"""The ordered pool of imports that all generated files of a definition choose from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from codegen.expansion.model import ParsedModule
from codegen.expansion.rename import Spelling, rename_import_module
from codegen.text.imports import ImportedName, ImportGuard, ImportStatement, PoolEntry
from codegen.text.lines import split_lines
from codegen.trees.conventions import Convention, Provides


def build_pool(
    own: Sequence[PoolEntry],
    created: Sequence[ImportStatement],
    parents: Sequence[tuple[ParsedModule, Spelling]],
    model: str,
    convention: Convention,
    provides: Provides,
) -> list[PoolEntry]:
    """Own imports, then those created between files, then each parent's under its new names.

    A parent's statement is left out when its text, leading comments included, is there already.
    """
    pool: list[PoolEntry] = [*own, *created]
    present = {_identity(entry) for entry in pool}
    for parent, spelling in parents:
        for entry in parent.imports:
            renamed = rename_entry(entry, spelling, model)
            module = parent.source.module
            for adapted in convention.adapt_import(renamed, entry, module, provides):
                if _identity(adapted) not in present:
                    pool.append(adapted)
        present = {_identity(entry) for entry in pool}
    return pool


def _identity(entry: PoolEntry) -> str:
    return (entry.lead + entry.text()).strip()


def rename_entry(entry: PoolEntry, spelling: Spelling, model: str) -> PoolEntry:
    """A parent's import under the new names; absolute import-froms stay as they are."""
    if isinstance(entry, ImportGuard):
        condition = spelling.text(entry.condition, 0, len(entry.condition))
        tail = spelling.text(entry.tail, 0, len(entry.tail))
        body = tuple(_rename_statement(statement, spelling, model) for statement in entry.body)
        lead = _rename_lead(entry.lead, spelling)
        return replace(entry, condition=condition, tail=tail, body=body, lead=lead)
    return _rename_statement(entry, spelling, model)


def _rename_statement(
    statement: ImportStatement, spelling: Spelling, model: str
) -> ImportStatement:
    lead = _rename_lead(statement.lead, spelling)
    trailing = _rename_lead(statement.trailing, spelling)
    if statement.module is not None and not statement.module.startswith("."):
        return replace(statement, lead=lead, trailing=trailing)
    names = tuple(
        ImportedName(
            ".".join(spelling.name(part) for part in name.name.split(".")),
            spelling.name(name.alias) if name.alias else None,
        )
        for name in statement.names
    )
    module = statement.module
    if module is not None:
        module = rename_import_module(module, spelling, model)
    return replace(statement, module=module, names=names, lead=lead, trailing=trailing)


def _rename_lead(lead: str, spelling: Spelling) -> str:
    """Rename comments; a "Copied from" comment leaves an empty line."""
    lines = [
        line if "# Copied from" not in line else "\n" if line.endswith("\n") else ""
        for line in split_lines(lead)
    ]
    text = "".join(lines)
    return spelling.text(text, 0, len(text))
