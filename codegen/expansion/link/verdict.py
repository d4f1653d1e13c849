"""Look at the drafts of a definition before they are handed on: names, order, members."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from codegen.errors import CodegenError, Diagnostic, Location
from codegen.expansion.link.bases import without_order
from codegen.expansion.link.linker import Fold, Linker
from codegen.expansion.link.order import Placed
from codegen.expansion.link.reaching import changed_classes, reaching_past
from codegen.expansion.link.registered import (
    asked_for_a_field,
    asked_types,
    registered_classes,
)
from codegen.expansion.link.units import ModuleUnits, Unit
from codegen.expansion.model import DraftFile, Item
from codegen.expansion.unmet import inherited, lost, unmet
from codegen.output.checks import BUILTINS, check_text
from codegen.text.mentions import Mention
from codegen.text.scoping import names_in

#: Bases that give a class no members that code would read by its name.
_BARE = frozenset({"object", "Enum", "IntEnum", "StrEnum", "Flag", "IntFlag", "ABC", "Module"})
_REPORT = "please report this failure: the expansion is at fault, not the definition"


def check_names(linker: Linker) -> Iterator[str]:
    """Warn of names that the definition reads when it runs and that nothing gives.

    Raises CodegenError for those that it needs while it is imported.
    """
    own = linker.space.definition
    problems = [*_docstring_readers(linker), *_exports_readers(linker)]
    for mention in _unknown(linker):
        line = own.lines.line_at(mention.start)
        known = [*own.binders, *own.imported, *linker.space.names]
        close = get_close_matches(mention.name, known, 1)
        hint = f"did you mean {close[0]}?" if close else "import it, or define it"
        if mention.when == "now":
            place = Location(linker.path, line)
            message = f"{mention.name} is not defined"
            problems.append(Diagnostic("undefined-name", message, place, hint))
        else:
            yield f"warning: {linker.path}:{line}: {mention.name} is not defined; {hint}"
    if problems:
        raise CodegenError(*problems)


def _docstring_readers(linker: Linker) -> Iterator[Diagnostic]:
    """What reads the docstring of its module, which is about the definition and stays there."""
    items = [item for plan in linker.plans.values() for item in plan.items]
    for item in items:
        source = linker.module(item.module).source
        read = item.later if item.kind == "class" else item.now | item.later
        if "__doc__" in read and ast.get_docstring(ast.parse(source.text), clean=False) is not None:
            yield Diagnostic(
                "module-docstring",
                f"{item.name} reads the docstring of its module, which is not carried",
                _location(linker.place_of(item)),
                "give the text a name of its own",
            )


def _exports_readers(linker: Linker) -> Iterator[Diagnostic]:
    """What reads ``__all__``: that of a parent is not carried, and the model's stands at the end."""
    items = [item for plan in linker.plans.values() for item in plan.items]
    called = {name for item in items for name in item.called}
    for item in items:
        sooner = "__all__" in item.now or (item.name in called and "__all__" in item.later)
        if sooner or (item.module and "__all__" in item.later):
            yield Diagnostic(
                "read-exports",
                f"{item.name} reads __all__, which is another one in the generated file",
                _location(linker.place_of(item)),
                "write __all__ out, and leave what reads it to the file that it is written in",
            )


def check_in_roles(linker: Linker) -> None:
    """Refuse classes of the definition that lack what inherited code reads of those in whose role
    they are. Raises CodegenError.
    """
    own, problems = linker.space.definition, []
    for module, units in linker.space.parents.items():
        folded = {(fold.name, unit.name) for unit, fold in linker.folds.items()}
        roles = {
            old: new
            for old, new in linker.space.renamed[module].items()
            if old in units.classes and new in own.classes and (old, new) not in folded
        }
        for name, member in sorted(_read_members(linker, module, roles)):
            node = own.binders[roles[name]][-1].nodes[0]
            if member in _class_members(units, name) and _lacks(node, member):
                close = [f"give it {member}", f"call {roles[name]} otherwise"]
                message = (
                    f"{roles[name]} has the role of {name} by its name, and inherited code reads "
                    f"{name}.{member}, which it lacks"
                )
                place = Location(linker.path, node.lineno)
                problems.append(Diagnostic("role-lacks", message, place, ", or ".join(close)))
    if problems:
        raise CodegenError(*problems)


