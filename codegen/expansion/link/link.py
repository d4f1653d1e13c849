"""From a definition and its parents to the drafts of its files, with the meaning of Python."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches

from codegen.errors import CodegenError, fail
from codegen.expansion.link.beside import mean_kept_parents
from codegen.expansion.link.circles import classes_to_move
from codegen.expansion.link.common import Common, caught_names
from codegen.expansion.link.exports import read_exports
from codegen.expansion.link.finish import Finisher
from codegen.expansion.link.linker import Fold, Linker
from codegen.expansion.link.namespace import Target, build_namespace
from codegen.expansion.link.naming import Naming, PairNaming
from codegen.expansion.link.order import Cycle, Placed, ordered
from codegen.expansion.link.quoting import asks_for_types, with_quoted_types
from codegen.expansion.link.rebound import check_bound_again
from codegen.expansion.link.shared import share_state
from codegen.expansion.link.spellings import spelled_out
from codegen.expansion.link.units import ModuleUnits, Unit, read_units
from codegen.expansion.link.verdict import (
    check_classes,
    check_drafts,
    check_in_roles,
    check_names,
    check_parents,
)
from codegen.expansion.model import Definition, DraftFile, ParentImport, ParsedModule
from codegen.expansion.prefix import count_votes
from codegen.expansion.rename import paired_names
from codegen.trees.conventions import Convention
from codegen.trees.names import NameTable
from codegen.trees.reexports import Home

Imported = Mapping[str, ParentImport]


def link(
    definition: Definition,
    parents: Mapping[str, ParsedModule],
    table: NameTable,
    convention: Convention,
    handwritten: Mapping[str, frozenset[str]],
) -> tuple[list[DraftFile], list[str]]:
    """Return the generated files of a definition and the warnings about them.

    Raises CodegenError for what cannot be expanded so that it means what it means in Python.
    """
    path = definition.module.source.path
    own, units = _all_units(definition, parents)
    imported = _imported(definition, own)
    folds = _folds(own, units, imported, path, convention)
    check_bound_again(folds, units, path)
    namings, warnings = _namings(definition, folds, parents, table, convention)
    common = Common(own, imported, units, convention)
    kept = common.kept()
    joined = {
        name: Target("copy", item.module, item.name)
        for name, item in imported.items()
        if item.alias is None and _is_copied(units[item.module], item.name)
    }
    joined = {name: target for name, target in joined.items() if target not in kept}
    home = convention.module_of(definition.model)
    pairs = {unit.name: (fold.module, fold.name) for unit, fold in folds.items()}
    space = build_namespace(own, units, namings, joined, kept, frozenset(imported), home, pairs)
    model = definition.model, table.cased(definition.model)
    linker = _placed(lambda moved: Linker(space, folds, imported, convention, model, path, moved))
    warnings += _left_bases(own, imported, convention, path)
    check_parents(linker)
    mean_kept_parents(linker, common)
    check_in_roles(linker)
    placed = {target for plan in linker.plans.values() for target in plan.placed}
    if problems := list(common.changed_through_modules(placed)):
        raise CodegenError(*problems)
    warnings += check_names(linker)
    finisher = Finisher(linker, imported, definition, handwritten)
    share_state(linker)
    exports = read_exports(own, linker)
    share_state(linker)
    files = {kind: _sorted(plan.items, path) for kind, plan in linker.plans.items()}
    drafts = finisher.drafts(files, exports)
    warnings += [*linker.warnings, *finisher.warnings, *check_classes(linker, files)]
    return drafts, list(dict.fromkeys([*warnings, *check_drafts(linker, drafts, files)]))


def _all_units(
    definition: Definition, parents: Mapping[str, ParsedModule]
) -> tuple[ModuleUnits, dict[str, ModuleUnits]]:
    """The units of the definition and of its parents.

    Where some leave types unevaluated and others do not, those have theirs as strings: parents in a
    definition that evaluates its own, and the definition where code looks at types when it runs.
    """
    own = read_units(definition.module.source)
    units = {module: read_units(parsed.source) for module, parsed in parents.items()}
    lazy = [each for each in units.values() if each.lazy_annotations]
    asked = any(asks_for_types(each.lexed) for each in (own, *units.values()))
    if own.lazy_annotations and (len(lazy) == len(units) or not asked):
        return own, units
    for module, each in units.items():
        if each in lazy:
            units[module] = read_units(with_quoted_types(each.source, asked))
    if own.lazy_annotations:
        own = read_units(with_quoted_types(own.source, asked))
    return own, units


def _placed(make: Callable[[Mapping[str, str]], Linker]) -> Linker:
    """A linker with everything in its file, so that no two files import each other."""
    moved: dict[str, str] = {}
    while True:
        linker = make(moved)
        linker.place_classes()
        linker.place_rest()
        linker.place_idle()
        linker.carry_effects()
        more = classes_to_move(linker)
        if not more:
            return linker
        moved |= more


def _imported(definition: Definition, own: ModuleUnits) -> Imported:
    """What names of the definition come from parents: of several imports of a name the last."""
    found: dict[str, ParentImport] = {}
    for item in definition.parents:
        name = item.alias or item.name
        if name in own.imported and name not in own.binders:
            statement, _ = own.imported[name]
            if statement.line == item.line:
                found[name] = item
    return found


def _is_copied(units: ModuleUnits, name: str) -> bool:
    return name in units.binders and name not in units.classes


def _folds(
    own: ModuleUnits,
    units: Mapping[str, ModuleUnits],
    imported: Imported,
    path: str,
    convention: Convention,
) -> dict[Unit, Fold]:
    """The classes that are folded, each with its parent class."""
    folds = {}
    caught = caught_names(own)
    for unit in own.units:
        node = unit.nodes[0]
        if not isinstance(node, ast.ClassDef) or unit.kind != "class":
            continue
        bases = [
            base.id
            for base in node.bases
            if isinstance(base, ast.Name) and base.id in imported and base.id not in caught
        ]
        found = []
        for base in bases:
            item = imported[base]
            parent = units[item.module]
            if item.name in parent.classes:
                found.append(Fold(item.module, item.name, base))
            elif item.name not in parent.imported and "__getattr__" not in parent.binders:
                raise _missing_class(node, item, parent, path, convention)
        if len(found) > 1:
            raise fail(
                "several-parents",
                f"class {node.name} inherits from several parents: "
                f"{', '.join(fold.base for fold in found)}",
                path,
                node.lineno,
                "inherit from one parent class and write the members of the other into the class",
            )
        if found:
            folds[unit] = found[0]
    return folds


def _left_bases(
    own: ModuleUnits, imported: Imported, convention: Convention, path: str
) -> Iterator[str]:
    """Notes on bases that stay imports because of how they are written, or what they are for."""
    caught = caught_names(own)
    for unit in own.units:
        node = unit.nodes[0]
        for base in node.bases if isinstance(node, ast.ClassDef) else ():
            if isinstance(base, ast.Attribute):
                module, _, name = spelled_out(ast.unparse(base), own).rpartition(".")
                if isinstance(convention.base_home(module, name), Home):
                    yield (
                        f"note: {path}:{base.lineno}: {ast.unparse(base)} is named through its "
                        f"module, so it stays an import; import {name} by name to have it folded in"
                    )
            elif isinstance(base, ast.Name) and base.id in caught & imported.keys():
                yield (
                    f"note: {path}:{base.lineno}: {base.id} is caught in this file, so it stays an "
                    f"import, and {unit.name} one of its kind"
                )
            elif isinstance(base, ast.Subscript) and ast.unparse(base.value) in imported:
                yield (
                    f"note: {path}:{base.lineno}: {ast.unparse(base)} says more than the name of "
                    "the parent, so it stays an import"
                )


def _missing_class(
    node: ast.ClassDef, item: ParentImport, parent: ModuleUnits, path: str, convention: Convention
) -> CodegenError:
    if item.name in parent.binders:
        return fail(
            "missing-class",
            f"{node.name} inherits from {item.name}, which line {parent.binders[item.name][-1].line} of "
            f"{parent.source.path} binds, but not as a class that stands by itself",
            path,
            node.lineno,
            f"import the module and inherit from {item.module.rpartition('.')[2]}.{item.name}: "
            "then it stays an import",
        )
    close = get_close_matches(item.name, list(parent.classes), 3)
    where = convention.describe(item.module)
    hint = f"{where} defines {len(parent.classes)} classes, none of a similar name"
    return fail(
        "missing-class",
        f"{node.name} inherits from {item.name}, which {item.module} does not define",
        path,
        node.lineno,
        f"did you mean {' or '.join(close)}?" if close else hint,
    )


def _namings(
    definition: Definition,
    folds: Mapping[Unit, Fold],
    parents: Mapping[str, ParsedModule],
    table: NameTable,
    convention: Convention,
) -> tuple[dict[str, Naming], list[str]]:
    models = {module: convention.parent_model(module) for module in parents}
    texts = {module: parsed.source.text for module, parsed in parents.items()}
    named = [module for module in parents if models[module]]
    voters = [
        (unit.name, fold.name, fold.module) for unit, fold in folds.items() if models[fold.module]
    ]
    prefixes = count_votes(voters, definition.model, named, table, models, texts)
    path = definition.module.source.path
    warnings = [f"note: {path}: {item.warning}" for item in prefixes.values() if item.warning]
    namings = {module: Naming(models[module], prefixes[module].lower, table) for module in named}
    for module in parents.keys() - namings.keys():
        pairs = [(unit.name, fold.name) for unit, fold in folds.items() if fold.module == module]
        roles = paired_names(pairs, table.cased(definition.model))
        namings[module] = PairNaming(module, definition.model, table, roles)
    return namings, warnings


def _sorted(items: Sequence[Placed], path: str) -> list[Placed]:
    try:
        return ordered(items)
    except Cycle as cycle:
        own = next((item for item in cycle.items if not item.module), cycle.items[0])
        place, _, line = own.origin.rpartition(":")
        raise fail(
            "import-cycle",
            f"{cycle} need each other while the file is imported",
            place,
            int(line),
            "let one of them use the other inside a function only",
        ) from None
