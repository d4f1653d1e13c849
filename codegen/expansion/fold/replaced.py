"""Assignments behind ``super().__init__(...)`` that take the place of the parent's, and ``del``.

So that nothing is built twice: the parent's ``self.norm = ...`` is left out, the definition's stands
where it stood. Only where that is sound; everything else follows the parent's statements, as Python
has it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from codegen.expansion.fold.sites import first_parameter
from codegen.text.scoping import names_in, own_nodes

#: Methods of containers that change them and return a value.
_CHANGING = frozenset({"pop", "popitem", "setdefault", "update", "append", "extend", "insert"})


@dataclass(frozen=True, slots=True)
class Replaced:
    """What becomes of the statements of a constructor.

    ``moved`` gives for a statement of the parent's body the one behind the call that stands in its
    place, ``dropped`` are statements of the parent that a ``del`` takes out, ``gone`` statements
    behind the call that are done with. ``read`` are lines where the parent reads what was
    replaced, by the index of the assignment behind the call.
    """

    moved: dict[int, int]
    dropped: frozenset[int]
    gone: frozenset[int]
    read: dict[int, int]


def plan_replacements(
    instance: str,
    parent: Sequence[ast.stmt],
    after: Sequence[ast.stmt],
    methods: Mapping[str, frozenset[str]],
) -> Replaced:
    """Which assignments of ``after`` replace one of ``parent``; ``instance`` is ``self``.

    ``methods`` are the class's own, with the attributes of the instance that each reads.
    """
    moved: dict[int, int] = {}
    gone: set[int] = set()
    dropped: set[int] = set()
    read: dict[int, int] = {}
    for index, statement in enumerate(after):
        if isinstance(statement, ast.Delete):
            places = _deleted(instance, statement, parent, after, index, methods)
            if places:
                dropped |= places
                gone.add(index)
            continue
        name = _target(instance, statement)
        if name is None or _writes(instance, name, after) != 1:
            continue
        place = _only_place(instance, name, parent)
        # What already stands further up in the parent's body is no longer behind the call.
        settled = {number for other, number in moved.items() if place and other < place}
        earlier = [each for number, each in enumerate(after[:index]) if number not in settled]
        if place is None or not _sound(instance, name, statement, place, parent, earlier, methods):
            continue
        moved[place] = index
        gone.add(index)
        line = _first_read(instance, name, parent[place + 1 :], methods)
        if line:
            read[index] = line
    return Replaced(moved, frozenset(dropped), frozenset(gone), read)


def _target(instance: str, statement: ast.stmt) -> str | None:
    """The attribute that a plain assignment sets on the instance."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        target = statement.target
    else:
        return None
    return _attribute(instance, target)


def _attribute(instance: str, node: ast.AST) -> str | None:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.attr if node.value.id == instance else None
    return None


def _writes(instance: str, name: str, statements: Iterable[ast.stmt]) -> int:
    """How often code assigns, changes or deletes an attribute of the instance."""
    return sum(
        _attribute(instance, node) == name and not isinstance(node.ctx, ast.Load)
        for statement in statements
        for node in ast.walk(statement)
        if isinstance(node, ast.Attribute)
    )


def _only_place(instance: str, name: str, parent: Sequence[ast.stmt]) -> int | None:
    """The one statement at the top of the parent's body that sets the attribute."""
    places = [index for index, item in enumerate(parent) if _target(instance, item) == name]
    return places[0] if len(places) == 1 and _writes(instance, name, parent) == 1 else None


def _first_read(
    instance: str,
    name: str,
    statements: Iterable[ast.stmt],
    methods: Mapping[str, frozenset[str]],
) -> int:
    """The first line that reads an attribute, itself or by a method of the class; 0 if none."""
    for statement in statements:
        for node in ast.walk(statement):
            attribute = _attribute(instance, node)
            if attribute == name or (attribute and name in methods.get(attribute, ())):
                return int(getattr(node, "lineno", 0))
    return 0


def attributes_read(functions: Mapping[str, ast.stmt]) -> dict[str, frozenset[str]]:
    """The attributes of the instance that each method reads, itself or by other methods."""
    direct: dict[str, set[str]] = {}
    for name, node in functions.items():
        assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        instance = first_parameter(node)
        found = {_attribute(instance, inner) for inner in ast.walk(node)} if instance else set()
        direct[name] = {each for each in found if each}
    changed = True
    while changed:
        changed = False
        for read in direct.values():
            more = {each for name in read & direct.keys() for each in direct[name]} - read
            read |= more
            changed = changed or bool(more)
    return {name: frozenset(found) for name, found in direct.items()}