def _read_members(linker: Linker, module: str, names: Mapping[str, str]) -> set[tuple[str, str]]:
    """Members of some classes of a parent that what the files have of it reads by their names."""
    parents = {
        (fold.module, linker.module(fold.module).binders[fold.name][-1].index)
        for fold in linker.folds.values()
    }
    placed = {(item.module, item.index) for plan in linker.plans.values() for item in plan.items}
    return {
        (node.value.id, node.attr)
        for unit in linker.module(module).units
        if (module, unit.index) in placed | parents
        for outer in unit.nodes
        for node in ast.walk(outer)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in names
    }


def _class_members(units: ModuleUnits, name: str) -> set[str]:
    node = units.binders[name][-1].nodes[0]
    return set(names_in(node.body).bound) if isinstance(node, ast.ClassDef) else set()


def _lacks(node: ast.stmt, member: str) -> bool:
    """Whether a class has no such member for sure: nothing above it that could."""
    if not isinstance(node, ast.ClassDef) or node.keywords or node.decorator_list:
        return False
    bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
    return bases <= _BARE and member not in names_in(node.body).bound


def check_parents(linker: Linker) -> None:
    """Refuse code of the definition that a fold would give another meaning.

    That is what changes a class which is folded away, and what reaches for its members from a class
    further down. Raises CodegenError.
    """
    own, problems = linker.space.definition, []
    for folded, fold in linker.folds.items():
        names = linker.spellings(fold).dotted
        for unit in own.units:
            if unit is folded:
                continue  # the fold itself looks at this
            for line, name in changed_classes(unit, names):
                message = (
                    f"this changes {name}, which is folded into {folded.name} and shows it no more"
                )
                hint = f"change {folded.name} instead"
                place = Location(linker.path, line)
                problems.append(Diagnostic("changed-parent", message, place, hint))
        for line, spelled, member in reaching_past(folded, own, names, _members(fold, linker)):
            message = (
                f"{spelled} is the {member} of {fold.base}, which is folded into {folded.name}"
            )
            hint = (
                f"give {folded.name} a method that calls super().{member}(...), and call that here"
            )
            place = Location(linker.path, line)
            problems.append(Diagnostic("folded-away", message, place, hint))
    if problems:
        raise CodegenError(*problems)


def _members(fold: Fold, linker: Linker) -> frozenset[str]:
    """What the body of a parent class binds."""
    node = linker.space.parents[fold.module].binders[fold.name][-1].nodes[0]
    assert isinstance(node, ast.ClassDef)
    return frozenset(names_in(node.body).bound)


def _unknown(linker: Linker) -> Iterator[Mention]:
    own, space = linker.space.definition, linker.space
    seen = set()
    for unit in own.units:
        if unit.kind in ("import", "exports") or "__getattr__" in own.binders:
            continue
        for mention in unit.mentions.names:
            name = mention.name
            known = name in BUILTINS or name in own.binders or name in own.imported
            if mention.when == "binds" or known or (name, mention.when) in seen:
                continue
            if space.resolve(name) is None:
                seen.add((name, mention.when))
                yield mention


