"""What the rest of a definition means by a parent that is kept apart: the class in front of its own.

    class PebbleBlock(StoneBlock): ...        StoneBlock cannot be folded, and becomes _StoneBlock
    KNOWN = StoneBlock.known                  _StoneBlock.known: what PebbleBlock inherits

Where the files go on using the parent's file in a way that leads to its class there, one name would
have to mean both; and a second class that keeps the same parent has a copy of its own.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Set
from dataclasses import replace

from codegen.errors import CodegenError, Diagnostic, Location
from codegen.expansion.fold.denoted import dotted_name
from codegen.expansion.fold.model import apply_edits
from codegen.expansion.link.common import Common
from codegen.expansion.link.linker import Linker, scan_text
from codegen.expansion.link.order import Placed
from codegen.expansion.link.units import ModuleUnits, Unit


def mean_kept_parents(linker: Linker, common: Common) -> None:
    """Let statements of the definition name the kept class in place of the parent's.

    Raises CodegenError where it cannot be told which of the two is meant.
    """
    problems: list[Diagnostic] = []
    for unit, name in linker.apart.items():
        reason = _obstacle(linker, common, unit)
        dotted = linker.spellings(linker.folds[unit]).dotted
        plain = dotted & linker.imported.keys()
        for line, spelled, why in _elsewhere(linker, unit):
            problems.append(_refusal(linker, unit, line, spelled, why))
        for plan in linker.plans.values():
            for position, item in enumerate(plan.items):
                if item.module or item.index == unit.index:
                    continue
                places = list(_places(linker, item, plain))
                far = linker.file_type(unit.name) != plan.kind
                if places and (reason or far):
                    why = reason or f"{unit.name} is in another file"
                    problems.append(_refusal(linker, unit, places[0][0], places[0][1], why))
                elif places:
                    plan.items[position] = _renamed(item, plain, name, linker.lazy)
    if problems:
        raise CodegenError(*problems)


def _renamed(item: Placed, names: Collection[str], name: str, lazy: bool) -> Placed:
    edits = [
        (mention.start, mention.end, name)
        for mention in scan_text(item.text, lazy).names
        if mention.name in names
    ]

    def spelled(found: Set[str]) -> frozenset[str]:
        return frozenset(name if each in names else each for each in found)

    return replace(
        item,
        text=apply_edits(item.text, edits),
        now=spelled(item.now),
        called=spelled(item.called),
        later=spelled(item.later),
    )


def _places(linker: Linker, item: Placed, names: Set[str]) -> Iterator[tuple[int, str]]:
    """The lines of the definition in which a statement of it names the parent, as it is placed."""
    if not names & (item.now | item.later):
        return
    own = linker.space.definition
    unit = next(each for each in own.units if each.index == item.index)
    for mention in unit.mentions.names:
        if mention.name in names:
            yield own.lines.line_at(mention.start), mention.name


def _obstacle(linker: Linker, common: Common, unit: Unit) -> str:
    """Why the parent's class and the one that is kept would both be meant."""
    fold, own = linker.folds[unit], linker.space.definition
    for other in linker.apart:
        if other is not unit and linker.folds[other] == fold:
            return f"{other.name} has another copy of it"
    parent = linker.space.parents[fold.module]
    reaching = _reaching(parent, fold.name)
    used = {name for plan in linker.plans.values() for i in plan.items for name in i.now | i.later}
    for name in sorted(used & linker.imported.keys()):
        item = linker.imported[name]
        target = linker.space.resolve(name)
        stays = target is None or target.kind == "import"
        if item.module == fold.module and item.name in reaching and stays:
            return f"{name} goes on using the one of {fold.module}"
    mentioned = {name for each in own.units for name in each.mentions.of("now", "later")}
    if named := sorted(mentioned.intersection(common.modules_named(fold.module))):
        return f"{named[0]} is the module of the other one"
    return ""


def _reaching(parent: ModuleUnits, name: str) -> set[str]:
    """Names of a parent's file whose code leads to one of its classes, itself not included."""
    found = {name}
    while True:
        more = {
            each
            for each, units in parent.binders.items()
            if any(found & unit.mentions.of("now", "later") for unit in units)
        }
        if more <= found:
            return found - {name}
        found |= more


def _elsewhere(linker: Linker, kept: Unit) -> Iterator[tuple[int, str, str]]:
    """Where a definition reaches the class of the parent's file by another way than its name."""
    known = linker.spellings(linker.folds[kept])
    for unit in linker.space.definition.units:
        for node in (item for outer in unit.nodes for item in ast.walk(outer)):
            if unit.kind == "exports":
                if isinstance(node, ast.Constant) and node.value in known.dotted:
                    yield node.lineno, str(node.value), "it is exported"
            elif unit is kept or unit.kind == "import":
                continue
            elif isinstance(node, ast.Attribute) and dotted_name(node) in known.dotted:
                yield node.lineno, ast.unparse(node), "it is named through its module"
            elif isinstance(node, ast.ImportFrom):
                module = "." * node.level + (node.module or "")
                for alias in node.names:
                    if known.denotes(module, alias.name):
                        yield node.lineno, alias.name, "it is imported from its own file"


def _refusal(linker: Linker, unit: Unit, line: int, spelled: str, reason: str) -> Diagnostic:
    node = unit.nodes[0]
    assert isinstance(node, ast.ClassDef)
    bases = [ast.unparse(base) for base in node.bases]
    position = bases.index(linker.folds[unit].base)
    return Diagnostic(
        "kept-parent",
        f"{spelled} stays a class of its own in front of {unit.name}, and the one that is named here "
        f"could be another: {reason}",
        Location(linker.path, line),
        f"write {unit.name}.__bases__[{position}] for the class that {unit.name} inherits from",
    )