def _deleted(
    instance: str,
    statement: ast.Delete,
    parent: Sequence[ast.stmt],
    after: Sequence[ast.stmt],
    index: int,
    methods: Mapping[str, frozenset[str]],
) -> set[int]:
    """The parent's statements that a ``del`` takes out, if nothing needs them in between."""
    places: set[int] = set()
    for target in statement.targets:
        name = _attribute(instance, target)
        place = _only_place(instance, name, parent) if name else None
        if name is None or place is None or _writes(instance, name, after) != 1:
            return set()
        between = [*parent[place + 1 :], *after[:index]]
        if _first_read(instance, name, between, methods):
            return set()
        places.add(place)
    return places


def _sound(
    instance: str,
    name: str,
    statement: ast.stmt,
    place: int,
    parent: Sequence[ast.stmt],
    earlier: Sequence[ast.stmt],
    methods: Collection[str],
) -> bool:
    """Whether the value is the same where the parent's assignment stands."""
    assert isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None
    value, skipped = statement.value, parent[place:]
    if any(isinstance(each, (ast.Await, ast.NamedExpr, ast.Yield)) for each in ast.walk(value)):
        return False
    paths = set(_paths(value))
    if (instance,) in paths or any(
        path[:2] == (instance, each) for path in paths for each in methods
    ):
        return False  # a method or a property can depend on anything
    if any(_calls_base(each) for each in skipped[1:]):
        return False
    later = [*skipped, *earlier]
    names = names_in([value])
    bound = names_in(later).bound
    if names.mentioned & bound:
        return False
    changed = {path for each in later for path in _changed(each)} - {(instance,)}
    if any(_overlap(read, write) for read in paths for write in changed):
        return False
    return all(_harmless(instance, name, each) for each in earlier)


def _paths(node: ast.AST) -> Iterator[tuple[str, ...]]:
    """The dotted names that an expression reads, each as long as it goes."""
    path = _path(node)
    if path:
        yield path
        return
    for child in ast.iter_child_nodes(node):
        yield from _paths(child)


def _path(node: ast.AST) -> tuple[str, ...] | None:
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        inner = _path(node.value)
        return (*inner, node.attr) if inner else None
    return None


def _changed(statement: ast.stmt) -> Iterator[tuple[str, ...]]:
    """Dotted names whose value a statement sets or changes: targets, and owners of called methods."""
    for node in ast.walk(statement):
        if isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
            path = _path(node if isinstance(node, ast.Attribute) else node.value)
            if path:
                yield path
    # A call whose value is not kept is made for what it does to its arguments.
    kept = not isinstance(statement, ast.Expr)
    for node in ast.walk(statement):
        if not isinstance(node, ast.Call):
            continue
        method = node.func if isinstance(node.func, ast.Attribute) else None
        if method and (not kept or method.attr in _CHANGING) and (path := _path(method.value)):
            yield path
        if not kept:
            yield from (path for each in node.args if (path := _path(each)))


def _overlap(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def _calls_base(statement: ast.stmt) -> bool:
    """Whether a statement runs the constructor of a base, which may set anything."""
    return any(
        isinstance(node, ast.Attribute) and node.attr == "__init__" for node in ast.walk(statement)
    )


def _harmless(instance: str, name: str, statement: ast.stmt) -> bool:
    """Whether an assignment may be taken out from behind a statement: that sets other things only."""
    if isinstance(statement, (ast.Pass, ast.Import, ast.ImportFrom, ast.Delete)):
        return True
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return True
    if not isinstance(statement, (ast.Assign, ast.AnnAssign)):
        return False
    for node in own_nodes([statement]):
        if isinstance(node, ast.Name) and node.id == instance:
            break
    else:
        return True
    uses = [node for node in ast.walk(statement) if isinstance(node, ast.Attribute)]
    named = {id(node.value) for node in uses if isinstance(node.value, ast.Name)}
    called = {id(node.func) for node in ast.walk(statement) if isinstance(node, ast.Call)}
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and node.id == instance and id(node) not in named:
            return False
    return all(
        _attribute(instance, node) is None or (node.attr != name and id(node) not in called)
        for node in uses
    )