def check_drafts(
    linker: Linker, drafts: Sequence[DraftFile], files: Mapping[str, Sequence[Placed]]
) -> Iterator[str]:
    """Warn of what the finished files name and do not define.

    Raises CodegenError where a file could not be imported.
    """
    problems = []
    told = {mention.name for mention in _unknown(linker)}
    for draft in drafts:
        starts, text = _laid_out(draft)
        placed = {item.origin: item for item in files.get(draft.file_type, ())}
        for one, name, base in without_order(draft.items):
            at = placed.get(one.origin)
            problems.append(
                Diagnostic(
                    "base-order",
                    f"{name} would have no resolution order: another class of its bases already "
                    f"stands in front of {base}, or inherits from it",
                    _location(linker.place_of(at) if at else one.origin),
                    f"leave {base} out where a class further up has it",
                )
            )
        for finding in check_text(text):
            if finding.name in told:
                continue
            origin = next(
                (item.origin for start, item in reversed(starts) if start <= finding.line), ""
            )
            item = placed.get(origin)
            place = linker.place_of(item) if item else linker.path
            message = f"{draft.name}: {finding.message}"
            if finding.fatal:
                problems.append(
                    Diagnostic(f"written-{finding.code}", message, _location(place), _REPORT)
                )
            else:
                yield f"warning: {place}: {message}"
    if problems:
        raise CodegenError(*problems)


def _laid_out(draft: DraftFile) -> tuple[list[tuple[int, Item]], str]:
    """The text of a draft, and the line at which each definition starts."""
    pieces = [piece.lead + piece.text + "\n" for piece in draft.imports]
    line = sum(piece.count("\n") for piece in pieces) + 1
    starts = []
    for item in draft.items:
        starts.append((line, item))
        pieces.append(f"{item.lead}{item.text}\n")
        line += pieces[-1].count("\n")
    return starts, "".join(pieces)


def check_classes(linker: Linker, files: Mapping[str, Sequence[Placed]]) -> Iterator[str]:
    """Warn of what classes say about their parents and meets nothing there.

    Raises CodegenError for members that got lost.
    """
    problems: list[Diagnostic] = []
    made = {(item.index, item.module): item for items in files.values() for item in items}
    for unit, fold in linker.folds.items():
        parent = linker.space.parents[fold.module]
        classes = {
            node.name: node
            for each in parent.units
            for node in each.nodes
            if isinstance(node, ast.ClassDef)
        }
        child = unit.nodes[0]
        assert isinstance(child, ast.ClassDef)
        for line, message in unmet(child, inherited(fold.name, classes)):
            yield f"warning: {linker.path}:{line}: {message}"
        item = made.get((unit.index, ""))
        if item is not None:
            problems += _asked_in_vain(linker, unit, fold, item)
        written = ast.parse(item.text).body if item else []
        nodes = [node for node in written if isinstance(node, ast.ClassDef)]
        if gone := lost(child, classes[fold.name], nodes):
            message = f"{child.name} would lose {', '.join(gone)}"
            place = Location(linker.path, child.lineno)
            problems.append(Diagnostic("lost-member", message, place, _REPORT))
    if problems:
        raise CodegenError(*problems)


def _asked_in_vain(linker: Linker, unit: Unit, fold: Fold, item: Placed) -> Iterator[Diagnostic]:
    """Where inherited code asks a registry for a class of the parent, and means the model's own."""
    units, spelled = linker.module(fold.module), linker.space.renamed[fold.module]
    parent = units.binders[fold.name][-1]
    for name in sorted(registered_classes(units)):
        own = spelled.get(name, name)
        if own not in linker.space.definition.classes:
            continue
        for kind in asked_for_a_field(parent, units, name):
            if kind in asked_types(ast.parse(item.text), units):
                yield Diagnostic(
                    "registered-type",
                    f'{unit.name} inherits code that asks a registry for "{kind}" and gets {name}, '
                    f"where its field is a {own}",
                    Location(linker.path, unit.nodes[0].lineno),
                    f"write the method that asks, with {own} in place of what the registry gives",
                )


def _location(place: str) -> Location:
    path, _, line = place.rpartition(":")
    return Location(path, int(line)) if path and line.isdigit() else Location(place)
