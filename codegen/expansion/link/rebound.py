"""Names of a parent that its file binds more than once, where a folded class means an earlier one.

    class StoneNorm: ...
    class StoneOther(StoneNorm): ...
    class StoneNorm: ...

A folded class stands behind everything that its parent's file binds, and so would find the last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from codegen.errors import CodegenError, Diagnostic, Location
from codegen.expansion.link.linker import Fold
from codegen.expansion.link.units import ModuleUnits, Unit


def check_bound_again(
    folds: Mapping[Unit, Fold], parents: Mapping[str, ModuleUnits], path: str
) -> None:
    """Refuse to fold classes of which there are several, unless nothing ever means but the last.

    The same for classes that read, while they are made, a name that is bound again behind them.
    Raises CodegenError.
    """
    problems = []
    for unit, fold in folds.items():
        parent = parents[fold.module]
        for name, reason in _reasons(parent, fold.name):
            lines = _listed([binder.line for binder in parent.binders[name]])
            problems.append(
                Diagnostic(
                    "bound-again",
                    f"{unit.name} inherits from {fold.base}, and {parent.source.path} binds "
                    f"(or deletes) {name} in lines {lines}: {reason}",
                    Location(path, unit.nodes[0].lineno),
                    f"give each {name} a name of its own there, or write {unit.name} out",
                )
            )
    if problems:
        raise CodegenError(*problems)


def _reasons(parent: ModuleUnits, folded: str) -> Iterator[tuple[str, str]]:
    """The names that are in the way, and why."""
    binders = parent.binders[folded]
    last = binders[-1]
    if last.kind != "class":
        yield folded, f"the last, in line {last.line}, is not the class itself"
        return
    if len(binders) > 1:
        between = parent.units[_position(parent, binders[0]) + 1 : _position(parent, last) + 1]
        reader = next((unit for unit in between if folded in unit.mentions.of("now")), None)
        if reader is not None:
            yield folded, f"line {reader.line} means an earlier one than the last"
    for name in sorted(last.mentions.of("now") & parent.binders.keys() - {folded}):
        if parent.binders[name][-1].index > last.index:
            yield name, f"{folded}, in line {last.line}, means an earlier one than the last"


def _position(parent: ModuleUnits, unit: Unit) -> int:
    return parent.units.index(unit)


def _listed(lines: Sequence[int]) -> str:
    *first, last = map(str, lines)
    return f"{', '.join(first)} and {last}" if first else last
