"""Files of a model that would import each other, which the one module of the definition does not.

A class of which neither its name nor its parent says where it belongs goes to the file that needs it,
if that opens the circle. Any other circle is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from codegen.errors import fail
from codegen.expansion.link.linker import Linker, Plan
from codegen.expansion.link.order import Placed

#: For each kind of file the classes of other files that it needs: the statement that does, their kind.
Edges = Mapping[str, Mapping[str, tuple[Placed, str]]]


def classes_to_move(linker: Linker) -> dict[str, str]:
    """Classes that have to go to another file, with its kind; nothing where there is no circle.

    Raises CodegenError for a circle that this does not open.
    """
    edges = {kind: dict(_needed(plan)) for kind, plan in linker.plans.items()}
    for kind, needs in edges.items():
        back = {name: found for name, found in needs.items() if kind in _reached(edges, found[1])}
        movable = {name for name in back if _is_free(name, linker)}
        if movable:
            return dict.fromkeys(movable, kind)
    for kind, needs in edges.items():
        for name, (item, home) in needs.items():
            if kind != "modeling" and kind in _reached(edges, home):
                raise _refused(name, item, kind, home, linker)
    return {}


def _needed(plan: Plan) -> Iterator[tuple[str, tuple[Placed, str]]]:
    for item in plan.items:
        for name in sorted((item.now | item.later | item.called) & plan.elsewhere.keys()):
            yield name, (item, plan.elsewhere[name])


def _reached(edges: Edges, start: str) -> set[str]:
    """The kinds of files that importing one brings in, itself included."""
    found: set[str] = set()
    queue = [start]
    while queue:
        kind = queue.pop()
        if kind not in found:
            found.add(kind)
            queue += [home for _, home in edges.get(kind, {}).values()]
    return found


def _is_free(name: str, linker: Linker) -> bool:
    """Whether nothing says where a class belongs: it stands where models do for want of another place."""
    return linker.file_type(name) == "modeling" and not linker.is_settled(name)


def _refused(name: str, item: Placed, kind: str, home: str, linker: Linker) -> Exception:
    own, dialect = linker.space.definition, linker.convention.dialect
    lines = [
        own.lines.line_at(each.start)
        for unit in own.units
        if unit.index == item.index and not item.module
        for each in unit.mentions.names
        if each.name == name
    ]
    place, _, line = linker.place_of(item).rpartition(":")
    here, there = (dialect.module_name(each, linker.model) for each in (kind, home))
    return fail(
        "file-circle",
        f"{item.name} goes to {here}.py and needs {name} of {there}.py, which imports it in turn",
        place or linker.path,
        lines[0] if lines else int(line or 0),
        f"write `from .{there} import {name}` in the function that needs it",
    )
